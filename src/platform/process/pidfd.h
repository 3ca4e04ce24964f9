// A process held by a pidfd: it can be waited for and signalled without its number ever being
// taken for a later process's (faults A9, A12: an exit is seen by the kernel's word, not by EOF).
//
// A pidfd becomes readable (poll, epoll) when the process has ended. Any thread.
#pragma once

#include <functional>
#include <optional>

#include "base/result.h"
#include "platform/files/fd.h"
#include "platform/process/identity.h"

namespace mainstay::platform {

/// How a process ended. Neither is set when it is not our child and the kernel does not tell.
struct ProcessExit {
  std::optional<int> code;
  std::optional<int> signal;
  bool core_dumped = false;
};

/// Opens it if it is still exactly this process (a zombie counts); `not_found` when it is gone or
/// its number belongs to another process now.
Result<Fd> open_process(const ProcessIdentity& process);

/// pidfd_send_signal(2). false: it has ended already.
bool send_signal(const Fd& pidfd, int signal);

/// Signals exactly this process; false when it is not there (any more). Nobody else is ever hit.
bool send_signal(const ProcessIdentity& process, int signal);

/// Has it ended (a zombie has)?
bool has_ended(const Fd& pidfd);

/// How it ended; nullopt while it runs. Leaves a child of ours a zombie, so that its number stays
/// taken until reap().
std::optional<ProcessExit> peek_exit(const Fd& pidfd);

/// Takes the zombie away if it is a child of ours and has ended.
void reap(const Fd& pidfd);
/// The same for a child that is certain to end at once; waits for that.
void await_and_reap(const Fd& pidfd);

/// From now on orphans below this process become its children instead of init's (prctl(2),
/// PR_SET_CHILD_SUBREAPER), so that they can be found and reaped.
Result<void> become_subreaper();

/// Reaps zombies that were reparented to us: not in our session (every process we start leads one
/// of its own) and not `started` by us. Other parts' children are left to them. Returns how many.
int reap_orphans(const std::function<bool(pid_t)>& started);

}  // namespace mainstay::platform
