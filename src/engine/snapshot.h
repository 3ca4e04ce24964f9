// An immutable picture of the control loop's state, published for readers on other threads.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/time.h"
#include "model/event.h"
#include "model/fleet.h"

namespace mainstay::engine {

struct Snapshot {
  Wall at{};
  model::Sequence last_sequence = 0;
  std::string fleet_name;
  std::vector<model::AgentStatus> agents;
  std::int64_t queued = 0;
  std::int64_t delayed = 0;
  std::int64_t running = 0;
  std::int64_t open_runs = 0;
  bool storage_writable = true;
  std::string storage_reason;
  bool stopping = false;
  bool stopped = false;
};

}  // namespace mainstay::engine
