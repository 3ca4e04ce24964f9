// What a former daemon of this data folder left running (faults B4): found by the marks in the
// environment of processes and by the names of cgroups, so that nothing is ever started twice.
//
// A link agent's process is claimed by AdoptProcess; a command agent's process is of use to nobody
// once its daemon is gone, and is killed at start-up. Node's loop thread.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "model/ids.h"
#include "node/node_context.h"
#include "platform/process/identity.h"

namespace mainstay::node {

class Leftovers {
 public:
  using Key = std::pair<model::AgentName, model::Incarnation>;

  /// Looks once, and kills what is left of command agents; blocks up to about five seconds. The
  /// pids that withstood are in the answer.
  std::vector<pid_t> look_and_kill_exec(NodeContext& node);

  /// Incarnations of link agents that live and that nobody has claimed yet.
  std::vector<Key> unclaimed() const;
  std::vector<Key> unclaimed_of(const model::AgentName& agent) const;
  /// The incarnation is being adopted or killed.
  void claim(const model::AgentName& agent, model::Incarnation incarnation);

 private:
  void look(NodeContext& node);
  void look_at_groups(NodeContext& node);

  std::map<Key, std::vector<platform::ProcessIdentity>> links_;
  std::vector<platform::ProcessIdentity> exec_processes_;
  std::vector<platform::Cgroup> exec_groups_;
};

}  // namespace mainstay::node
