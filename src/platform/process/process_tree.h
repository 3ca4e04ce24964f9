// All that one started process and its descendants are: grandchildren in sessions of their own and
// orphans included (faults A5). A process group is not enough: setsid leaves it.
//
// By cgroup where there is one. Else by a walk of /proc: children of children, the session that the
// first process leads, and whoever carries the start marker in its environment. The walk needs this
// process to be a subreaper only for reaping; what it cannot see is a process that left the
// session, lost its parent AND replaced its environment. One thread at a time per object.
#pragma once

#include <functional>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/enum_text.h"
#include "base/time.h"
#include "platform/process/cgroup.h"
#include "platform/process/identity.h"

MS_ENUM_TEXT(platform, KillMethod, cgroup, process_tree)

namespace mainstay::platform {

struct KillReport {
  KillMethod method = KillMethod::process_tree;
  /// Who still lived when the time was over; empty: nothing remains.
  std::vector<ProcessIdentity> survivors;
};

/// The living processes of `table` that belong to the tree: descendants of the root and of the
/// marked ones, and the session that the root leads. root.pid 0: only what is marked. The root
/// itself counts; this process and init never do. Pure.
std::vector<ProcEntry> tree_members(const std::vector<ProcEntry>& table,
                                    const ProcessIdentity& root, const std::set<pid_t>& marked,
                                    pid_t self);

class ProcessTree {
 public:
  /// marker: `NAME=value` that every process of the tree was started with. `group` is the tree's
  /// own cgroup, if it has one.
  ProcessTree(ProcessIdentity root, std::string marker, std::optional<Cgroup> group);

  /// Also walk /proc where there is a cgroup: for what a former daemon left, which nobody watched.
  void search_widely() { widely_ = true; }

  KillMethod method() const { return group_ ? KillMethod::cgroup : KillMethod::process_tree; }
  const ProcessIdentity& root() const { return root_; }
  const std::optional<Cgroup>& group() const { return group_; }

  /// Everything of it that lives now.
  std::vector<ProcessIdentity> members() const;
  /// Asks whether a process is one of them; a value of its own that any thread may call, also when
  /// the tree object is gone.
  std::function<bool(pid_t)> ownership() const;
  /// One round of SIGKILL to all of it. true when nothing lives any more; call again, a moment
  /// later, while it is false. Without a cgroup two empty looks in a row are asked for, since a
  /// process in the middle of an exec shows no marker.
  bool kill_round();
  /// Rounds until nothing lives, or the time is over. Blocks.
  KillReport kill_all(Duration limit);
  /// Was the cgroup as a whole killed? What is later started in such a group by CLONE_INTO_CGROUP
  /// is killed at birth (seen on Linux 6.18): it has to be removed, never used again.
  bool group_is_spent() const { return group_is_spent_; }
  /// Removes the cgroup once all is dead; false when it is still there.
  bool forget();

 private:
  std::vector<ProcessIdentity> walk() const;
  bool walk_round();

  ProcessIdentity root_;
  std::string marker_;
  std::optional<Cgroup> group_;
  bool widely_ = false;
  bool group_is_spent_ = false;
  int empty_looks_ = 0;
};

}  // namespace mainstay::platform
