// Which attempts each agent holds: those that run, and those that were told to stop and have not
// said that they did. The latter keep their slot: an agent whose handler still runs is not free,
// whatever we want. Only its word, or its end, frees it.
#pragma once

#include <cstddef>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/time.h"
#include "model/ids.h"
#include "work/items/item.h"

namespace mainstay::work {

/// An attempt that is over for us and perhaps not for its agent.
struct Stopping {
  model::WorkId work;
  model::Epoch epoch = 0;
  model::AgentName agent;
  model::Incarnation incarnation = 0;
  bool holds_slot = false;
};

class Leases {
 public:
  /// An agent that does not stop an attempt in this time is reported, once an attempt.
  static constexpr Duration kStopGrace = std::chrono::seconds(30);

  /// item.attempt is set and runs.
  void add(Item& item);
  void remove(Item& item);
  /// The attempt ended by our will: its slot stays taken until the agent confirms.
  void stop(const Item& item, Now now);
  /// An attempt that the agent says it holds, and that is not ours (any more).
  void stop(Stopping attempt, Now now);

  /// Takes out the attempt if it was being stopped; nullopt when it was not.
  std::optional<Stopping> confirmed(const model::AgentName& agent, const model::WorkId& work,
                                    model::Epoch epoch);
  bool is_stopping(const model::WorkId& work, model::Epoch epoch) const;
  /// Takes out all of the agent's stopping attempts for which `which` holds.
  std::vector<Stopping> drop(const model::AgentName& agent,
                             const std::function<bool(const Stopping&)>& which);
  /// The running items of an agent, in no stated but always the same order.
  std::vector<Item*> running_of(const model::AgentName& agent) const;

  std::optional<Mono> next_overdue() const;
  /// The next attempt whose grace is over.
  std::optional<Stopping> pop_overdue(Mono now);

  std::size_t running() const { return running_; }
  std::size_t stopping() const { return stopping_.size(); }

 private:
  using Key = std::pair<model::WorkId, model::Epoch>;

  std::map<model::AgentName, std::vector<Item*>, std::less<>> by_agent_;
  std::map<Key, Stopping> stopping_;
  std::deque<std::pair<Mono, Key>> overdue_;  // by time: the grace is the same for all
  std::size_t running_ = 0;
};

}  // namespace mainstay::work
