// The half of spawn() that runs in the new process, between clone and exec, in the memory of the
// parent, which waits meanwhile. Only plain system calls on prepared data: no allocation, no lock,
// no library function that keeps state.
#pragma once

#include <sys/types.h>

#include "base/result.h"
#include "platform/files/fd.h"

namespace mainstay::platform {

enum class ChildStep { none, session, cgroup, working_dir, descriptors, exec };

/// Everything the child needs, and where it says what failed.
struct ChildPlan {
  const char* program = nullptr;
  char* const* argv = nullptr;
  char* const* environment = nullptr;
  /// May be null.
  const char* working_dir = nullptr;
  int stdio[3] = {-1, -1, -1};
  /// Enter the cgroup by writing here; -1 when clone3 has put the child there, or none is wanted.
  int cgroup_procs_fd = -1;
  pid_t parent = 0;
  bool die_with_parent = false;

  ChildStep failed_at = ChildStep::none;
  int failed_errno = 0;
};

struct CloneOutcome {
  pid_t pid = -1;
  Fd pidfd;
  /// When pid is -1.
  int failed_errno = 0;
};

/// Runs the plan in a new process; returns when it has become the program or has given up (then
/// plan.failed_at says where, and the zombie still has to be reaped). cgroup_fd: start there by
/// clone3 (-1: no). A kernel that does not know clone3 gives ENOSYS when a cgroup is wanted.
CloneOutcome clone_child(ChildPlan& plan, int cgroup_fd);

}  // namespace mainstay::platform
