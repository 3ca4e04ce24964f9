// A line of the journal: what happened, once it is durable. Everything that "also needs to know"
// listens to these, in commit order.
//
// Kinds (subject; body): fleet.loaded, agent.starting|ready|state_changed|exited|failed (agent
// name), work.accepted|started|retrying|succeeded|failed|timed_out|cancelled|stale_result (work
// id), run.started|finished (run id), step.started|finished (run id; body has stage),
// run.archived (run id).
#pragma once

#include <cstdint>
#include <string>

#include "base/time.h"

namespace mainstay::model {

using Sequence = std::int64_t;

struct Event {
  /// Position in the journal, from 1, without gaps; given by the control loop.
  Sequence seq = 0;
  Wall at{};
  std::string kind;
  std::string subject;
  /// JSON object text.
  std::string body;
};

}  // namespace mainstay::model
