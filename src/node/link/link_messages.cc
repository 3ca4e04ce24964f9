#include "node/link/link_messages.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/text.h"
#include "base/uuid.h"
#include "model/request_text.h"
#include "node/link/link.h"
#include "platform/crypto.h"
#include "platform/json/json.h"

namespace mainstay::node {
namespace {

constexpr std::size_t kMaxMessage = std::size_t{64} << 10;
constexpr std::size_t kMaxErrorMessage = std::size_t{8} << 10;
constexpr std::size_t kMaxCode = 128;
constexpr std::size_t kMaxShortText = 256;
constexpr int kMaxUsages = 256;
constexpr int kMaxCapabilities = 1024;
constexpr int kMaxHeld = 65'536;
constexpr int kMaxSlots = 4096;
/// 9999-12-31T23:59:59.999999Z, the last moment RFC 3339 can say.
constexpr std::int64_t kMaxMicros = 253'402'300'799'999'999;

std::string name_or(const std::string& text, std::string_view otherwise) {
  return base::is_valid_name(text) ? text : std::string(otherwise);
}

std::string uuid_or_empty(const std::string& text) {
  return base::uuid_from_text(text) ? text : std::string();
}

std::string hex_or_empty(const std::string& text, std::size_t digits) {
  auto is_hex = [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); };
  bool good = text.size() == digits && std::all_of(text.begin(), text.end(), is_hex);
  return good ? text : std::string();
}

Wall wall_of(std::int64_t micros) {
  return base::wall_from_micros(std::clamp<std::int64_t>(micros, 0, kMaxMicros));
}

/// The text when it is a JSON object (or array) of sensible size; else the text as a string inside
/// an object, so that nothing is lost and everything can be parsed.
std::string object_text(const std::string& text) {
  if (text.empty()) return {};
  if (text.size() <= kMaxMessage && platform::parse_json_object(text)) return text;
  std::string wrapped = "{\"unparsed\":";
  platform::append_json_string(wrapped, base::excerpt(text, kMaxMessage));
  return wrapped + "}";
}

std::string array_text(const std::string& text) {
  if (text.empty() || text.size() > kMaxMessage) return {};
  auto parsed = platform::parse_json(text);
  return parsed && parsed->is_array() ? text : std::string();
}

std::string work_id_text(const std::string& raw) {
  auto id = model::WorkId::from_bytes(raw);
  return id ? id->to_text() : std::string();
}

model::FailureKind kind_of(const std::string& text) {
  auto kind = base::parse_enum<model::FailureKind>(text);
  bool may_say = kind == model::FailureKind::refused || kind == model::FailureKind::cancelled;
  return may_say ? *kind : model::FailureKind::error;
}

model::WorkError work_error_of(const wire::Failure& failure) {
  model::WorkError error;
  error.kind = kind_of(failure.kind());
  error.code = failure.code().empty() ? "handler_failed" : base::excerpt(failure.code(), kMaxCode);
  error.message = base::excerpt(failure.message(), kMaxErrorMessage);
  error.permanent = failure.permanent();
  error.context_json = object_text(failure.context_json());
  return error;
}

model::WorkError bad_output(std::string code, std::string message, bool permanent) {
  return {model::FailureKind::error, std::move(code), std::move(message), permanent, {}};
}

/// What is wrong with an output, if anything.
std::optional<model::WorkError> output_error(const std::string& output) {
  if (output.size() > kMaxLinkPayloadBytes) {
    return bad_output("payload_too_large",
                      "the output has " + std::to_string(output.size()) + " bytes; at most " +
                          std::to_string(kMaxLinkPayloadBytes) + " are taken",
                      true);
  }
  auto parsed = platform::parse_json(output);
  if (parsed) return std::nullopt;
  return bad_output("handler_failed", "the output is not valid JSON: " + parsed.error().message(),
                    false);
}

/// No attempt uses more; sums over all attempts that a database can hold stay in range.
constexpr std::int64_t kMaxUsageCount = 1'000'000'000'000;

std::int64_t count_of(std::int64_t claimed) {
  return std::clamp<std::int64_t>(claimed, 0, kMaxUsageCount);
}

model::Usage usage_of(const wire::Usage& usage) {
  return {base::excerpt(usage.provider(), kMaxShortText),
          base::excerpt(usage.model(), kMaxShortText),
          count_of(usage.prompt_tokens()),
          count_of(usage.completion_tokens()),
          count_of(usage.cached_tokens()),
          count_of(usage.reasoning_tokens()),
          count_of(usage.llm_requests()),
          count_of(usage.api_calls())};
}

Error invalid(std::string_view field, const std::string& message) {
  return Error(Code::invalid_argument, message).with("field", std::string(field));
}

/// Works for LogLine and Span, which say the same about where they belong.
template <class Said>
model::LogContext context_of(const Said& said, const model::AgentName& agent) {
  model::LogContext context;
  context.run_id = uuid_or_empty(said.run_id());
  context.pipeline = name_or(said.pipeline(), "");
  context.stage = name_or(said.stage(), "");
  context.step = std::max(said.step(), 0);
  context.agent = agent;
  context.work_id = work_id_text(said.work_id());
  context.trace_id = hex_or_empty(said.trace_id(), 32);
  return context;
}

Result<Duration> duration_of(std::int64_t millis, std::string_view field) {
  constexpr std::int64_t kMaxMillis = std::int64_t{366} * 24 * 3600 * 1000;
  if (millis >= 0 && millis <= kMaxMillis) return Duration(std::chrono::milliseconds(millis));
  return invalid(field, std::string(field) + " is " + std::to_string(millis) +
                            "; expected milliseconds from 0 to a year");
}

/// The request's input, checked; {} when there is none, as over HTTP.
Result<model::Payload> input_of(const wire::SubmitRequest& request) {
  if (request.input_json().empty()) return model::Payload::of("{}");
  if (request.input_json().size() > kMaxLinkPayloadBytes) {
    return Error(Code::payload_too_large,
                 "input_json has " + std::to_string(request.input_json().size()) +
                     " bytes; at most " + std::to_string(kMaxLinkPayloadBytes) + " are taken");
  }
  auto parsed = platform::parse_json(request.input_json());
  if (!parsed) return invalid("input_json", "input_json: " + parsed.error().message());
  return model::Payload::of(request.input_json());
}

}  // namespace

Result<model::HeldAttempt> attempt_of(const std::string& work_id, std::int64_t epoch) {
  auto id = model::WorkId::from_bytes(work_id);
  if (!id) {
    return invalid("work_id",
                   "a work_id has " + std::to_string(work_id.size()) + " bytes; expected 16");
  }
  if (epoch <= 0) return invalid("epoch", "epoch is " + std::to_string(epoch) + "; expected >= 1");
  return model::HeldAttempt{*id, epoch};
}

void fill_settings(const AgentSettings& settings, wire::Settings& out) {
  out.set_environment(settings.environment);
  for (const std::string& feature : settings.features) out.add_features(feature);
  out.set_debug(settings.debug);
  out.set_log_level(settings.log_level);
}

void fill_assignment(const model::AssignWork& effect, wire::Assignment& out) {
  const model::WorkSpec& spec = *effect.work;
  out.set_work_id(spec.id.view().data(), spec.id.view().size());
  out.set_epoch(effect.epoch);
  out.set_capability(spec.capability);
  out.set_description(spec.description);
  out.set_input_json(spec.input.view().data(), spec.input.view().size());
  out.set_attempt(effect.attempt);
  // A time left below a millisecond is still a limit, and 0 means none.
  auto left = base::to_millis(effect.time_left);
  out.set_time_left_ms(effect.time_left > Duration::zero() ? std::max<std::int64_t>(left, 1) : 0);
  out.set_idle_timeout_ms(base::to_millis(spec.idle_timeout));
  out.set_trace_parent(spec.trace_parent);
  out.set_priority(spec.priority);
  out.set_phase(spec.phase);
  for (const auto& [key, value] : spec.labels) (*out.mutable_labels())[key] = value;
  if (!spec.step) return;
  out.set_run_id(spec.step->run.to_text());
  out.set_pipeline(spec.step->pipeline);
  out.set_stage(spec.step->stage);
  out.set_step(effect.step_number);
}

std::size_t size_of(const model::AssignWork& effect) {
  constexpr std::size_t kFixed = 256;
  const model::WorkSpec& spec = *effect.work;
  std::size_t labels = 0;
  for (const auto& [key, value] : spec.labels) labels += key.size() + value.size() + 8;
  return kFixed + spec.input.view().size() + spec.description.size() + labels;
}

Result<model::LinkOpened> link_opened_of(const wire::Hello& hello) {
  if (!base::is_valid_name(hello.agent())) {
    return invalid("agent", "\"" + base::excerpt(hello.agent(), 63) + "\" is not an agent's name");
  }
  if (hello.incarnation() <= 0) return invalid("incarnation", "incarnation must be 1 or more");
  if (hello.slots() < 0 || hello.slots() > kMaxSlots) {
    return invalid("slots", "slots is " + std::to_string(hello.slots()) + "; expected 0 to " +
                                std::to_string(kMaxSlots));
  }
  if (hello.capabilities_size() > kMaxCapabilities) {
    return invalid("capabilities", "more than " + std::to_string(kMaxCapabilities));
  }
  if (hello.held_size() > kMaxHeld) return invalid("held", "more than " + std::to_string(kMaxHeld));
  model::LinkOpened opened;
  opened.agent = hello.agent();
  opened.incarnation = hello.incarnation();
  opened.slots = hello.slots();
  opened.sdk = base::excerpt(hello.sdk(), kMaxCode);
  if (!hello.runtime().empty()) opened.sdk += " (" + base::excerpt(hello.runtime(), kMaxCode) + ")";
  for (const std::string& capability : hello.capabilities()) {
    if (!base::is_valid_name(capability)) {
      return invalid("capabilities",
                     "\"" + base::excerpt(capability, 63) + "\" is not a capability's name");
    }
    opened.capabilities.push_back(capability);
  }
  for (const wire::AttemptKey& key : hello.held()) {
    auto held = attempt_of(key.work_id(), key.epoch());
    if (!held) return held.error();
    opened.held.push_back(*held);
  }
  return opened;
}

model::AttemptOutcome outcome_of(wire::AttemptResult& result) {
  model::AttemptOutcome outcome;
  if (result.outcome_case() == wire::AttemptResult::kOutputJson) {
    outcome.error = output_error(result.output_json());
    if (!outcome.error) {
      outcome.output = model::Payload::of(std::move(*result.mutable_output_json()));
    }
  } else if (result.outcome_case() == wire::AttemptResult::kFailure) {
    outcome.error = work_error_of(result.failure());
  } else {
    outcome.error = bad_output("handler_failed", "a result with neither output nor failure", false);
  }
  int usages = std::min(result.usage_size(), kMaxUsages);
  for (int i = 0; i < usages; ++i) outcome.usage.push_back(usage_of(result.usage(i)));
  constexpr std::int64_t kMaxHandlerMicros = std::int64_t{366} * 24 * 3600 * 1'000'000;
  outcome.handler_time = std::chrono::microseconds(
      std::clamp<std::int64_t>(result.handler_micros(), 0, kMaxHandlerMicros));
  return outcome;
}

std::optional<model::AttemptProgress> progress_of(const wire::Progress& progress) {
  auto attempt = attempt_of(progress.work_id(), progress.epoch());
  if (!attempt) return std::nullopt;
  model::AttemptProgress fact;
  fact.work = attempt->work;
  fact.epoch = attempt->epoch;
  double fraction = progress.fraction();
  fact.fraction = std::isnan(fraction) ? 0 : std::clamp(fraction, 0.0, 1.0);
  fact.message = base::excerpt(progress.message(), kMaxErrorMessage);
  return fact;
}

model::LogRecord log_record_of(const wire::LogLine& line, const model::AgentName& agent) {
  model::LogRecord record;
  record.at = wall_of(line.unix_micros());
  record.level = base::parse_enum<model::LogLevel>(line.level()).value_or(model::LogLevel::INFO);
  record.message = base::excerpt(line.message(), kMaxMessage);
  record.fields = object_text(line.fields_json());
  record.context = context_of(line, agent);
  record.context.component = name_or(line.component(), "adapter");
  return record;
}

model::SpanRecord span_record_of(const wire::Span& span, const model::AgentName& agent) {
  model::SpanRecord record;
  record.trace_id = hex_or_empty(span.trace_id(), 32);
  record.span_id = hex_or_empty(span.span_id(), 16);
  record.parent_id = hex_or_empty(span.parent_id(), 16);
  record.name = base::excerpt(span.name(), kMaxShortText);
  record.started_at = wall_of(span.start_unix_micros());
  record.finished_at = std::max(record.started_at, wall_of(span.end_unix_micros()));
  record.failed = span.failed();
  record.status_message = base::excerpt(span.status_message(), kMaxErrorMessage);
  record.attributes = object_text(span.attributes_json());
  record.events = array_text(span.events_json());
  record.context = context_of(span, agent);
  return record;
}

Result<model::SubmitWork> submit_of(const wire::SubmitRequest& request) {
  auto timeout = duration_of(request.timeout_ms(), "timeout_ms");
  if (!timeout) return timeout.error();
  auto idle = duration_of(request.idle_timeout_ms(), "idle_timeout_ms");
  if (!idle) return idle.error();
  if (request.deadline_unix_micros() < 0 || request.deadline_unix_micros() > kMaxMicros) {
    return invalid("deadline_unix_micros", "deadline_unix_micros is not a time before year 10000");
  }
  if (request.max_attempts() < 0) {
    return invalid("max_attempts", "max_attempts is below 0; expected 1 or more, 0: the default");
  }
  auto input = input_of(request);
  if (!input) return input.error();

  model::SubmitWork submit;
  model::WorkSpec& spec = submit.spec;
  spec.description = request.description();
  spec.capability = request.capability();
  spec.phase = request.phase();
  if (request.has_priority()) spec.priority = request.priority();
  if (request.deadline_unix_micros() > 0) spec.deadline = wall_of(request.deadline_unix_micros());
  spec.timeout = *timeout;
  spec.idle_timeout = *idle;
  if (request.max_attempts() > 0) spec.retry.max_attempts = request.max_attempts();
  spec.input = std::move(input).value();
  spec.labels = {request.labels().begin(), request.labels().end()};
  spec.trace_parent = request.trace_parent();
  spec.idempotency_key = request.idempotency_key();
  if (!spec.idempotency_key.empty()) {
    spec.request_sha256 = platform::sha256_hex(
        model::request_text(spec, platform::canonical_json(spec.input.view())));
  }
  return submit;
}

void fill_problem(const Error& error, wire::Problem& out) {
  out.set_code(std::string(error.code_name()));
  out.set_message(error.message());
  out.set_retryable(error.retryable());
}

void fill_finished(model::WorkId id, model::WorkState state, const model::Payload& output,
                   const std::optional<model::WorkError>& error, wire::Finished& out) {
  out.set_work_id(id.view().data(), id.view().size());
  out.set_state(std::string(model::to_text(state)));
  if (output.has_value()) out.set_output_json(output.view().data(), output.view().size());
  if (!error) return;
  wire::Failure& failure = *out.mutable_failure();
  failure.set_kind(std::string(model::to_text(error->kind)));
  failure.set_code(error->code);
  failure.set_message(error->message);
  failure.set_permanent(error->permanent);
  failure.set_context_json(error->context_json);
}

}  // namespace mainstay::node
