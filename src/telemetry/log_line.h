// One log record as one line: JSON for files (`jq` reads it), or readable for people.
#pragma once

#include <string>

#include "model/log_record.h"

namespace mainstay::telemetry {

/// `{"timestamp":"2026-…Z","level":"INFO","component":"adapter","message":"…",…}` and a newline.
/// Context fields that do not apply are left out; `fields` is kept as an object.
std::string to_json_line(const model::LogRecord& record);

/// `10:14:39.123 WARNING analyst-1 adapter: message key=value` and a newline; with terminal colours
/// by level when `colour`.
std::string to_console_line(const model::LogRecord& record, bool colour);

/// `{"trace_id":…,"span_id":…,"parent_id":…,"name":…,"start":…,"end":…,"duration_ms":…,
/// "status":"ok"|"error","attributes":{…},"events":[…]}` and a newline.
std::string to_json_line(const model::SpanRecord& span);

}  // namespace mainstay::telemetry
