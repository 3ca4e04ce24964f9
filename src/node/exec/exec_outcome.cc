#include "node/exec/exec_outcome.h"

#include <csignal>
#include <cstring>

#include "base/text.h"
#include "platform/json/json.h"

namespace mainstay::node {
namespace {

constexpr int kTemporary = 75;      // EX_TEMPFAIL
constexpr int kUnavailable = 69;    // EX_UNAVAILABLE
constexpr int kConfiguration = 78;  // EX_CONFIG
constexpr int kCannotRun = 126;     // of the shell
constexpr int kNotFound = 127;      // of the shell
constexpr std::size_t kReasonBytes = 300;

bool is_missing_something(int code) {
  return code == kUnavailable || code == kConfiguration || code == kCannotRun || code == kNotFound;
}

std::string signal_text(int signal) {
  const char* name = ::sigabbrev_np(signal);
  return name != nullptr ? std::string("SIG") + name : std::to_string(signal);
}

std::string how_it_ended(const model::ExitStatus& status) {
  if (status.out_of_memory) return "was killed for lack of memory";
  if (status.signal) {
    return "was ended by " + signal_text(*status.signal) +
           (status.core_dumped ? " (core dumped)" : "");
  }
  if (status.code == kTemporary) return "asked for a retry (exit 75)";
  return "exited with " + (status.code ? std::to_string(*status.code) : std::string("?"));
}

/// The last line that says something.
std::string last_line(std::string_view text) {
  auto lines = base::split(text, '\n');
  for (auto line = lines.rbegin(); line != lines.rend(); ++line) {
    if (!base::trim(*line).empty()) return base::excerpt(base::trim(*line), kReasonBytes);
  }
  return "";
}

// A message names the program alone: its folder may be long, and the context has it whole.
std::string program_of(const std::string& command) {
  return command.substr(command.rfind('/') + 1);
}

// What to do about a process that did not do its work; "" when the error's code says it.
std::string hint_of(const ExecEnd& end) {
  if (end.cancelled || end.too_large) return "";
  if (end.status.out_of_memory) return "give it less at a time, or more with limits.memory";
  const std::string by_hand = "run it by hand with the item's input on stdin";
  if (end.status.clean()) {
    return "it must print one JSON value to stdout and all else to stderr; to try: " + by_hand;
  }
  return end.stderr_tail.empty() ? "it said nothing on stderr; " + by_hand
                                 : "see what it said on stderr; to try: " + by_hand;
}

// The same words as the SDKs use. Between items there is no process, so there is no session.
std::string context_of(const ExecEnd& end, const std::string& command) {
  platform::JsonArray skills(end.skills.begin(), end.skills.end());
  platform::JsonObject context{
      {"agent",
       {{"kind", "exec"}, {"session_active", false}, {"loaded_skills", std::move(skills)}}},
      {"environment",
       {{"command", command}, {"folder", end.folder}, {"python_sdk", end.python_sdk}}}};
  if (end.status.code) context["exit_code"] = *end.status.code;
  if (end.status.signal) context["signal"] = signal_text(*end.status.signal);
  if (end.status.core_dumped) context["core_dumped"] = true;
  if (end.status.out_of_memory) context["out_of_memory"] = true;
  if (!end.stderr_tail.empty()) context["stderr"] = end.stderr_tail;
  if (const std::string hint = hint_of(end); !hint.empty()) context["hint"] = hint;
  return platform::to_text(context);
}

model::WorkError error_of(const ExecEnd& end, const std::string& command, Code code,
                          std::string message, bool permanent) {
  model::WorkError error;
  error.code = base::code_info(code).name;
  error.message = std::move(message);
  error.permanent = permanent;
  error.context_json = context_of(end, command);
  return error;
}

model::WorkError failed_exit(const ExecEnd& end, const std::string& command) {
  std::string message = program_of(command) + " " + how_it_ended(end.status);
  if (std::string last = last_line(end.stderr_tail); !last.empty()) message += ": " + last;
  bool missing = end.status.code && is_missing_something(*end.status.code);
  return error_of(end, command, missing ? Code::environment_invalid : Code::handler_failed,
                  std::move(message), missing);
}

}  // namespace

model::AttemptOutcome outcome_of(ExecEnd end, const std::string& command) {
  model::AttemptOutcome outcome;
  outcome.handler_time = end.time;
  if (end.cancelled) {
    outcome.error = error_of(end, command, Code::cancelled, end.cancel_reason, false);
    outcome.error->kind = model::FailureKind::cancelled;
    return outcome;
  }
  if (end.too_large) {
    outcome.error = error_of(end, command, Code::payload_too_large,
                             program_of(command) + " wrote more than " +
                                 std::to_string(kMaxExecOutput) + " bytes to stdout",
                             true);
    return outcome;
  }
  if (!end.status.clean()) {
    outcome.error = failed_exit(end, command);
    return outcome;
  }
  std::string_view text = base::trim(end.output);
  auto value = platform::parse_json(text);
  if (!value) {
    std::string why = text.empty() ? "nothing" : "no JSON: " + value.error().message();
    outcome.error = error_of(
        end, command, Code::handler_failed,
        program_of(command) + " must print one JSON value to stdout; it printed " + why, false);
    return outcome;
  }
  outcome.output = model::Payload::of(std::string(text));
  return outcome;
}

model::AttemptOutcome outcome_of_start_failure(const Error& error, bool permanent) {
  model::AttemptOutcome outcome;
  outcome.error.emplace();
  outcome.error->kind = permanent ? model::FailureKind::error : model::FailureKind::refused;
  outcome.error->code = error.code_name();
  outcome.error->message = error.message();
  outcome.error->permanent = permanent;
  return outcome;
}

}  // namespace mainstay::node
