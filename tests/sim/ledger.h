// The oracle: what the world outside of the daemon knows for certain, kept apart from all of its
// tables. A contradiction is a violation, named by the invariant it breaks.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/time.h"
#include "model/effect.h"
#include "model/event.h"
#include "model/ids.h"

namespace mainstay::sim {

class Ledger {
 public:
  explicit Ledger(std::uint64_t seed) : seed_(seed) {}

  // What clients were told.
  void acknowledged(const std::string& key, const model::WorkId& id);
  void run_acknowledged(const std::string& key, const model::RunId& id);

  // What was seen to leave the daemon after a commit.
  void assigned(const model::AssignWork& effect);
  void happened(const model::Event& event);
  /// The row of an item that succeeded: its output must be what the agent of its last assignment
  /// gave for that very attempt. `epoch` and `agent` are the row's.
  void result_kept(const model::WorkId& id, const std::string& output, model::Epoch epoch,
                   const model::AgentName& agent);
  void process_started(const model::AgentName& agent, int alive_of_agent, Duration at, int allowed,
                       Duration window);
  void daemon_started() { starts_.clear(); }
  /// Simulated results name the attempt they are of, so that the oracle need not believe a table.
  static std::string output_of(const model::AgentName& agent, model::Epoch epoch);
  static std::string failure_of(const model::AgentName& agent, model::Epoch epoch);

  void require(bool holds, int invariant, const std::string& what);

  const std::map<model::WorkId, std::string>& work() const { return work_; }
  const std::map<model::RunId, std::string>& runs() const { return runs_; }
  const std::vector<std::string>& violations() const { return violations_; }
  /// Reached at least once? A simulation that never sees these is blind.
  std::map<std::string, std::int64_t> sights;

 private:
  void check_failure(const model::Event& event);

  std::uint64_t seed_;
  std::map<std::string, model::WorkId> work_of_key_;
  std::map<std::string, model::RunId> run_of_key_;
  std::map<model::WorkId, std::string> work_;
  std::map<model::RunId, std::string> runs_;
  /// Of each item the newest assignment that left the daemon.
  std::map<model::WorkId, std::pair<model::Epoch, model::AgentName>> assignments_;
  std::set<std::string> succeeded_;
  std::set<std::string> ended_;
  std::map<model::AgentName, std::deque<Duration>> starts_;
  model::Sequence last_seq_ = 0;
  std::vector<std::string> violations_;
};

}  // namespace mainstay::sim
