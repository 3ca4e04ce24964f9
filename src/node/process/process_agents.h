// Agents that are processes of their own and speak the agent link: started, stopped, killed,
// adopted after a restart of the daemon, and told of when all of them is gone.
//
// For each start: a token only that process knows (the daemon keeps its SHA-256), an environment of
// its own, stdout and stderr into FIFOs that outlive the daemon, a session and a cgroup. Lives on
// the node's loop thread.
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "model/effect.h"
#include "node/link/link.h"
#include "node/output/log_reader.h"
#include "node/process/leftovers.h"
#include "node/process/supervised_process.h"

namespace mainstay::node {

class ProcessAgents {
 public:
  ProcessAgents(NodeContext& node, LinkServer& link, Leftovers& leftovers)
      : node_(node), link_(link), leftovers_(leftovers) {}

  void start(const model::StartProcess& effect);
  void adopt(const model::AdoptProcess& effect);
  void stop(const model::StopProcess& effect);
  void kill(const model::KillProcess& effect);
  /// Kills every incarnation that a former daemon left and that is in nobody's books.
  void kill_unclaimed();
  /// Kills everything that was started, adopted or left by a former daemon, blocking up to `limit`;
  /// nothing is reported any more. How many agents had something left that withstood.
  std::size_t kill_all(Duration limit);
  /// Was it started by us, and not reaped yet?
  bool has_process(pid_t pid) const;

 private:
  struct Agent {
    model::Incarnation incarnation = 0;
    std::string token_sha256;
    std::unique_ptr<SupervisedProcess> process;
    std::unique_ptr<LogReader> out;
    std::unique_ptr<LogReader> err;
  };
  /// A tree of a former daemon's that is being killed.
  struct Remains {
    platform::ProcessTree tree;
    std::vector<std::function<void()>> when_gone;
    std::unique_ptr<TreeKiller> killer;
  };
  struct Streams;

  Result<void> launch(const model::StartProcess& effect);
  std::optional<platform::Cgroup> make_group(const model::AgentName& agent,
                                             model::Incarnation incarnation);
  Result<Streams> open_streams(const model::AgentName& agent);
  Result<void> take_charge(const model::AgentName& agent, model::Incarnation incarnation,
                           std::string token_sha256, platform::Fd pidfd, platform::ProcessTree tree,
                           Streams streams, int slots);
  bool adopt_living(const model::AdoptProcess& effect);
  void kill_remains(const model::AgentName& agent, model::Incarnation incarnation,
                    const platform::ProcessIdentity& root, std::function<void()> when_gone);
  void kill_older_copies(const model::AgentName& agent);
  bool kill_left_over(const Leftovers::Key& key, Duration limit);
  void gone(const model::AgentName& agent, model::ExitStatus status);
  Agent* find(const model::AgentName& agent, model::Incarnation incarnation);
  void warn(const model::AgentName& agent, std::string message);

  NodeContext& node_;
  LinkServer& link_;
  Leftovers& leftovers_;
  std::map<model::AgentName, Agent> agents_;
  std::map<Leftovers::Key, Remains> remains_;
};

}  // namespace mainstay::node
