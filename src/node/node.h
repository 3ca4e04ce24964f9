// The node: carries out on this machine what the control loop decided, and tells it what happened.
//
// Effects come in by apply() and go to the agent link (at once, on the caller's thread) or to the
// node's own thread, which owns every process, FIFO, pipe and timer of the agents. Facts and log
// records go out through the sinks. Every effect is idempotent.
//
// Lifetime: start() takes stock of what a former daemon left and kills its command agents'
// processes; link agents wait to be adopted. stop() kills what command agents run and leaves link
// agents alone: they were stopped by effects, or are to be adopted by the next daemon.
// Threads: every function from any thread but the node's own. Fails: start(), when the data folder
// or the loop cannot be had.
#pragma once

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "base/result.h"
#include "model/effect.h"
#include "node/exec/exec_agents.h"
#include "node/link/link.h"
#include "node/node_context.h"
#include "node/process/leftovers.h"
#include "node/process/process_agents.h"

namespace mainstay::node {

/// For `mainstay doctor` and metrics.
struct NodeStatus {
  platform::KillMethod kill_method = platform::KillMethod::process_tree;
  /// Where cgroups are made, or why they cannot be used.
  std::string kill_method_reason;
  std::uint64_t processes_started = 0;
  std::uint64_t log_lines = 0;
  std::uint64_t truncated_lines = 0;
  /// Of agents that wrote more than they may.
  std::uint64_t dropped_lines = 0;
  std::uint64_t orphans_reaped = 0;
};

class Node {
 public:
  /// `link` must outlive the node.
  static Result<std::unique_ptr<Node>> start(NodeOptions options, LinkServer& link,
                                             NodeSinks sinks);
  ~Node();
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;

  void apply(std::vector<model::Effect> effects);
  /// Call once the control loop has given out the adoptions of a restart: link agents of a former
  /// daemon that nobody adopted are killed.
  void kill_unclaimed();
  /// The last resort when the control loop cannot stop the fleet: kills every process of it, also
  /// what a former daemon left, and carries out no effect from there on. Blocks, at most for some
  /// seconds; false when something withstands SIGKILL. The loop is not told: its next daemon finds
  /// them gone.
  bool kill_all();
  /// No sink is called after it returns. Idempotent.
  void stop();

  NodeStatus status() const;

 private:
  Node(NodeOptions options, LinkServer& link, NodeSinks sinks,
       std::unique_ptr<platform::Reactor> reactor);
  Result<void> prepare();
  void find_groups();
  void remember_groups();
  void take_stock();
  void run();
  void reap_orphans_and_again();
  void mark_dropped_lines();
  void mark_dropped_lines_and_again();
  void warn(std::string message, const model::AgentName& agent = {});

  void carry_out(const model::Effect& effect);
  bool kill_all_here();

  NodeOptions options_;
  LinkServer& link_;
  NodeSinks sinks_;
  NodeCounters counters_;
  std::unique_ptr<platform::Reactor> reactor_;
  platform::WorkerPool blocking_;
  NodeContext context_;
  std::string kill_method_reason_;
  Leftovers leftovers_;
  ProcessAgents processes_;
  ExecAgents execs_;
  /// Everything was killed; nothing is started any more. The node's thread only.
  bool killed_ = false;
  std::thread thread_;
};

}  // namespace mainstay::node
