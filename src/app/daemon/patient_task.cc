#include "app/daemon/patient_task.h"

#include <algorithm>
#include <utility>

#include "platform/loop/thread_name.h"

namespace mainstay::app {

Result<void> PatientTask::start() {
  std::optional<Result<void>> done = try_once();
  if (!done || *done) return {};
  if (!done->error().retryable()) return std::move(*done).error();
  thread_ = std::thread([this, trouble = std::move(*done).error()] { run(trouble); });
  return {};
}

void PatientTask::stop() {
  {
    std::lock_guard lock(outcome_->mutex);
    outcome_->stopping = true;
  }
  outcome_->changed.notify_all();
  if (thread_.joinable()) thread_.join();
}

void PatientTask::run(Error trouble) {
  platform::name_this_thread(options_.name.c_str());
  Duration delay = options_.retry_min;
  while (true) {
    options_.on_trouble(trouble, delay);
    if (!rest(delay)) return;
    delay = std::min(delay * 2, options_.retry_max);
    std::optional<Result<void>> done = try_once();
    if (!done || *done) return;
    trouble = std::move(*done).error();
  }
}

std::optional<Result<void>> PatientTask::try_once() {
  {
    std::lock_guard lock(outcome_->mutex);
    if (outcome_->stopping) return std::nullopt;
    outcome_->done.reset();
  }
  options_.attempt([outcome = outcome_](Result<void> done) {
    std::lock_guard lock(outcome->mutex);
    outcome->done = std::move(done);
    outcome->changed.notify_all();
  });
  std::unique_lock lock(outcome_->mutex);
  outcome_->changed.wait(lock, [this] { return outcome_->done || outcome_->stopping; });
  return std::exchange(outcome_->done, std::nullopt);
}

bool PatientTask::rest(Duration delay) {
  std::unique_lock lock(outcome_->mutex);
  return !outcome_->changed.wait_for(lock, delay, [this] { return outcome_->stopping; });
}

}  // namespace mainstay::app
