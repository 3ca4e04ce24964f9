#include "app/views/work_tables.h"

#include <fmt/format.h>

#include <string_view>

#include "app/views/json_fields.h"
#include "app/views/output.h"
#include "base/printable.h"
#include "base/text.h"
#include "platform/json/json_layout.h"

namespace mainstay::app {
namespace {

using platform::Json;
using platform::JsonArray;

constexpr std::size_t kShownPayload = 400;
constexpr std::size_t kShownValue = 200;

// `python 3.11.2, sdk 0.1.0, no openai`: members with their values, what is empty as missing.
std::string members_text(const Json& object) {
  std::string out;
  if (!object.is_object()) return out;
  for (const auto& [key, value] : object.get_object()) {
    const std::string name(std::string_view{key});
    std::string text =
        value.is_string() ? std::string(value.get_string()) : platform::to_text(value);
    const bool missing = text.empty() || text == "[]" || value.is_null();
    out += (out.empty() ? "" : ", ") +
           (missing ? "no " + name : name + " " + base::excerpt(text, kShownValue));
  }
  return out;
}

void add_error_rows(Table& table, const Json& error) {
  table.row({"error", fmt::format("{} ({})", text_of(error, "message"), text_of(error, "code"))});
  const Json& context = field(error, "context");
  const Json& reported = field(context, "reported");
  const auto row = [&table](const char* name, const std::string& text) {
    if (!text.empty()) table.row({name, text});
  };
  row("hint", text_of(context, "hint"));
  const Json& state = field(reported, "agent");
  row("agent state", members_text(state.is_object() ? state : field(context, "agent_state")));
  const Json& told = field(reported, "environment");
  row("environment", members_text(told.is_object() ? told : field(context, "environment")));
  row("details", members_text(field(reported, "fields")));
}

}  // namespace

std::string item_text(const Json& item, std::string_view text) {
  Table table({"FIELD", "VALUE"});
  for (const char* key : {"id", "state", "description", "capability", "phase", "agent",
                          "created_at", "started_at", "finished_at", "due_at", "idempotency_key"}) {
    if (const std::string value = text_of(item, key); !value.empty()) table.row({key, value});
  }
  table.row({"priority", std::to_string(number_of(item, "priority"))});
  table.row({"attempts", fmt::format("{} of {}", number_of(item, "attempts_used"),
                                     number_of(item, "max_attempts"))});
  if (const Json& step = field(item, "step"); step.is_object()) {
    table.row({"step", fmt::format("{} {} of run {}", text_of(step, "pipeline"),
                                   text_of(step, "stage"), text_of(step, "run"))});
  }
  if (!object_of(item, "labels").empty()) {
    table.row({"labels", members_text(field(item, "labels"))});
  }
  const std::string waiting = text_of(field(item, "waiting"), "sentence");
  if (!waiting.empty()) table.row({"waiting", waiting});
  if (const Json& error = field(item, "error"); error.is_object()) add_error_rows(table, error);
  for (const char* key : {"input", "output"}) {
    const std::string payload =
        platform::compact_json_text(platform::member_text(text, key).value_or("null"));
    if (payload != "null") table.row({key, base::excerpt(payload, kShownPayload)});
  }
  return table.to_text();
}

std::string attempts_text(const JsonArray& attempts) {
  if (attempts.empty()) return "";
  Table table({"ATTEMPT", "AGENT", "STARTED", "OUTCOME", "ERROR"});
  for (const Json& attempt : attempts) {
    const std::string outcome = text_of(attempt, "outcome");
    table.row({std::to_string(number_of(attempt, "epoch")), text_of(attempt, "agent"),
               text_of(attempt, "started_at"), outcome.empty() ? "running" : outcome,
               text_of(field(attempt, "error"), "message")});
  }
  return "\n" + table.to_text();
}

std::string failure_text(const Json& item) {
  const Json& reported = field(field(field(item, "error"), "context"), "reported");
  std::string out;
  for (const char* key : {"traceback", "stderr"}) {
    const std::string text = text_of(reported, key);
    if (!text.empty())
      out += fmt::format("\n{}:\n{}\n", key, base::printable_lines(base::trim(text)));
  }
  return out;
}

}  // namespace mainstay::app
