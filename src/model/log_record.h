// One line of a log, and the context it was said in (RUN-2).
#pragma once

#include <string>

#include "base/enum_text.h"
#include "base/time.h"

MS_ENUM_TEXT(model, LogLevel, DEBUG, INFO, WARNING, ERROR, CRITICAL)

namespace mainstay::model {

/// Set once per run and step; every logger follows, across threads and processes. Empty fields do
/// not apply. Every member has an initializer, so that `{.run_id = …}` compiles without a warning.
struct LogContext {
  std::string run_id{};
  std::string pipeline{};
  std::string stage{};
  int step = 0;
  std::string component{};
  std::string agent{};
  std::string work_id{};
  std::string trace_id{};
};

struct LogRecord {
  Wall at{};
  LogLevel level = LogLevel::INFO;
  std::string message;
  /// JSON object text, or empty.
  std::string fields;
  LogContext context;
};

/// A finished span (OpenTelemetry's data model, as far as files need it).
struct SpanRecord {
  std::string trace_id;  ///< 32 hex digits
  std::string span_id;   ///< 16 hex digits
  std::string parent_id;
  std::string name;
  Wall started_at{};
  Wall finished_at{};
  bool failed = false;
  std::string status_message;
  std::string attributes;  ///< JSON object text
  std::string events;      ///< JSON array text, or empty
  LogContext context;
};

}  // namespace mainstay::model
