// W3C Trace Context, as far as work needs it: every item and run belongs to a trace, and each step
// of a run is a span of it (WRK-9). https://www.w3.org/TR/trace-context/#traceparent-header
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/random.h"
#include "model/ids.h"

namespace mainstay::work {

struct TraceParent {
  std::string_view trace_id;  ///< 32 hex digits
  std::string_view span_id;   ///< 16 hex digits
};

/// Version 00 with lower-case digits and ids that are not all zero; nullopt for anything else.
/// Views into `text`.
std::optional<TraceParent> parse_trace_parent(std::string_view text);

/// The trace id of a traceparent known to be valid; empty when it is not.
std::string_view trace_id_of(std::string_view trace_parent);

std::string make_trace_parent(base::Random& random);
std::string make_trace_parent(std::string_view trace_id, std::string_view span_id);

/// The span of a run's stage, or of the run itself (stage empty): the first 16 digits of the
/// SHA-256 of `RUN_ID/STAGE`. Always the same for the same run, so it needs no row, and the run's
/// folder derives it again.
std::string span_id_of(const model::RunId& run, std::string_view stage);

}  // namespace mainstay::work
