// Command agents: one process per work item, JSON in on stdin, JSON out on stdout, log lines on
// stderr (FLT-9). For each AssignWork exactly one AttemptFinished is sent, once nothing of the
// process lives any more, also after a cancel. How many run at a time is the control loop's
// decision. Lives on the node's loop thread.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "model/effect.h"
#include "node/exec/exec_outcome.h"
#include "node/output/log_reader.h"
#include "node/process/supervised_process.h"
#include "platform/loop/worker_pool.h"

namespace mainstay::node {

class ExecAgents {
 public:
  /// `blocking`: for checking and storing large outputs.
  ExecAgents(NodeContext& node, platform::WorkerPool& blocking);
  ~ExecAgents();

  void assign(const model::AssignWork& effect);
  void cancel(const model::CancelAttempt& effect);
  /// Cancels all that runs for an agent.
  void cancel_agent(const model::AgentName& agent, const std::string& reason);
  /// Kills all that runs, blocking up to `limit`; nothing is reported any more.
  void kill_all(Duration limit);
  bool has_process(pid_t pid) const;
  std::size_t running() const { return items_.size(); }

 private:
  using Key = std::pair<model::WorkId, model::Epoch>;
  struct Item;

  Result<void> launch(const model::AssignWork& effect, Item* item);
  Result<void> watch(Item* item);
  std::optional<platform::Cgroup> take_group(const model::AgentName& agent, int* slot);
  void give_back_group(Item& item);
  void read_output(const Key& key);
  void cancel_item(Item* item, const std::string& reason);
  void gone(const Key& key, model::ExitStatus status);
  void report(const model::AssignWork& effect, ExecEnd end);

  NodeContext& node_;
  platform::WorkerPool& blocking_;
  std::map<Key, std::unique_ptr<Item>> items_;
  /// Numbers of the groups of an agent that are in use.
  std::map<model::AgentName, std::vector<bool>> slots_;
};

}  // namespace mainstay::node
