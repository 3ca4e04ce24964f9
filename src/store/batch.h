// What the control loop hands to the store: one turn's changes, kept or not kept as a whole.
#pragma once

#include <functional>
#include <vector>

#include "model/event.h"
#include "model/row.h"

namespace mainstay::store {

struct Batch {
  std::vector<model::Row> rows;
  std::vector<model::Event> events;
  /// Called once when the batch is durable, in the order of the batches; may be empty. On the
  /// writer's thread (inline mode: in commit() or retry()), so it must be quick. Never called for a
  /// batch that was still waiting when the store was closed.
  std::function<void()> on_durable;
};

}  // namespace mainstay::store
