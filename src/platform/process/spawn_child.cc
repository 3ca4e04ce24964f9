#include "platform/process/spawn_child.h"

#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstddef>
#include <cstdint>

#ifndef CLONE_INTO_CGROUP
#define CLONE_INTO_CGROUP 0x200000000ULL  // glibc's sched.h hides the kernel's
#endif

// The child runs on its own stack in the parent's memory and never returns, which sanitizers'
// bookkeeping of stacks and descriptors cannot follow; hence plain syscall() and no
// instrumentation.
#define MS_IN_CHILD __attribute__((no_sanitize("address", "thread", "undefined"), noinline))

namespace mainstay::platform {
namespace {

constexpr std::size_t kStackBytes = 64 * 1024;
constexpr int kFirstFreeFd = 3;
constexpr long kCloseLimit = 65536;
constexpr int kExitNotStarted = 127;
/// Of the kernel's own struct sigaction, all zero: SIG_DFL, no flags, no mask.
constexpr std::size_t kKernelSigactionBytes = 32;
constexpr std::size_t kKernelSigsetBytes = 8;
constexpr int kSignals = 64;

[[noreturn]] MS_IN_CHILD void give_up(ChildPlan* plan, ChildStep step) {
  plan->failed_errno = errno;
  plan->failed_at = step;
  for (;;) ::syscall(SYS_exit_group, kExitNotStarted);
}

MS_IN_CHILD void reset_signals() {
  const std::uint64_t zeros[kKernelSigactionBytes / 8] = {};
  for (int signal = 1; signal <= kSignals; ++signal) {
    ::syscall(SYS_rt_sigaction, signal, zeros, nullptr, kKernelSigsetBytes);
  }
}

MS_IN_CHILD void place_descriptors(ChildPlan* plan) {
  // First out of the way of 0 to 2 (which also clears nothing that is still needed), then in place.
  for (int& fd : plan->stdio) {
    if (fd >= kFirstFreeFd) continue;
    long moved = ::syscall(SYS_fcntl, fd, F_DUPFD, kFirstFreeFd);
    if (moved < 0) give_up(plan, ChildStep::descriptors);
    fd = static_cast<int>(moved);
  }
  for (int target = 0; target < kFirstFreeFd; ++target) {
    if (::syscall(SYS_dup3, plan->stdio[target], target, 0) < 0) {
      give_up(plan, ChildStep::descriptors);
    }
  }
  if (::syscall(SYS_close_range, kFirstFreeFd, ~0U, 0) == 0) return;
  rlimit limit{};  // before Linux 5.9
  ::syscall(SYS_prlimit64, 0, RLIMIT_NOFILE, nullptr, &limit);
  long end = static_cast<long>(limit.rlim_cur);
  if (end <= 0 || end > kCloseLimit) end = kCloseLimit;
  for (long fd = kFirstFreeFd; fd < end; ++fd) ::syscall(SYS_close, fd);
}

MS_IN_CHILD int run_child(void* argument) {
  auto* plan = static_cast<ChildPlan*>(argument);
  if (plan->die_with_parent) {
    ::syscall(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    // The parent may have died before the wish was known.
    if (::syscall(SYS_getppid) != plan->parent) ::syscall(SYS_exit_group, kExitNotStarted);
  }
  if (::syscall(SYS_setsid) < 0) give_up(plan, ChildStep::session);
  if (plan->cgroup_procs_fd >= 0 && ::syscall(SYS_write, plan->cgroup_procs_fd, "0", 1) != 1) {
    give_up(plan, ChildStep::cgroup);
  }
  reset_signals();
  if (plan->working_dir != nullptr && ::syscall(SYS_chdir, plan->working_dir) != 0) {
    give_up(plan, ChildStep::working_dir);
  }
  place_descriptors(plan);
  const std::uint64_t no_signals = 0;
  ::syscall(SYS_rt_sigprocmask, SIG_SETMASK, &no_signals, nullptr, kKernelSigsetBytes);
  ::syscall(SYS_execve, plan->program, plan->argv, plan->environment);
  give_up(plan, ChildStep::exec);
}

#if defined(__x86_64__)
/// clone(2) or clone3(2) with a stack of the child's own. By hand, since glibc 2.36 has no wrapper
/// for clone3 and ThreadSanitizer takes its clone() for a fork, memory shared or not.
__attribute__((noinline)) long clone_onto_stack(long number, long first, long second, long third,
                                                int (*child)(void*), void* argument) {
  long result = number;
  register long fourth asm("r10") = 0;
  register long fifth asm("r8") = 0;
  asm volatile(
      "syscall\n\t"
      "test %%rax, %%rax\n\t"
      "jnz 1f\n\t"
      "xor %%ebp, %%ebp\n\t"
      "mov %[argument], %%rdi\n\t"
      "call *%[child]\n\t"
      "hlt\n\t"
      "1:"
      : "+a"(result)
      : "D"(first), "S"(second), "d"(third), "r"(fourth),
        "r"(fifth), [child] "r"(child), [argument] "r"(argument)
      : "rcx", "r11", "memory", "cc");
  return result;
}

long plain_clone(int flags, void* stack_top, int* pidfd, ChildPlan* plan) {
  return clone_onto_stack(SYS_clone, flags, reinterpret_cast<std::intptr_t>(stack_top),
                          reinterpret_cast<std::intptr_t>(pidfd), run_child, plan);
}

long clone_with_group(clone_args* args, ChildPlan* plan) {
  return clone_onto_stack(SYS_clone3, reinterpret_cast<std::intptr_t>(args), sizeof *args, 0,
                          run_child, plan);
}
#else
long plain_clone(int flags, void* stack_top, int* pidfd, ChildPlan* plan) {
  int pid = ::clone(run_child, stack_top, flags, plan, pidfd);
  return pid < 0 ? -errno : pid;
}

/// The child enters its group by its own hand.
long clone_with_group(clone_args*, ChildPlan*) { return -ENOSYS; }
#endif

/// A stack with a guard page below it.
class ChildStack {
 public:
  ChildStack()
      : base_(::mmap(nullptr, kStackBytes, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0)) {
    if (base_ != MAP_FAILED) ::mprotect(base_, 4096, PROT_NONE);
  }
  ~ChildStack() {
    if (base_ != MAP_FAILED) ::munmap(base_, kStackBytes);
  }
  ChildStack(const ChildStack&) = delete;
  ChildStack& operator=(const ChildStack&) = delete;

  bool is_there() const { return base_ != MAP_FAILED; }
  void* base() const { return base_; }
  void* top() const { return static_cast<char*>(base_) + kStackBytes; }

 private:
  void* base_;
};

/// While it lives no signal handler can run in this thread, hence none in the child that shares
/// our memory.
class SignalsBlocked {
 public:
  SignalsBlocked() {
    sigset_t all;
    ::sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  ~SignalsBlocked() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  SignalsBlocked(const SignalsBlocked&) = delete;
  SignalsBlocked& operator=(const SignalsBlocked&) = delete;

 private:
  sigset_t before_{};
};

}  // namespace

CloneOutcome clone_child(ChildPlan& plan, int cgroup_fd) {
  ChildStack stack;
  if (!stack.is_there()) return {-1, Fd(), ENOMEM};
  constexpr int kFlags = CLONE_VM | CLONE_VFORK | CLONE_PIDFD;
  int pidfd = -1;
  long pid = -1;
  {
    SignalsBlocked blocked;
    if (cgroup_fd >= 0) {
      clone_args args{};
      args.flags = static_cast<std::uint64_t>(kFlags) | CLONE_INTO_CGROUP;
      args.pidfd = reinterpret_cast<std::uintptr_t>(&pidfd);
      args.exit_signal = SIGCHLD;
      args.stack = reinterpret_cast<std::uintptr_t>(stack.base());
      args.stack_size = kStackBytes;
      args.cgroup = static_cast<std::uint64_t>(cgroup_fd);
      pid = clone_with_group(&args, &plan);
    } else {
      pid = plain_clone(kFlags | SIGCHLD, stack.top(), &pidfd, &plan);
    }
  }
  if (pid < 0) return {-1, Fd(), static_cast<int>(-pid)};
  return {static_cast<pid_t>(pid), Fd(pidfd), 0};
}

}  // namespace mainstay::platform
