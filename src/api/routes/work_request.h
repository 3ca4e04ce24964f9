// What a client sends to submit work, to start a run, or to register an agent: JSON in, a command's
// content out, or one Error that names every field that is wrong (WRK-1). The control loop checks
// again what needs its state (is there such a pipeline, can anyone ever serve the capability).
//
// Pure: no clock, no I/O.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "model/input.h"
#include "model/work.h"

namespace mainstay::api {

struct RequestContext {
  /// The setting work.phases.
  std::vector<std::string> phases;
  /// Header `Idempotency-Key`; empty: none.
  std::string idempotency_key;
  /// Header `traceparent`; empty: none, or not valid.
  std::string trace_parent;
  Wall now{};
};

/// Items in one batch.
constexpr std::size_t kMaxBatch = 1000;

/// A work item. `work_invalid` with a field each; `invalid_argument` when it is not a JSON object.
Result<model::WorkSpec> parse_work_request(std::string_view body, const RequestContext& context);

/// {"work": [item, …]}; fields are named `work[3].priority`.
Result<std::vector<model::WorkSpec>> parse_work_batch(std::string_view body,
                                                      const RequestContext& context);

/// {"pipeline", "input", "labels", "idempotency_key"}.
Result<model::StartRun> parse_run_request(std::string_view body, const RequestContext& context);

/// {"name", "endpoint", "capabilities", "labels", "lease"}.
Result<model::RegisterAgent> parse_register_request(std::string_view body);
/// {"lease"} or nothing.
Result<Duration> parse_renew_request(std::string_view body);
/// {"reason"} or nothing.
Result<std::string> parse_cancel_request(std::string_view body);

}  // namespace mainstay::api
