#include "platform/process/pidfd.h"

#include <poll.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>

#include "platform/files/files.h"

namespace mainstay::platform {
namespace {

/// linux/pidfd.h of Linux 6.15, which Debian 12's headers do not have yet.
struct PidfdInfo {
  std::uint64_t mask = 0;
  std::uint64_t cgroup_id = 0;
  std::uint32_t ids[11] = {};
  std::int32_t exit_code = 0;
};
static_assert(sizeof(PidfdInfo) == 64);
constexpr std::uint64_t kInfoExit = 1U << 3;
constexpr unsigned long kGetInfo = _IOWR(0xFF, 11, PidfdInfo);

ProcessExit from_wait_status(int status) {
  ProcessExit exit;
  if (WIFEXITED(status)) exit.code = WEXITSTATUS(status);
  if (WIFSIGNALED(status)) {
    exit.signal = WTERMSIG(status);
    exit.core_dumped = WCOREDUMP(status);
  }
  return exit;
}

ProcessExit from_siginfo(const siginfo_t& info) {
  ProcessExit exit;
  if (info.si_code == CLD_EXITED) {
    exit.code = info.si_status;
  } else {
    exit.signal = info.si_status;
    exit.core_dumped = info.si_code == CLD_DUMPED;
  }
  return exit;
}

/// For processes that are not our children (adopted after a restart). Linux 6.15 tells their exit
/// status once they are reaped; older kernels never do.
ProcessExit exit_of_a_stranger(const Fd& pidfd) {
  PidfdInfo info;
  info.mask = kInfoExit;
  if (::ioctl(pidfd.get(), kGetInfo, &info) != 0 || (info.mask & kInfoExit) == 0) return {};
  return from_wait_status(info.exit_code);
}

int wait_on(const Fd& pidfd, siginfo_t* info, int flags) {
  int result = 0;
  do {
    *info = {};
    result = ::waitid(P_PIDFD, static_cast<id_t>(pidfd.get()), info, flags);
  } while (result != 0 && errno == EINTR);
  return result == 0 ? 0 : errno;
}

}  // namespace

Result<Fd> open_process(const ProcessIdentity& process) {
  auto gone = [&] {
    return Error(Code::not_found, "process " + std::to_string(process.pid) + " is gone");
  };
  if (process.pid <= 0 || process.boot_id != boot_id()) return gone();
  Fd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, process.pid, 0)));
  if (!pidfd && errno == ESRCH) return gone();
  if (!pidfd) return io_error("cannot open process", std::to_string(process.pid), errno);
  // Checked after opening: if the number still belongs to the process meant, it did so all the
  // time, and the descriptor can only be of that process.
  auto entry = read_proc_entry(process.pid);
  if (!entry || entry->start_ticks != process.start_ticks) return gone();
  return pidfd;
}

bool send_signal(const Fd& pidfd, int signal) {
  return ::syscall(SYS_pidfd_send_signal, pidfd.get(), signal, nullptr, 0) == 0;
}

bool send_signal(const ProcessIdentity& process, int signal) {
  auto pidfd = open_process(process);
  return pidfd && send_signal(*pidfd, signal);
}

bool has_ended(const Fd& pidfd) {
  pollfd wait{pidfd.get(), POLLIN, 0};
  while (::poll(&wait, 1, 0) < 0) {
    if (errno != EINTR) return false;
  }
  return (wait.revents & (POLLIN | POLLHUP)) != 0;
}

std::optional<ProcessExit> peek_exit(const Fd& pidfd) {
  siginfo_t info{};
  int failed = wait_on(pidfd, &info, WEXITED | WNOHANG | WNOWAIT);
  if (failed == 0 && info.si_pid != 0) return from_siginfo(info);
  if (failed == 0 || !has_ended(pidfd)) return std::nullopt;
  return exit_of_a_stranger(pidfd);
}

void reap(const Fd& pidfd) {
  siginfo_t info{};
  wait_on(pidfd, &info, WEXITED | WNOHANG);
}

void await_and_reap(const Fd& pidfd) {
  siginfo_t info{};
  wait_on(pidfd, &info, WEXITED);
}

Result<void> become_subreaper() {
  if (::prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0) {
    return io_error("cannot become the reaper of orphans", "", errno);
  }
  return {};
}

int reap_orphans(const std::function<bool(pid_t)>& started) {
  siginfo_t info{};
  int any = ::waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT);
  if (any != 0 || info.si_pid == 0) return 0;  // the usual case: one call, no zombie at all
  int reaped = 0;
  pid_t self = ::getpid();
  pid_t own_session = ::getsid(0);
  for (const ProcEntry& entry : list_processes()) {
    bool orphan = entry.parent == self && !entry.alive() && entry.session != own_session;
    if (!orphan || started(entry.pid)) continue;
    // Still our child and a zombie, so its number cannot have been given to another process.
    siginfo_t gone{};
    if (::waitid(P_PID, static_cast<id_t>(entry.pid), &gone, WEXITED | WNOHANG) == 0) ++reaped;
  }
  return reaped;
}

}  // namespace mainstay::platform
