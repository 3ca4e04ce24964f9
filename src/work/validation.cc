#include "work/validation.h"

#include <fmt/format.h>

#include "base/text.h"

namespace mainstay::work {
namespace {

Error refused(std::string_view field, std::string_view value, std::string message) {
  return Error(Code::work_invalid, std::move(message))
      .with("field", std::string(field))
      .with("value", base::excerpt(value, 120));
}

Result<void> check_names(const model::WorkSpec& spec, const std::vector<std::string>& phases) {
  if (base::trim(spec.description).empty()) {
    return refused("description", "", "description: a work item needs a description; it is empty");
  }
  if (spec.description.size() > kMaxDescription) {
    return refused("description", spec.description,
                   fmt::format("description: {} bytes, the limit is {}", spec.description.size(),
                               kMaxDescription));
  }
  if (!base::is_valid_utf8(spec.description)) {
    return refused("description", "", "description: is not valid UTF-8");
  }
  if (spec.capability.empty()) {
    return refused("capability", "", "capability: a work item needs a capability; it is empty");
  }
  if (spec.capability.size() > kMaxCapability || !base::is_valid_utf8(spec.capability)) {
    return refused("capability", "",
                   fmt::format("capability: must be UTF-8 of at most {} bytes", kMaxCapability));
  }
  if (spec.phase.empty()) return {};
  for (const std::string& phase : phases) {
    if (phase == spec.phase) return {};
  }
  if (phases.empty()) {
    return refused("phase", spec.phase,
                   fmt::format("phase: \"{}\", but the setting work.phases names none",
                               base::excerpt(spec.phase, 120)));
  }
  const auto near = base::nearest(spec.phase, phases);
  return refused("phase", spec.phase,
                 fmt::format("phase: unknown \"{}\"; expected one of {}{}",
                             base::excerpt(spec.phase, 120), base::join(phases, ", "),
                             near ? fmt::format("; did you mean \"{}\"?", *near) : ""));
}

Result<void> check_duration(std::string_view field, Duration value) {
  if (value >= Duration::zero() && value <= kMaxHorizon) return {};
  return refused(field, std::to_string(base::to_millis(value)) + "ms",
                 fmt::format("{}: {} ms is out of range; expected 0 to {}", field,
                             base::to_millis(value), base::duration_to_text(kMaxHorizon)));
}

Result<void> check_moment(std::string_view field, const std::optional<Wall>& at, Wall now) {
  if (!at || *at <= now + std::chrono::duration_cast<Wall::duration>(kMaxHorizon)) return {};
  return refused(
      field, base::wall_to_text(*at),
      fmt::format("{}: {} is more than ten years ahead", field, base::wall_to_text(*at)));
}

Result<void> check_times(const model::WorkSpec& spec, Wall now) {
  if (auto ok = check_moment("start_after", spec.start_after, now); !ok) return ok;
  if (auto ok = check_moment("deadline", spec.deadline, now); !ok) return ok;
  if (spec.deadline && *spec.deadline <= now) {
    return refused("deadline", base::wall_to_text(*spec.deadline),
                   fmt::format("deadline: {} is not in the future (it is {})",
                               base::wall_to_text(*spec.deadline), base::wall_to_text(now)));
  }
  if (spec.deadline && spec.start_after && *spec.start_after >= *spec.deadline) {
    return refused(
        "start_after", base::wall_to_text(*spec.start_after),
        "start_after: must be before the deadline, " + base::wall_to_text(*spec.deadline));
  }
  if (auto ok = check_duration("timeout", spec.timeout); !ok) return ok;
  return check_duration("idle_timeout", spec.idle_timeout);
}

Result<void> check_retry(const model::RetryPolicy& retry) {
  if (retry.max_attempts < 1 || retry.max_attempts > kMaxAttempts) {
    return refused("retry.max_attempts", std::to_string(retry.max_attempts),
                   fmt::format("retry.max_attempts: {} is out of range; expected 1 to {}",
                               retry.max_attempts, kMaxAttempts));
  }
  if (auto ok = check_duration("retry.backoff_min", retry.backoff_min); !ok) return ok;
  if (auto ok = check_duration("retry.backoff_max", retry.backoff_max); !ok) return ok;
  if (retry.backoff_min <= retry.backoff_max) return {};
  return refused("retry.backoff_min", base::duration_to_text(retry.backoff_min),
                 fmt::format("retry.backoff_min: {} is over retry.backoff_max, {}",
                             base::duration_to_text(retry.backoff_min),
                             base::duration_to_text(retry.backoff_max)));
}

}  // namespace

Result<void> check_labels(const std::map<std::string, std::string>& labels, Code code) {
  if (labels.size() > kMaxLabels) {
    return Error(code,
                 fmt::format("labels: {} of them, the limit is {}", labels.size(), kMaxLabels))
        .with("field", "labels");
  }
  for (const auto& [key, value] : labels) {
    if (!base::is_valid_name(key)) {
      return Error(code, fmt::format("labels: \"{}\" is not a name; expected 1 to 63 of "
                                     "[a-z0-9_.-], with a letter or digit at both ends",
                                     base::excerpt(key, 120)))
          .with("field", "labels");
    }
    if (value.size() > kMaxLabelValue || !base::is_valid_utf8(value)) {
      return Error(code,
                   fmt::format("labels.{}: must be UTF-8 of at most {} bytes", key, kMaxLabelValue))
          .with("field", "labels." + key);
    }
  }
  return {};
}

Result<void> check_key(const std::string& idempotency_key, Code code) {
  if (idempotency_key.size() <= kMaxKey && base::is_valid_utf8(idempotency_key)) return {};
  return Error(code, fmt::format("idempotency_key: must be UTF-8 of at most {} bytes", kMaxKey))
      .with("field", "idempotency_key");
}

Result<void> check_work(const model::WorkSpec& spec, const std::vector<std::string>& phases,
                        Wall now) {
  if (auto ok = check_names(spec, phases); !ok) return ok;
  if (spec.priority < model::kPriorityMin || spec.priority > model::kPriorityMax) {
    return refused("priority", std::to_string(spec.priority),
                   fmt::format("priority: {} is out of range; expected {} (lowest) to {} (highest)",
                               spec.priority, model::kPriorityMin, model::kPriorityMax));
  }
  if (auto ok = check_times(spec, now); !ok) return ok;
  if (auto ok = check_retry(spec.retry); !ok) return ok;
  if (auto ok = check_labels(spec.labels, Code::work_invalid); !ok) return ok;
  if (auto ok = check_key(spec.idempotency_key, Code::work_invalid); !ok) return ok;
  if (spec.step) {
    return refused("step", spec.step->stage, "step: only a run makes items of its steps");
  }
  if (spec.input.view().size() > kMaxInput) {
    return Error(Code::payload_too_large, fmt::format("input: {} bytes, the limit is {}",
                                                      spec.input.view().size(), kMaxInput))
        .with("field", "input");
  }
  return {};
}

}  // namespace mainstay::work
