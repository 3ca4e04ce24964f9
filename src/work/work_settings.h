// What the operator may set about work (mainstay.yaml, `work.…`).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/time.h"
#include "model/work.h"

namespace mainstay::work {

struct WorkSettings {
  /// Of one attempt, for items that name none; zero: no limit.
  Duration default_timeout = std::chrono::minutes(10);
  Duration default_idle_timeout{0};
  /// For items whose policy is RetryPolicy's own default.
  model::RetryPolicy default_retry;
  /// Items that may wait (queued and delayed) before new ones are refused as overloaded.
  std::int64_t max_queued = 1'000'000;
  /// Bytes of the inputs of open items and runs, beyond which new ones are refused as overloaded.
  std::uint64_t max_open_input = std::uint64_t{1} << 30U;
  /// The phases that items may name.
  std::vector<std::string> phases;
};

/// A start of an agent, and any before it, is gone.
struct AgentLoss {
  model::AgentName agent;
  model::Incarnation incarnation = 0;
  std::string reason;
  /// The operator stops it: what it held goes back and does not count.
  bool orderly = false;
};

/// How an attempt ended, for the health of its agent.
struct AttemptReport {
  model::AgentName agent;
  bool ok = true;
  std::string error;
  /// It did not stop a cancelled attempt in time; only a restart frees its slot.
  bool stuck = false;
};

}  // namespace mainstay::work
