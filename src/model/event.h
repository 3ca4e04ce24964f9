// A line of the journal: what happened, once it is durable. Everything that "also needs to know"
// listens to these, in commit order.
//
// Kinds (subject; body): fleet.loaded (fleet name), agent.starting|started|ready|state_changed|
// exited|failed|unserved|registered|removed|stale_results (agent name),
// work.accepted|started|retrying|succeeded|failed| timed_out|cancelled|stale_result (work id),
// run.started|finished (run id), step.started|finished|stage_error (run id; body has stage),
// run.archived (run id).
//
// Members of work.* bodies: always trace_id; run_id, pipeline, stage, index and step (its number)
// when the item belongs to a run; agent, epoch and attempt when one is meant; duration_ms on an
// attempt's end; error {kind, code, message, permanent} where there is one; usage {prompt_tokens,
// completion_tokens, total_tokens, llm_requests, api_calls, model} on an attempt's end, if any.
// run.* and step.*: pipeline, trace_id, span_id, parent_span_id; state, duration_ms, error at the
// end; step.*: stage, step, and at the end items_total, items_done, items_failed, retries, usage.
// step.stage_error (a fail-soft stage or item failed, WRK-8): stage, step, index, error.
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
