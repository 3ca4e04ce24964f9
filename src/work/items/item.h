// A work item as the control loop holds it while it is open: small, since a million may wait.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "base/time.h"
#include "fleet/directory.h"
#include "model/ids.h"
#include "model/work.h"
#include "work/items/indexed_heap.h"

namespace mainstay::work {

/// No such moment.
constexpr Mono kNever = Mono::max();

struct CapabilityQueue;

/// The newest try at an item; kept after its end, until the next one or the item's own end.
struct Attempt {
  model::AgentName agent;
  model::LinkId link = 0;  ///< over which it was assigned; 0: exec agent, or before a restart
  model::Incarnation incarnation = 0;
  std::shared_ptr<const fleet::AgentReport> report;  ///< of the agent, for errors; may be null
  Mono started{};
  Wall started_at{};
  Mono timeout_at = kNever;
  Mono idle_at = kNever;
  /// It was taken off the agent's free slots in this life of the daemon.
  bool holds_slot = false;
  /// Its place in the agent's list of leases.
  std::size_t lease_index = 0;
  double progress = 0;
};

struct Item {
  std::shared_ptr<const model::WorkSpec> spec;
  model::WorkState state = model::WorkState::queued;
  model::Epoch epoch = 0;
  /// The newest epoch whose result was recorded; a repeat of it is acknowledged again.
  model::Epoch accepted_epoch = 0;
  /// Order of acceptance; an item that is tried again keeps its turn.
  std::uint64_t arrival = 0;
  int attempts_used = 0;
  /// Number of the run's step; 0 when not part of a run.
  int step_number = 0;
  std::uint32_t queue_position = kNotInHeap;
  std::uint32_t timer_position = kNotInHeap;
  CapabilityQueue* queue = nullptr;
  Mono deadline = kNever;
  Mono due = kNever;  ///< in state delayed
  Wall due_at{};      ///< the same, for rows
  std::optional<Wall> first_started_at;
  std::unique_ptr<Attempt> attempt;
  std::unique_ptr<model::WorkError> error;
};

/// The items of one capability that may start as soon as an agent is free: by priority (higher
/// first), then deadline (earlier first), then arrival.
struct CapabilityQueue {
  std::string capability;
  IndexedHeap<Item, &Item::queue_position> waiting;
};

inline HeapKey queue_key(const Item& item) {
  constexpr std::uint64_t kNoDeadline = (1ULL << 60U) - 1;
  std::uint64_t deadline = kNoDeadline;
  if (item.spec->deadline) {
    const std::int64_t micros = base::to_micros(*item.spec->deadline);
    deadline = micros < 0 ? 0 : std::min(static_cast<std::uint64_t>(micros), kNoDeadline - 1);
  }
  const auto rank = static_cast<std::uint64_t>(model::kPriorityMax - item.spec->priority);
  return {rank << 60U | deadline, item.arrival};
}

}  // namespace mainstay::work
