// The part of Core that runs attempts.
#include <cxxabi.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <exception>
#include <typeinfo>
#include <utility>

#include "agent_core.h"
#include "text.h"

namespace mainstay::agent_internal {
namespace {

/// More attempts at a time than this wait for a thread.
constexpr std::size_t kMaxWorkers = 256;

std::string class_name(const std::exception& error) {
  int failed = 0;
  char* name = abi::__cxa_demangle(typeid(error).name(), nullptr, nullptr, &failed);
  std::string text = failed == 0 && name != nullptr ? name : "std::exception";
  std::free(name);
  return text;
}

std::int64_t now_micros() {
  auto now = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::microseconds>(now).count();
}

/// Whether a line of `level` is wanted where `least` is the least. Words that are no level of ours
/// hold nothing back.
bool is_wanted(std::string_view level, std::string_view least) {
  constexpr std::array<std::string_view, 5> kLevels{"DEBUG", "INFO", "WARNING", "ERROR",
                                                    "CRITICAL"};
  const auto* said = std::find(kLevels.begin(), kLevels.end(), level);
  const auto* bound = std::find(kLevels.begin(), kLevels.end(), least);
  return said == kLevels.end() || bound == kLevels.end() || said >= bound;
}

/// The second field of a W3C traceparent.
std::string trace_id_of(const std::string& trace_parent) {
  constexpr std::size_t kAt = 3;
  constexpr std::size_t kDigits = 32;
  return trace_parent.size() >= kAt + kDigits ? trace_parent.substr(kAt, kDigits) : std::string();
}

}  // namespace

/// With the lock held.
void Core::take_assignment(v1::Assignment& assignment) {
  AttemptKey key(assignment.work_id(), assignment.epoch());
  bool waits = std::any_of(waiting_.begin(), waiting_.end(),
                           [&key](const auto& attempt) { return attempt->key() == key; });
  if (waits || running_.count(key) != 0 || outbox_.holds(key)) return;  // handed out twice
  if (stopping_) {
    outbox_.put_result(refusal(assignment, "refused", "unavailable", "the agent is stopping"));
    return;
  }
  if (handlers_.count(assignment.capability()) == 0) {
    outbox_.put_result(refusal(assignment, "refused", "capability_unknown",
                               "no handler for " + assignment.capability()));
    return;
  }
  auto owned = std::make_shared<v1::Assignment>(std::move(assignment));
  waiting_.push_back(std::make_shared<Attempt>(*this, std::move(owned)));
  auto most = options_.threads > 0 ? static_cast<std::size_t>(options_.threads) : kMaxWorkers;
  if (free_workers_ < waiting_.size() && workers_.size() < most) {
    workers_.emplace_back([self = shared_from_this()] { self->work(); });
  } else {
    wanted_.notify_one();
  }
}

/// With the lock held.
void Core::cancel_attempt(const AttemptKey& key) {
  auto running = running_.find(key);
  if (running != running_.end()) return running->second->cancel();
  auto waits = std::find_if(waiting_.begin(), waiting_.end(),
                            [&key](const auto& attempt) { return attempt->key() == key; });
  if (waits == waiting_.end()) return;
  outbox_.put_result(
      refusal((*waits)->assignment(), "cancelled", "cancelled", "cancelled before it began"));
  waiting_.erase(waits);
}

void Core::work() {
  Lock lock(mutex_);
  while (true) {
    ++free_workers_;
    wanted_.wait(lock, [this] { return workers_end_ || !waiting_.empty(); });
    --free_workers_;
    if (workers_end_) return;
    std::shared_ptr<Attempt> attempt = std::move(waiting_.front());
    waiting_.pop_front();
    running_.emplace(attempt->key(), attempt);
    lock.unlock();
    auto began = Clock::now();
    Outcome outcome = handle(*attempt);
    auto result = attempt->result_of(std::move(outcome), Clock::now() - began);
    lock.lock();
    running_.erase(attempt->key());
    outbox_.put_result(std::move(result));
    bool tell = stopping_;
    auto stream = stream_;
    lock.unlock();
    if (tell) changed_.notify_all();
    if (stream) stream->pump();
    lock.lock();
  }
}

/// What a handler throws is a failed attempt.
Outcome Core::handle(Attempt& attempt) {
  if (attempt.cancelled()) return Outcome::failure("cancelled", "cancelled before it began");
  const Handler& handler = handlers_.at(attempt.assignment().capability());
  Context context(attempt);
  try {
    return handler(Item(attempt.shared_assignment()), context);
  } catch (const std::exception& error) {
    return Outcome::failure(class_name(error), error.what());
  } catch (...) {
    return Outcome::failure("unknown_exception", "something that is no std::exception was thrown");
  }
}

void Core::end_workers() {
  std::vector<std::thread> workers;
  bool all_idle = false;
  {
    std::lock_guard lock(mutex_);
    workers_end_ = true;
    all_idle = running_.empty();
    workers.swap(workers_);
  }
  wanted_.notify_all();
  for (std::thread& worker : workers) {
    if (all_idle) {
      worker.join();
    } else {
      worker.detach();  // a handler that outlived the grace; it keeps the core alive
    }
  }
}

void Core::say_progress(const Attempt& attempt, double fraction, std::string_view message) {
  {
    std::lock_guard lock(mutex_);
    outbox_.put_progress(attempt.key(), fraction, clean_utf8(message));
  }
  pump();
}

void Core::say_log(const Attempt& attempt, std::string_view level, std::string_view message,
                   std::string_view fields_json) {
  if (!is_wanted(level, settings()->log_level)) return;
  const v1::Assignment& item = attempt.assignment();
  v1::LogLine line;
  line.set_unix_micros(now_micros());
  line.set_level(clean_utf8(level));
  line.set_message(clean_utf8(message));
  line.set_fields_json(clean_utf8(fields_json));
  line.set_work_id(item.work_id());
  line.set_run_id(item.run_id());
  line.set_pipeline(item.pipeline());
  line.set_stage(item.stage());
  line.set_step(item.step());
  line.set_trace_id(trace_id_of(item.trace_parent()));
  {
    std::lock_guard lock(mutex_);
    outbox_.put_log(std::move(line));
  }
  pump();
}

}  // namespace mainstay::agent_internal
