#include "work/failure.h"

#include <algorithm>

#include "base/text.h"
#include "platform/json/json.h"
#include "work/event_body.h"

namespace mainstay::work {
namespace {

constexpr std::size_t kDescriptionExcerpt = 120;
constexpr std::size_t kMaxCode = 128;
constexpr std::size_t kMaxMessage = 8UL * 1024;
constexpr std::size_t kMaxReported = 64UL * 1024;
constexpr std::size_t kMaxHint = 400;
/// Named in an error; the rest are counted.
constexpr std::size_t kMaxSkills = 32;
constexpr std::string_view kPlainTimeoutHint =
    "raise the item's timeout, or report progress against the idle timeout";

EventBody item_context(const Item& item, std::string_view hint) {
  const model::WorkSpec& spec = *item.spec;
  EventBody body;
  body.id("work_id", spec.id.bytes());
  body.text("description", base::excerpt(spec.description, kDescriptionExcerpt));
  body.text("capability", spec.capability);
  if (!spec.phase.empty()) body.text("phase", spec.phase);
  if (item.attempt) body.text("agent", item.attempt->agent).number("epoch", item.epoch);
  body.number("attempt", item.attempts_used);
  body.number("max_attempts", spec.retry.max_attempts);
  body.work(spec, item.step_number);
  if (!hint.empty()) body.text("hint", hint);
  return body;
}

/// What to do about it. The hint of a timeout is for stages; a plain item has its own way to say
/// it.
std::string_view hint_of(std::string_view code, const Item& item) {
  if (code == base::code_info(Code::attempt_timeout).name && !item.spec->step) {
    return kPlainTimeoutHint;
  }
  const auto found = std::find_if(base::kCodes.begin(), base::kCodes.end(),
                                  [code](const base::CodeInfo& info) { return info.name == code; });
  return found == base::kCodes.end() ? base::code_info(Code::handler_failed).hint : found->hint;
}

std::string text_in(const platform::JsonObject& context, std::string_view key) {
  const platform::Json* found = context.if_contains(key);
  return found != nullptr && found->is_string() ? std::string(found->get_string()) : std::string();
}

/// What is known of a failure in the agent's own code: a hint must not point to what is not there.
std::string handler_hint(const platform::JsonObject& context, const Item& item) {
  if (!text_in(context, "traceback").empty()) return "the error's context has the traceback";
  if (!text_in(context, "stderr").empty()) return "the error's context has what it said on stderr";
  if (!item.attempt) return std::string(base::code_info(Code::handler_failed).hint);
  return "the agent told no more; see its lines: `mainstay logs tail --agent " +
         item.attempt->agent + "`";
}

/// What the agent says to do about it, since it knows better than a code's page; else by the code.
/// Codes that Mainstay does not know are names of exceptions in the agent's code.
std::string reported_hint(std::string_view code, std::string_view json, const Item& item) {
  const auto parsed = json.empty() || json.size() > kMaxReported
                          ? Result<platform::JsonObject>(platform::JsonObject())
                          : platform::parse_json_object(json);
  const platform::JsonObject context = parsed ? *parsed : platform::JsonObject();
  if (const std::string said = text_in(context, "hint"); !said.empty()) {
    return base::excerpt(said, kMaxHint);
  }
  const auto found = std::find_if(base::kCodes.begin(), base::kCodes.end(),
                                  [code](const base::CodeInfo& info) { return info.name == code; });
  const bool is_handlers =
      found == base::kCodes.end() || code == base::code_info(Code::handler_failed).name;
  return is_handlers ? handler_hint(context, item) : std::string(hint_of(code, item));
}

/// Whether there is a session with this start of the agent now.
std::string_view session_of(const Attempt& attempt, const fleet::AgentView* agent) {
  if (attempt.report && attempt.report->kind == model::AgentKind::exec) {
    return "none: a process per item";
  }
  const bool same = agent != nullptr && agent->incarnation == attempt.incarnation;
  return same && agent->link != 0 ? "active" : "lost";
}

std::string agent_state(const Attempt& attempt, const fleet::AgentView* agent) {
  EventBody body;
  body.word("session", session_of(attempt, agent)).number("incarnation", attempt.incarnation);
  if (agent != nullptr && agent->incarnation == attempt.incarnation) {
    body.number("slots", agent->slots).number("busy", agent->busy);
  }
  if (attempt.progress > 0) {
    body.raw("progress", platform::to_text(platform::Json(attempt.progress)));
  }
  if (!attempt.report) return std::move(body).take();
  const std::vector<std::string>& all = attempt.report->skills;
  const std::size_t named = std::min(all.size(), kMaxSkills);
  std::string skills = "[";
  for (std::size_t i = 0; i < named; ++i) {
    if (i > 0) skills += ',';
    platform::append_json_string(skills, all[i]);
  }
  body.raw("skills", skills + "]");
  if (all.size() > named) {
    body.number("more_skills", static_cast<std::int64_t>(all.size() - named));
  }
  return std::move(body).take();
}

/// `python 0.1.0 (3.11.2)` as {"sdk", "sdk_available", "python"}.
std::string environment_of(const fleet::AgentReport* report) {
  EventBody body;
  if (report == nullptr || report->sdk.empty()) {
    const bool command = report != nullptr && report->kind == model::AgentKind::exec;
    body.boolean("sdk_available", false);
    body.text("sdk", command ? "none: a command" : "unknown: no hello since the daemon's start");
    return std::move(body).take();
  }
  const std::string_view sdk = report->sdk;
  const std::size_t runtime = sdk.find(" (");
  body.boolean("sdk_available", true).text("sdk", sdk.substr(0, runtime));
  if (runtime == std::string_view::npos) return std::move(body).take();
  const std::string_view version = sdk.substr(runtime + 2, sdk.size() - runtime - 3);
  body.text(sdk.starts_with("python ") ? "python" : "runtime", version);
  return std::move(body).take();
}

/// What the agent sent as context, if it can be embedded: it is not ours, so it is checked.
void add_reported(EventBody& body, std::string_view json) {
  if (json.empty()) return;
  if (json.size() > kMaxReported) {
    body.text("reported_omitted", "the agent's context was over 64 KiB");
  } else if (platform::parse_json_object(json)) {
    body.raw("reported", json);
  } else {
    body.text("reported_text", json);
  }
}

}  // namespace

model::WorkError failure(model::FailureKind kind, Code code, std::string message, const Item& item,
                         const fleet::AgentView* agent) {
  model::WorkError error;
  error.kind = kind;
  error.code = std::string(base::code_info(code).name);
  error.message = std::move(message);
  EventBody body = item_context(item, hint_of(error.code, item));
  if (item.attempt && item.attempt->incarnation > 0) {
    body.raw("agent_state", agent_state(*item.attempt, agent));
    body.raw("environment", environment_of(item.attempt->report.get()));
  }
  error.context_json = std::move(body).take();
  return error;
}

model::WorkError reported_failure(model::WorkError reported, const Item& item) {
  if (reported.code.empty()) reported.code = base::code_info(Code::handler_failed).name;
  if (reported.code.size() > kMaxCode) reported.code = base::excerpt(reported.code, kMaxCode);
  if (reported.message.empty()) reported.message = "the agent gave no message";
  if (reported.message.size() > kMaxMessage) {
    reported.message = base::excerpt(reported.message, kMaxMessage);
  }
  EventBody body = item_context(item, reported_hint(reported.code, reported.context_json, item));
  add_reported(body, reported.context_json);
  reported.context_json = std::move(body).take();
  return reported;
}

model::WorkError stage_failure(const Error& error, const model::RunId& run,
                               std::string_view pipeline, std::string_view stage) {
  EventBody body;
  body.id("run_id", run.bytes()).text("pipeline", pipeline);
  if (!stage.empty()) body.text("stage", stage);
  for (const auto& [key, value] : error.fields()) body.text(key, value);
  body.text("hint", error.hint());
  model::WorkError failed;
  failed.code = std::string(error.code_name());
  failed.message = error.message();
  failed.permanent = !error.retryable();
  failed.context_json = std::move(body).take();
  return failed;
}

std::string stage_error_output(std::string_view stage, const model::WorkError& error) {
  EventBody body;
  body.boolean("_stage_error", true).text("stage", stage).error("error", error);
  return std::move(body).take();
}

}  // namespace mainstay::work
