#include "runs/logs/event_line.h"

#include <fmt/format.h>

#include <string>
#include <string_view>

#include "platform/json/json.h"

namespace mainstay::runs {
namespace {

using platform::JsonObject;

std::string text_of(const JsonObject& body, std::string_view key) {
  const auto* value = body.if_contains(key);
  if (value == nullptr) return {};
  return value->is_string() ? std::string(value->get_string()) : platform::to_text(*value);
}

int number_of(const JsonObject& body, std::string_view key) {
  const auto* value = body.if_contains(key);
  return value != nullptr && value->is_int64() ? static_cast<int>(value->get_int64()) : 0;
}

std::string error_message_of(const JsonObject& body) {
  const auto* error = body.if_contains("error");
  if (error == nullptr) return {};
  if (error->is_string()) return std::string(error->get_string());
  return error->is_object() ? text_of(error->get_object(), "message") : std::string();
}

// What went wrong is an error where it ends something, and a warning where it is tried again.
model::LogLevel level_of(std::string_view kind, const JsonObject& body) {
  const std::string state = text_of(body, "state");
  if (kind == "work.failed" || kind == "work.timed_out" || kind == "agent.failed") {
    return model::LogLevel::ERROR;
  }
  if (kind == "run.finished" || kind == "step.finished") {
    if (state == "failed" || state == "timed_out") return model::LogLevel::ERROR;
    return state == "degraded" ? model::LogLevel::WARNING : model::LogLevel::INFO;
  }
  if (kind == "work.retrying" || kind == "work.stale_result" || kind == "work.cancelled" ||
      kind == "step.stage_error" || kind == "agent.exited" || kind == "agent.stale_results" ||
      kind == "agent.unserved" ||
      (kind == "agent.state_changed" && (state == "unhealthy" || state == "degraded"))) {
    return model::LogLevel::WARNING;
  }
  return kind.starts_with("work.") ? model::LogLevel::DEBUG : model::LogLevel::INFO;
}

std::string message_of(const model::Event& event, const JsonObject& body) {
  std::string message = event.kind;
  for (char& c : message) c = c == '.' || c == '_' ? ' ' : c;
  const std::string stage = text_of(body, "stage");
  if (!stage.empty()) message += " " + stage;
  if (event.kind.starts_with("agent.")) message += " " + event.subject;
  if (const std::string state = text_of(body, "state"); !state.empty()) message += ": " + state;
  for (const char* key : {"reason", "cause"}) {
    if (const std::string text = text_of(body, key); !text.empty()) message += ": " + text;
  }
  if (const std::string error = error_message_of(body); !error.empty()) message += ": " + error;
  return message;
}

}  // namespace

EventLine line_of(const model::Event& event) {
  EventLine line;
  const auto parsed = platform::parse_json_object(event.body.empty() ? "{}" : event.body);
  const JsonObject body = parsed ? *parsed : JsonObject{};
  model::LogRecord& record = line.record;
  record.at = event.at;
  record.level = level_of(event.kind, body);
  record.message = message_of(event, body);
  record.context.component = "orchestrator";
  record.context.run_id = text_of(body, "run_id");
  record.context.pipeline = text_of(body, "pipeline");
  record.context.stage = text_of(body, "stage");
  record.context.step = number_of(body, "step");
  record.context.agent = text_of(body, "agent");
  record.context.trace_id = text_of(body, "trace_id");
  if (event.kind.starts_with("run.") || event.kind.starts_with("step.")) {
    record.context.run_id = event.subject;
  }
  if (event.kind.starts_with("work.")) record.context.work_id = event.subject;
  if (event.kind.starts_with("agent.")) record.context.agent = event.subject;
  JsonObject fields = body;
  for (const char* key : {"run_id", "pipeline", "stage", "step", "agent", "trace_id"}) {
    fields.erase(key);
  }
  fields["seq"] = event.seq;
  fields["event"] = event.kind;
  record.fields = platform::to_text(fields);
  if (const auto* usage = body.if_contains("usage"); usage != nullptr && record.context.step > 0) {
    model::LogRecord metrics = record;
    metrics.level = model::LogLevel::INFO;
    metrics.context.component = "metrics";
    metrics.message = "usage";
    metrics.fields = platform::to_text(*usage);
    line.metrics = std::move(metrics);
  }
  return line;
}

}  // namespace mainstay::runs
