// A cgroup of its own for each process tree: whatever the tree forks stays in it, and one write
// ends all of it (`cgroup.kill`, Linux 5.14), whether or not controllers are there.
//
// Works on any writable cgroup v2 mount, also the bare one of a hybrid layout. One thread at a
// time per object.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "platform/files/fd.h"
#include "platform/process/identity.h"

namespace mainstay::platform {

/// The folder below which one Mainstay makes its groups: `…/mainstay/INSTANCE`.
class CgroupBase {
 public:
  /// Looks below this process's own group, then at the mount's root. `environment_invalid` with
  /// the reason when no v2 mount is writable or the kernel has no cgroup.kill.
  static Result<CgroupBase> find(const std::string& instance);
  /// The same, over a given mountinfo and cgroup text (proc(5)); for tests.
  static Result<CgroupBase> find_in(std::string_view mountinfo, std::string_view own_groups,
                                    const std::string& instance);
  /// A base that an earlier daemon used; it need not exist.
  static CgroupBase at(std::string path) { return CgroupBase(std::move(path)); }

  const std::string& path() const { return path_; }
  /// Names of the groups that are there.
  std::vector<std::string> names() const;
  /// Removes the folder if it is empty.
  void remove_if_empty() const;

 private:
  explicit CgroupBase(std::string path) : path_(std::move(path)) {}
  std::string path_;
};

class Cgroup {
 public:
  /// Makes (or takes over) the group `name` below the base.
  static Result<Cgroup> make(const CgroupBase& base, const std::string& name);
  /// Makes the group, and removes one of that name first: nothing is known of it.
  static Result<Cgroup> make_new(const CgroupBase& base, const std::string& name);
  /// Only if it is there.
  static std::optional<Cgroup> find(const CgroupBase& base, const std::string& name);

  const std::string& path() const { return path_; }
  /// For SpawnRequest::cgroup_fd.
  int fd() const { return dir_.get(); }
  /// Is any process alive in it or below?
  bool populated() const;
  /// SIGKILL to every process in it and below, forks in progress included.
  Result<void> kill() const;
  /// Living processes in it and below.
  std::vector<ProcessIdentity> processes() const;
  /// Processes the kernel killed for lack of memory; 0 where no memory controller is there.
  std::int64_t out_of_memory_kills() const;
  /// Removes the empty group and the empty groups below it; false when it is still there.
  bool remove();

 private:
  Cgroup(std::string path, Fd dir) : path_(std::move(path)), dir_(std::move(dir)) {}
  std::string path_;
  Fd dir_;
};

/// Is this process in the group of that path or below? Any thread.
bool group_contains(const std::string& group_path, pid_t pid);

}  // namespace mainstay::platform
