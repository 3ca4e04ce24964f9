#include "api/routes/work_request.h"

#include <fmt/format.h>

#include <utility>

#include "api/field_errors.h"
#include "base/text.h"
#include "fleet/agent_endpoint.h"
#include "model/request_text.h"
#include "platform/crypto.h"
#include "platform/json/json.h"
#include "work/validation.h"

namespace mainstay::api {
namespace {

using platform::Json;
using platform::JsonObject;

constexpr std::size_t kMaxReason = 1024;
constexpr std::size_t kMaxCapabilities = 256;
constexpr Duration kMaxLease = std::chrono::hours(24);

/// An empty body stands for an object without members.
Result<JsonObject> read_object(std::string_view body, bool may_be_empty) {
  if (may_be_empty && base::trim(body).empty()) return JsonObject();
  return platform::parse_json_object(body);
}

std::string key_of(FieldReader& fields, const RequestContext& context) {
  std::string key = fields.text("idempotency_key", work::kMaxKey).value_or("");
  if (context.idempotency_key.size() > work::kMaxKey) {
    fields.wrong("idempotency_key",
                 fmt::format("the header Idempotency-Key is over {} bytes", work::kMaxKey));
  } else if (!key.empty() && !context.idempotency_key.empty() && key != context.idempotency_key) {
    fields.wrong("idempotency_key", "differs from the header Idempotency-Key");
  }
  return key.empty() ? context.idempotency_key : key;
}

/// The member `input` as it was written; `{}` when there is none.
model::Payload input_of(FieldReader& fields, std::string_view object_text) {
  fields.any("input");
  const auto text = platform::member_text(object_text, "input");
  if (text && text->size() > work::kMaxInput) {
    fields.wrong("input", fmt::format("{} bytes, the limit is {}", text->size(), work::kMaxInput));
    return model::Payload::of("{}");
  }
  return model::Payload::of(std::string(text.value_or("{}")));
}

/// Of a work item or a run; its input is valid JSON.
template <class Request>
std::string request_hash(const Request& request) {
  const std::string input = platform::canonical_json(request.input.view());
  return platform::sha256_hex(model::request_text(request, input));
}

std::string required_text(FieldReader& fields, std::string_view name, std::size_t max_bytes,
                          std::string_view what) {
  const Json* there = fields.any(name);
  if (there == nullptr || there->is_null()) {
    fields.wrong(name, fmt::format("missing; {}", what));
    return "";
  }
  auto text = fields.text(name, max_bytes);
  if (text && base::trim(*text).empty()) fields.wrong(name, fmt::format("is empty; {}", what));
  return text.value_or("");
}

void read_phase(FieldReader& fields, const RequestContext& context, model::WorkSpec& spec) {
  spec.phase = fields.text("phase", work::kMaxCapability).value_or("");
  if (spec.phase.empty()) return;
  for (const std::string& phase : context.phases) {
    if (phase == spec.phase) return;
  }
  if (context.phases.empty()) {
    fields.wrong("phase", fmt::format("\"{}\" is unknown: the setting work.phases names none",
                                      base::excerpt(spec.phase, 80)));
    return;
  }
  const auto near = base::nearest(spec.phase, context.phases);
  fields.wrong("phase", fmt::format("expected one of {}, got \"{}\"{}",
                                    base::join(context.phases, ", "), base::excerpt(spec.phase, 80),
                                    near ? fmt::format("; did you mean \"{}\"?", *near) : ""));
}

void read_times(FieldReader& fields, Wall now, model::WorkSpec& spec) {
  spec.deadline = fields.moment("deadline");
  spec.start_after = fields.moment("start_after");
  spec.timeout = fields.duration("timeout", work::kMaxHorizon).value_or(Duration(0));
  spec.idle_timeout = fields.duration("idle_timeout", work::kMaxHorizon).value_or(Duration(0));
  const Wall horizon = now + std::chrono::duration_cast<Wall::duration>(work::kMaxHorizon);
  // With a key it may be a repeat of what was in time: the loop looks for that first.
  if (spec.deadline && *spec.deadline <= now && spec.idempotency_key.empty()) {
    fields.wrong("deadline",
                 fmt::format("expected a time in the future, got {} (it is {})",
                             base::wall_to_text(*spec.deadline), base::wall_to_text(now)));
  }
  if (spec.deadline && *spec.deadline > horizon) {
    fields.wrong("deadline", "is more than ten years ahead");
  }
  if (spec.start_after && *spec.start_after > horizon) {
    fields.wrong("start_after", "is more than ten years ahead");
  }
  if (spec.deadline && spec.start_after && *spec.start_after >= *spec.deadline) {
    fields.wrong("start_after", "expected a time before the deadline");
  }
}

void read_retry(FieldReader& fields, FieldErrors& errors, const std::string& prefix,
                model::WorkSpec& spec) {
  const JsonObject* object = fields.object("retry");
  if (object == nullptr) return;
  FieldReader retry(*object, errors, prefix + "retry.");
  if (auto tries = retry.integer("max_attempts", 1, work::kMaxAttempts)) {
    spec.retry.max_attempts = static_cast<int>(*tries);
  }
  spec.retry.backoff_min =
      retry.duration("backoff_min", work::kMaxHorizon).value_or(spec.retry.backoff_min);
  spec.retry.backoff_max =
      retry.duration("backoff_max", work::kMaxHorizon).value_or(spec.retry.backoff_max);
  if (spec.retry.backoff_min > spec.retry.backoff_max) {
    retry.wrong("backoff_min", fmt::format("expected at most backoff_max, {}, got {}",
                                           base::duration_to_text(spec.retry.backoff_max),
                                           base::duration_to_text(spec.retry.backoff_min)));
  }
  retry.refuse_unknown();
}

model::WorkSpec read_work(const JsonObject& object, std::string_view text, FieldErrors& errors,
                          const std::string& prefix, const RequestContext& context) {
  FieldReader fields(object, errors, prefix);
  model::WorkSpec spec;
  spec.description = required_text(fields, "description", work::kMaxDescription,
                                   "expected one sentence that says what is asked");
  spec.capability = required_text(fields, "capability", work::kMaxCapability,
                                  "expected a capability such as file.analyse");
  read_phase(fields, context, spec);
  const auto priority = fields.integer("priority", model::kPriorityMin, model::kPriorityMax);
  if (priority) spec.priority = static_cast<int>(*priority);
  spec.idempotency_key = key_of(fields, context);
  read_times(fields, context.now, spec);
  read_retry(fields, errors, prefix, spec);
  spec.input = input_of(fields, text);
  spec.labels = fields.labels("labels").value_or(std::map<std::string, std::string>());
  spec.trace_parent = context.trace_parent;
  for (const std::string_view later : {"lane", "resources", "schedule", "key", "node"}) {
    fields.not_served(later, later);
  }
  fields.refuse_unknown();
  if (!spec.idempotency_key.empty()) spec.request_sha256 = request_hash(spec);
  return spec;
}

}  // namespace

Result<model::WorkSpec> parse_work_request(std::string_view body, const RequestContext& context) {
  auto object = read_object(body, false);
  if (!object) return std::move(object).error();
  FieldErrors errors;
  model::WorkSpec spec = read_work(*object, body, errors, "", context);
  if (!errors.empty()) return errors.to_error(Code::work_invalid, "the work item");
  return spec;
}

Result<std::vector<model::WorkSpec>> parse_work_batch(std::string_view body,
                                                      const RequestContext& context) {
  auto object = read_object(body, false);
  if (!object) return std::move(object).error();
  FieldErrors errors;
  FieldReader fields(*object, errors);
  const Json* list = fields.any("work");
  fields.refuse_unknown();
  std::vector<model::WorkSpec> specs;
  if (list == nullptr || !list->is_array() || list->get_array().empty() ||
      list->get_array().size() > kMaxBatch) {
    fields.wrong("work", fmt::format("expected an array of 1 to {} work items", kMaxBatch));
    return errors.to_error(Code::work_invalid, "the batch");
  }
  if (!context.idempotency_key.empty()) {
    fields.wrong("idempotency_key",
                 "the header Idempotency-Key is for single items; give each "
                 "item of a batch its own idempotency_key");
  }
  const auto texts = platform::element_texts(platform::member_text(body, "work").value_or("[]"));
  RequestContext each = context;
  each.idempotency_key.clear();
  for (std::size_t i = 0; i < texts.size(); ++i) {
    const Json& item = list->get_array()[i];
    const std::string name = fmt::format("work[{}]", i);
    if (!item.is_object()) {
      errors.add(name, "expected an object, got " + shown(item));
      continue;
    }
    specs.push_back(read_work(item.get_object(), texts[i], errors, name + ".", each));
  }
  if (!errors.empty()) return errors.to_error(Code::work_invalid, "the batch");
  return specs;
}

Result<model::StartRun> parse_run_request(std::string_view body, const RequestContext& context) {
  auto object = read_object(body, false);
  if (!object) return std::move(object).error();
  FieldErrors errors;
  FieldReader fields(*object, errors);
  model::StartRun run;
  run.pipeline = required_text(fields, "pipeline", work::kMaxCapability,
                               "expected the name of a pipeline of fleet.yaml");
  run.input = input_of(fields, body);
  run.labels = fields.labels("labels").value_or(std::map<std::string, std::string>());
  run.idempotency_key = key_of(fields, context);
  run.trace_parent = context.trace_parent;
  for (const std::string_view later : {"budget", "lane", "from", "version"}) {
    fields.not_served(later, later);
  }
  fields.refuse_unknown();
  if (!errors.empty()) return errors.to_error(Code::invalid_argument, "the run");
  if (!run.idempotency_key.empty()) run.request_sha256 = request_hash(run);
  return run;
}

Result<model::RegisterAgent> parse_register_request(std::string_view body) {
  auto object = read_object(body, false);
  if (!object) return std::move(object).error();
  FieldErrors errors;
  FieldReader fields(*object, errors);
  model::RegisterAgent agent;
  agent.name = required_text(fields, "name", 63, "expected a name for the agent");
  if (!agent.name.empty() && !base::is_valid_name(agent.name)) {
    fields.wrong("name", fmt::format("expected 1 to 63 of [a-z0-9_.-], with a letter or digit at "
                                     "both ends, got \"{}\"",
                                     base::excerpt(agent.name, 80)));
  }
  agent.endpoint = required_text(fields, "endpoint", fleet::kMaxEndpointBytes,
                                 "expected where the agent is, such as http://10.0.0.5:8000");
  if (const std::string wrong = fleet::endpoint_problem(agent.endpoint);
      !base::trim(agent.endpoint).empty() && !wrong.empty()) {
    fields.wrong("endpoint", wrong);
  }
  agent.capabilities = fields.texts("capabilities", kMaxCapabilities, work::kMaxCapability)
                           .value_or(std::vector<std::string>());
  agent.labels = fields.labels("labels").value_or(std::map<std::string, std::string>());
  agent.lease = fields.duration("lease", kMaxLease).value_or(agent.lease);
  for (const std::string_view later : {"lane", "version"}) fields.not_served(later, later);
  fields.refuse_unknown();
  if (!errors.empty()) return errors.to_error(Code::invalid_argument, "the registration");
  return agent;
}

Result<Duration> parse_renew_request(std::string_view body) {
  auto object = read_object(body, true);
  if (!object) return std::move(object).error();
  FieldErrors errors;
  FieldReader fields(*object, errors);
  const Duration lease = fields.duration("lease", kMaxLease).value_or(model::RenewAgent{}.lease);
  fields.refuse_unknown();
  if (!errors.empty()) return errors.to_error(Code::invalid_argument, "the renewal");
  return lease;
}

Result<std::string> parse_cancel_request(std::string_view body) {
  auto object = read_object(body, true);
  if (!object) return std::move(object).error();
  FieldErrors errors;
  FieldReader fields(*object, errors);
  std::string reason = fields.text("reason", kMaxReason).value_or("");
  fields.refuse_unknown();
  if (!errors.empty()) return errors.to_error(Code::invalid_argument, "the request");
  return reason;
}

}  // namespace mainstay::api
