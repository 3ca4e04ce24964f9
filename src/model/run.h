// A run: one execution of a pipeline; its steps: one per stage.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>

#include "base/enum_text.h"
#include "base/time.h"
#include "model/ids.h"
#include "model/payload.h"
#include "model/pipeline.h"
#include "model/usage.h"
#include "model/work.h"

// degraded: it finished, and at least one fail-soft stage or item failed.
MS_ENUM_TEXT(model, RunState, running, succeeded, degraded, failed, timed_out, cancelled)

// waiting: for its needs. skipped: `when` did not hold, or a critical stage before it failed.
// degraded: fail-soft, and it or some of its items failed.
MS_ENUM_TEXT(model, StepState, waiting, running, succeeded, degraded, failed, skipped, cancelled)

namespace mainstay::model {

inline bool is_terminal(RunState s) { return s != RunState::running; }
inline bool is_terminal(StepState s) { return s > StepState::running; }

struct RunSpec {
  RunId id;
  std::shared_ptr<const PipelineSpec> pipeline;
  Payload input;
  std::map<std::string, std::string> labels;
  std::string idempotency_key;
  std::string request_sha256;
  /// W3C traceparent of the run's root span.
  std::string trace_parent;
  Wall created_at{};
};

struct RunStatus {
  RunState state = RunState::running;
  std::optional<Wall> finished_at;
  std::optional<WorkError> error;
  /// Once it succeeded or ended degraded: object of stage -> output, of the stages that no other
  /// stage needs.
  Payload output;
};

struct StepStatus {
  std::string stage;
  /// Order of first start, from 1; 0 while it has not started. Names the log folder step_001.
  int number = 0;
  StepState state = StepState::waiting;
  std::int64_t items_total = 0;
  /// That succeeded; failed ones are not among them.
  std::int64_t items_done = 0;
  std::int64_t items_failed = 0;
  std::int64_t retries = 0;
  std::optional<Wall> started_at;
  std::optional<Wall> finished_at;
  Usage usage;
  std::optional<WorkError> error;
};

}  // namespace mainstay::model
