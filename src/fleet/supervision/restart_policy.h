// When a process that ended is started again, and when the supervisor gives up. Faults A2, A3.
//
// Two sliding windows of actual restarts: more than max_restarts in `window`, or more than
// kLongFactor * max_restarts in kLongWindows * window (flapping slower than the window), and the
// agent is failed. Between restarts: exponential backoff with full jitter ("Exponential Backoff and
// Jitter", AWS Architecture Blog, 2015) above the policy's minimum; the first restart of an agent
// that had become ready comes at once.
//
// Pure; one RestartHistory per agent; nothing fails.
#pragma once

#include <cstddef>
#include <deque>
#include <optional>
#include <string>

#include "base/random.h"
#include "base/time.h"
#include "model/fleet.h"

namespace mainstay::fleet {

constexpr int kLongFactor = 5;
constexpr int kLongWindows = 20;

/// How a start of an agent went, for the decision about the next one.
struct StartOutcome {
  /// It became ready (its link opened).
  bool was_ready = false;
  /// Since it was ready.
  Duration ready_for{0};
};

struct RestartDecision {
  bool give_up = false;
  /// Why it is given up, for people; else empty.
  std::string reason;
  Duration wait{0};
};

class RestartHistory {
 public:
  /// Call when a start ended and the policy's mode wants another. Draws from `random` when it must
  /// wait.
  RestartDecision next(const model::RestartPolicy& policy, const StartOutcome& outcome, Mono now,
                       base::Random& random);
  /// A restart is being made now.
  void record(const model::RestartPolicy& policy, Mono now);
  /// Failures (or ends) since it last ran for `stable_after`.
  int streak() const { return streak_; }

 private:
  std::size_t within(Duration window, Mono now) const;

  std::deque<Mono> restarts_;  // oldest first; those of the long window only
  int streak_ = 0;
};

/// The wait before restart n (from 1) of a streak: uniform between backoff_min and
/// min(backoff_max, backoff_min * 2^n).
Duration backoff(const model::RestartPolicy& policy, int n, base::Random& random);

}  // namespace mainstay::fleet
