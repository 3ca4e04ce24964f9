#include "attempt.h"

#include <utility>

#include "text.h"

namespace mainstay::agent_internal {

Attempt::Attempt(Core& core, std::shared_ptr<const v1::Assignment> assignment)
    : core_(core), assignment_(std::move(assignment)) {
  if (assignment_->time_left_ms() > 0) {
    deadline_ =
        std::chrono::steady_clock::now() + std::chrono::milliseconds(assignment_->time_left_ms());
  }
}

void Attempt::cancel() {
  {
    std::lock_guard lock(mutex_);
    cancelled_ = true;
  }
  changed_.notify_all();
}

bool Attempt::cancelled() const {
  std::lock_guard lock(mutex_);
  return cancelled_;
}

bool Attempt::wait_cancelled(std::chrono::nanoseconds at_most) {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, at_most, [this] { return cancelled_; });
}

void Attempt::add_usage(const ModelUsage& usage) {
  std::lock_guard lock(mutex_);
  for (ModelUsage& known : usage_) {
    if (known.provider != usage.provider || known.model != usage.model) continue;
    known.prompt_tokens += usage.prompt_tokens;
    known.completion_tokens += usage.completion_tokens;
    known.cached_tokens += usage.cached_tokens;
    known.reasoning_tokens += usage.reasoning_tokens;
    known.llm_requests += usage.llm_requests;
    known.api_calls += usage.api_calls;
    return;
  }
  usage_.push_back(usage);
}

v1::AttemptResult Attempt::result_of(Outcome outcome, std::chrono::nanoseconds took) const {
  if (outcome.output && outcome.output->size() > kMaxPayloadBytes) {
    outcome =
        Outcome::failure("payload_too_large",
                         "the output has " + std::to_string(outcome.output->size()) +
                             " bytes; at most " + std::to_string(kMaxPayloadBytes) + " are taken",
                         true);
  }
  v1::AttemptResult result;
  result.set_work_id(assignment_->work_id());
  result.set_epoch(assignment_->epoch());
  result.set_handler_micros(std::chrono::duration_cast<std::chrono::microseconds>(took).count());
  std::lock_guard lock(mutex_);
  if (outcome.output) {
    result.set_output_json(std::move(*outcome.output));
  } else {
    v1::Failure& failure = *result.mutable_failure();
    failure.set_kind(cancelled_ ? "cancelled" : "error");
    failure.set_code(clean_utf8(outcome.code));
    failure.set_message(clean_utf8(outcome.message));
    failure.set_permanent(outcome.permanent);
    failure.set_context_json(clean_utf8(outcome.context));
  }
  for (const ModelUsage& used : usage_) {
    v1::Usage& said = *result.add_usage();
    said.set_provider(clean_utf8(used.provider));
    said.set_model(clean_utf8(used.model));
    said.set_prompt_tokens(used.prompt_tokens);
    said.set_completion_tokens(used.completion_tokens);
    said.set_cached_tokens(used.cached_tokens);
    said.set_reasoning_tokens(used.reasoning_tokens);
    said.set_llm_requests(used.llm_requests);
    said.set_api_calls(used.api_calls);
  }
  return result;
}

v1::AttemptResult refusal(const v1::Assignment& assignment, const std::string& kind,
                          const std::string& code, const std::string& message) {
  v1::AttemptResult result;
  result.set_work_id(assignment.work_id());
  result.set_epoch(assignment.epoch());
  result.mutable_failure()->set_kind(kind);
  result.mutable_failure()->set_code(code);
  result.mutable_failure()->set_message(message);
  return result;
}

}  // namespace mainstay::agent_internal
