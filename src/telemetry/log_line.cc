#include "telemetry/log_line.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>

#include "base/printable.h"
#include "base/text.h"
#include "platform/json/json.h"

namespace mainstay::telemetry {
namespace {

void add_text(std::string& out, std::string_view key, std::string_view value) {
  if (value.empty()) return;
  out += ",\"";
  out += key;
  out += "\":";
  platform::append_json_string(out, value);
}

void add_raw(std::string& out, std::string_view key, std::string_view json) {
  if (json.empty()) return;
  out += ",\"";
  out += key;
  out += "\":";
  out += json;
}

void add_context(std::string& out, const model::LogContext& context) {
  add_text(out, "run_id", context.run_id);
  add_text(out, "pipeline", context.pipeline);
  add_text(out, "stage", context.stage);
  if (context.step > 0) add_raw(out, "step", fmt::format("{}", context.step));
  add_text(out, "agent", context.agent);
  add_text(out, "work_id", context.work_id);
}

std::string_view colour_of(model::LogLevel level) {
  switch (level) {
    case model::LogLevel::DEBUG:
      return "\x1b[2m";
    case model::LogLevel::INFO:
      return "";
    case model::LogLevel::WARNING:
      return "\x1b[33m";
    case model::LogLevel::ERROR:
      return "\x1b[31m";
    case model::LogLevel::CRITICAL:
      return "\x1b[1;31m";
  }
  return "";
}

// Control characters of a message must not reach a terminal (faults H10).
void add_printable(std::string& out, std::string_view text) {
  std::string line(text);
  std::replace_if(
      line.begin(), line.end(), [](char c) { return c == '\n' || c == '\t'; }, ' ');
  out += base::printable(line);
}

}  // namespace

std::string to_json_line(const model::LogRecord& record) {
  std::string out;
  out.reserve(256 + record.message.size() + record.fields.size());
  out += R"({"timestamp":")";
  out += base::wall_to_text(record.at);
  out += R"(","level":")";
  out += to_text(record.level);
  out += '"';
  add_text(out, "component",
           record.context.component.empty() ? "unknown" : record.context.component);
  out += R"(,"message":)";
  platform::append_json_string(out, record.message);
  add_context(out, record.context);
  add_text(out, "trace_id", record.context.trace_id);
  add_raw(out, "fields", record.fields);
  out += "}\n";
  return out;
}

std::string to_console_line(const model::LogRecord& record, bool colour) {
  const std::string_view paint = colour ? colour_of(record.level) : std::string_view();
  std::string out(paint);
  out += base::wall_to_text(record.at).substr(11, 12);
  out += fmt::format(" {:<8}", to_text(record.level));
  if (!record.context.agent.empty()) out += base::printable(record.context.agent) + " ";
  if (!record.context.component.empty()) out += base::printable(record.context.component) + ": ";
  add_printable(out, record.message);
  if (!record.fields.empty() && record.fields != "{}") {
    out += ' ';
    add_printable(out, record.fields);
  }
  if (!paint.empty()) out += "\x1b[0m";
  out += '\n';
  return out;
}

std::string to_json_line(const model::SpanRecord& span) {
  std::string out = R"({"trace_id":)";
  platform::append_json_string(out, span.trace_id);
  add_text(out, "span_id", span.span_id);
  add_text(out, "parent_id", span.parent_id);
  add_text(out, "name", span.name);
  add_text(out, "start", base::wall_to_text(span.started_at));
  add_text(out, "end", base::wall_to_text(span.finished_at));
  const double ms =
      std::chrono::duration<double, std::milli>(span.finished_at - span.started_at).count();
  add_raw(out, "duration_ms", fmt::format("{:.3f}", ms));
  add_text(out, "status", span.failed ? "error" : "ok");
  add_text(out, "status_message", span.status_message);
  add_context(out, span.context);
  add_raw(out, "attributes", span.attributes.empty() ? "{}" : std::string_view(span.attributes));
  add_raw(out, "events", span.events);
  out += "}\n";
  return out;
}

}  // namespace mainstay::telemetry
