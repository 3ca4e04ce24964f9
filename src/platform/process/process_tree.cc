#include "platform/process/process_tree.h"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <map>

#include "platform/process/pidfd.h"

namespace mainstay::platform {
namespace {

constexpr int kLooksToBeSure = 2;
constexpr Duration kFirstPause = std::chrono::milliseconds(1);
constexpr Duration kLongestPause = std::chrono::milliseconds(50);
constexpr int kMaxAncestors = 1024;

void pause_for(Duration time) {
  timespec wait{0, static_cast<long>(time.count())};
  ::ppoll(nullptr, 0, &wait, nullptr);
}

bool descends_from(const ProcessIdentity& root, pid_t pid) {
  pid_t at = pid;
  for (int i = 0; i < kMaxAncestors && at > 1; ++i) {
    auto entry = read_proc_entry(at);
    if (!entry) return false;
    if (at == root.pid) return entry->start_ticks == root.start_ticks;
    at = entry->parent;
  }
  return false;
}

}  // namespace

std::vector<ProcEntry> tree_members(const std::vector<ProcEntry>& table,
                                    const ProcessIdentity& root, const std::set<pid_t>& marked,
                                    pid_t self) {
  std::map<pid_t, const ProcEntry*> by_pid;
  std::multimap<pid_t, const ProcEntry*> by_parent;
  for (const ProcEntry& entry : table) {
    by_pid[entry.pid] = &entry;
    by_parent.emplace(entry.parent, &entry);
  }
  std::set<pid_t> members;
  std::vector<const ProcEntry*> open;
  auto take = [&](const ProcEntry* entry) {
    bool never = entry->pid == self || entry->pid <= 1;
    if (!never && members.insert(entry->pid).second) open.push_back(entry);
  };
  auto root_entry = by_pid.find(root.pid);
  // While the root is in the table (a zombie is), its number and so its session are its own.
  if (root_entry != by_pid.end() && root_entry->second->start_ticks == root.start_ticks) {
    take(root_entry->second);
    for (const ProcEntry& entry : table) {
      if (entry.session == root.pid) take(&entry);
    }
  }
  for (pid_t pid : marked) {
    if (auto found = by_pid.find(pid); found != by_pid.end()) take(found->second);
  }
  while (!open.empty()) {
    const ProcEntry* parent = open.back();
    open.pop_back();
    auto [begin, end] = by_parent.equal_range(parent->pid);
    for (auto child = begin; child != end; ++child) {
      // The table is no snapshot: a "child" older than its parent had another parent of that pid.
      if (child->second->start_ticks >= parent->start_ticks) take(child->second);
    }
  }
  std::vector<ProcEntry> alive;
  for (pid_t pid : members) {
    if (by_pid[pid]->alive()) alive.push_back(*by_pid[pid]);
  }
  return alive;
}

ProcessTree::ProcessTree(ProcessIdentity root, std::string marker, std::optional<Cgroup> group)
    : root_(std::move(root)), marker_(std::move(marker)), group_(std::move(group)) {
  if (root_.boot_id != boot_id()) root_ = {};  // of an earlier boot: it cannot be there
}

std::vector<ProcessIdentity> ProcessTree::members() const {
  if (!group_) return walk();
  std::vector<ProcessIdentity> members = group_->processes();
  if (!widely_) return members;
  for (ProcessIdentity& process : walk()) {
    bool known = std::find(members.begin(), members.end(), process) != members.end();
    if (!known) members.push_back(std::move(process));
  }
  return members;
}

std::vector<ProcessIdentity> ProcessTree::walk() const {
  std::vector<ProcEntry> table = list_processes();
  std::set<pid_t> marked;
  for (const ProcEntry& entry : table) {
    // What began before the tree did is no part of it; on most machines that is nearly everything.
    bool may_be = entry.alive() && entry.start_ticks >= root_.start_ticks;
    if (may_be && environment_has(entry.pid, marker_)) marked.insert(entry.pid);
  }
  std::vector<ProcessIdentity> members;
  for (const ProcEntry& entry : tree_members(table, root_, marked, ::getpid())) {
    members.push_back({entry.pid, entry.start_ticks, boot_id()});
  }
  return members;
}

std::function<bool(pid_t)> ProcessTree::ownership() const {
  std::string group_path = group_ ? group_->path() : "";
  return [root = root_, marker = marker_, group_path](pid_t pid) {
    if (!group_path.empty()) return group_contains(group_path, pid);
    return environment_has(pid, marker) || descends_from(root, pid);
  };
}

bool ProcessTree::kill_round() {
  if (!group_) return walk_round();
  if (group_->populated()) {
    // Each by itself too: cgroup.kill passes over a process whose first thread has ended, for the
    // signal goes to that thread alone (kernel/cgroup/cgroup.c, __cgroup_kill; seen on Linux 6).
    group_is_spent_ = group_->kill().has_value() || group_is_spent_;
    for (const auto& process : group_->processes()) send_signal(process, SIGKILL);
    if (group_->populated()) return false;
  }
  return !widely_ || walk_round();
}

bool ProcessTree::walk_round() {
  std::vector<ProcessIdentity> alive = walk();
  for (const ProcessIdentity& process : alive) send_signal(process, SIGKILL);
  empty_looks_ = alive.empty() ? empty_looks_ + 1 : 0;
  return empty_looks_ >= kLooksToBeSure;
}

KillReport ProcessTree::kill_all(Duration limit) {
  Mono until = std::chrono::steady_clock::now() + limit;
  Duration pause = kFirstPause;
  while (!kill_round()) {
    if (std::chrono::steady_clock::now() >= until) return {method(), members()};
    pause_for(pause);
    pause = std::min(pause * 2, kLongestPause);
  }
  return {method(), {}};
}

bool ProcessTree::forget() { return !group_ || group_->remove(); }

}  // namespace mainstay::platform
