#include "fleet/supervision/restart_policy.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"

namespace mainstay::fleet {
namespace {

Duration long_window(Duration window) {
  if (window > Duration::max() / kLongWindows) return Duration::max();
  return window * kLongWindows;
}

std::size_t allowed(const model::RestartPolicy& policy) {
  return static_cast<std::size_t>(std::max(0, policy.max_restarts));
}

}  // namespace

Duration backoff(const model::RestartPolicy& policy, int n, base::Random& random) {
  const Duration low = std::max(Duration{0}, policy.backoff_min);
  const Duration high = std::max(low, policy.backoff_max);
  Duration cap = low;
  for (int i = 0; i < n && cap < high; ++i) cap = cap > high / 2 ? high : cap * 2;
  const auto spread = static_cast<std::uint64_t>((cap - low).count());
  return low + Duration(static_cast<std::int64_t>(random.below(spread + 1)));
}

RestartDecision RestartHistory::next(const model::RestartPolicy& policy,
                                     const StartOutcome& outcome, Mono now, base::Random& random) {
  if (outcome.was_ready && outcome.ready_for >= policy.stable_after) streak_ = 0;
  ++streak_;
  const std::size_t limit = allowed(policy);
  const std::size_t recent = within(policy.window, now);
  if (recent >= limit) {
    return {
        true,
        fmt::format("{} restarts in {} are used up", limit, base::duration_to_text(policy.window)),
        Duration{0}};
  }
  const Duration wide = long_window(policy.window);
  if (within(wide, now) >= limit * kLongFactor) {
    return {true,
            fmt::format("it keeps failing: {} restarts in {}", limit * kLongFactor,
                        base::duration_to_text(wide)),
            Duration{0}};
  }
  if (streak_ == 1 && outcome.was_ready) return {};
  return {false, {}, backoff(policy, streak_, random)};
}

void RestartHistory::record(const model::RestartPolicy& policy, Mono now) {
  restarts_.push_back(now);
  // next() gives up long before this; the cap only guards a caller that does not ask.
  while (restarts_.size() > allowed(policy) * kLongFactor + 1) restarts_.pop_front();
  const Duration wide = long_window(policy.window);
  while (!restarts_.empty() && now - restarts_.front() >= wide) restarts_.pop_front();
}

std::size_t RestartHistory::within(Duration window, Mono now) const {
  std::size_t count = 0;
  for (auto at = restarts_.rbegin(); at != restarts_.rend() && now - *at < window; ++at) ++count;
  return count;
}

}  // namespace mainstay::fleet
