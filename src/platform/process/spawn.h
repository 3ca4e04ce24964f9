// Starting a process so that nothing leaks into it and every failure is known before it counts as
// started (faults A13, A14).
//
// The child gets descriptors 0 to 2 and no other, exactly the environment given, default signal
// handling, an empty signal mask, a session of its own, and, where asked, its place in a cgroup
// before its first instruction. The parent's memory is not copied (vfork): a large daemon starts
// processes as fast as a small one. May be called on any thread; the thread must live as long as a
// child that is to die with it (die_with_thread).
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/enum_text.h"
#include "base/result.h"
#include "platform/files/fd.h"
#include "platform/process/identity.h"

// Why a process could not be started. text_busy and no_resources can pass by themselves; the
// others stay until somebody changes the command or the machine.
MS_ENUM_TEXT(platform, StartFailure, not_found, not_executable, wrong_format, bad_interpreter,
             arguments_too_long, working_dir, text_busy, no_resources, other)

namespace mainstay::platform {

struct SpawnRequest {
  /// argv[0] is looked up in the PATH of `environment` when it has no '/'; a relative path with a
  /// '/' is below working_dir.
  std::vector<std::string> argv;
  /// Absolute; empty: the caller's.
  std::string working_dir;
  /// `NAME=value` each; nothing else is passed.
  std::vector<std::string> environment;
  /// -1: /dev/null. The caller keeps (and closes) its descriptors.
  int stdin_fd = -1;
  int stdout_fd = -1;
  int stderr_fd = -1;
  /// Descriptor of a cgroup v2 folder to start in; -1: the caller's group.
  int cgroup_fd = -1;
  /// SIGKILL when the thread that called spawn ends, also when the whole daemon is killed.
  bool die_with_thread = false;
};

struct Process {
  Fd pidfd;
  ProcessIdentity identity;
  /// false when a cgroup was asked for and the kernel refused it; the process runs all the same.
  bool in_cgroup = false;
};

/// `process_start_failed` with the fields `reason` (a StartFailure) and `command`.
Result<Process> spawn(const SpawnRequest& request);

/// The reason inside an error of spawn().
StartFailure start_failure(const Error& error);
/// Trying again cannot help: no restart storm for it.
bool is_permanent(StartFailure reason);

}  // namespace mainstay::platform
