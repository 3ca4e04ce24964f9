// One attempt in the hands of this agent: what was assigned, and what its handler says meanwhile.
// Thread-safe.
#pragma once

#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "mainstay/v1/link.pb.h"
#include "mainstay/work.h"
#include "outbox.h"

namespace mainstay::agent_internal {

class Core;

class Attempt {
 public:
  Attempt(Core& core, std::shared_ptr<const v1::Assignment> assignment);

  const v1::Assignment& assignment() const { return *assignment_; }
  std::shared_ptr<const v1::Assignment> shared_assignment() const { return assignment_; }
  AttemptKey key() const { return {assignment_->work_id(), assignment_->epoch()}; }
  Core& core() { return core_; }

  void cancel();
  bool cancelled() const;
  bool wait_cancelled(std::chrono::nanoseconds at_most);
  std::optional<std::chrono::steady_clock::time_point> deadline() const { return deadline_; }
  void add_usage(const ModelUsage& usage);

  /// What goes up: the outcome with usage and time. An output too large becomes a failure.
  v1::AttemptResult result_of(Outcome outcome, std::chrono::nanoseconds took) const;

 private:
  Core& core_;
  std::shared_ptr<const v1::Assignment> assignment_;
  std::optional<std::chrono::steady_clock::time_point> deadline_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  bool cancelled_ = false;
  std::vector<ModelUsage> usage_;
};

/// A result that says that the agent did not start the attempt.
v1::AttemptResult refusal(const v1::Assignment& assignment, const std::string& kind,
                          const std::string& code, const std::string& message);

}  // namespace mainstay::agent_internal
