// For tests of processes: run something to its end and see what it said.
#pragma once

#include <fcntl.h>
#include <poll.h>

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/assert.h"
#include "base/text.h"
#include "platform/files/files.h"
#include "platform/process/identity.h"
#include "platform/process/pidfd.h"
#include "platform/process/spawn.h"

namespace mainstay::platform {

struct Pipe {
  Pipe() {
    int ends[2];
    MS_ASSERT(::pipe2(ends, O_CLOEXEC) == 0, "no pipe");
    reader = Fd(ends[0]);
    writer = Fd(ends[1]);
  }
  Fd reader;
  Fd writer;
};

constexpr int kTestTimeoutMs = 60000;

/// Waits for readiness, bounded; false when the time is over.
inline bool wait_readable(int fd) {
  pollfd wait{fd, POLLIN, 0};
  return ::poll(&wait, 1, kTestTimeoutMs) == 1;
}

/// Waits for the end of a process and reaps it.
inline std::optional<ProcessExit> wait_exit(const Fd& pidfd) {
  if (!wait_readable(pidfd.get())) return std::nullopt;
  auto exit = peek_exit(pidfd);
  reap(pidfd);
  return exit;
}

/// Whether nothing of it runs any more. What was killed leaves its cgroup and loses its environment
/// a moment before /proc calls it a zombie: threads that the kernel is taking down do not count.
inline bool is_gone(const ProcessIdentity& process) {
  constexpr unsigned kExiting = 4;   // PF_EXITING of include/linux/sched.h
  constexpr std::size_t kFlags = 6;  // field 9 of /proc/PID/stat; the first here is field 3
  if (!is_alive(process)) return true;
  const std::string tasks = "/proc/" + std::to_string(process.pid) + "/task";
  auto threads = list_dir(tasks);
  if (!threads) return !is_alive(process);
  for (const std::string& thread : *threads) {
    auto stat = read_file(tasks + "/" + thread + "/stat");
    if (!stat || stat->empty()) continue;  // gone meanwhile
    const auto fields = base::split(std::string_view(*stat).substr(stat->rfind(')') + 2), ' ');
    const bool exits = (std::stoul(std::string(fields.at(kFlags))) & kExiting) != 0;
    if (!exits) return !is_alive(process);
  }
  return true;
}

/// A line from a pipe, without its end.
inline std::string read_line(const Fd& reader) {
  std::string line;
  char c = 0;
  while (wait_readable(reader.get()) && ::read(reader.get(), &c, 1) == 1 && c != '\n') {
    line.push_back(c);
  }
  return line;
}

inline SpawnRequest shell(const std::string& script) {
  SpawnRequest request;
  request.argv = {"/bin/sh", "-c", script};
  request.environment = {"PATH=/usr/bin:/bin"};
  return request;
}

struct RunOutcome {
  ProcessExit exit;
  std::string output;
};

/// Runs it to its end with stdout and stderr in one pipe.
inline Result<RunOutcome> run_to_end(SpawnRequest request) {
  Pipe pipe;
  request.stdout_fd = pipe.writer.get();
  request.stderr_fd = pipe.writer.get();
  auto process = spawn(request);
  if (!process) return process.error();
  pipe.writer.reset();
  auto output = read_fd(pipe.reader.get(), 1 << 20, "pipe");
  if (!output) return output.error();
  auto exit = wait_exit(process->pidfd);
  if (!exit) return Error(Code::internal, "it did not end");
  return RunOutcome{*exit, *output};
}

}  // namespace mainstay::platform
