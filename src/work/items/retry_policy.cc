#include "work/items/retry_policy.h"

#include <algorithm>

namespace mainstay::work {

Duration backoff_bound(const model::RetryPolicy& policy, int n) {
  Duration bound = std::max(policy.backoff_min, Duration::zero());
  for (int i = 1; i < n && bound < policy.backoff_max; ++i) {
    bound = bound > Duration::max() / 2 ? Duration::max() : bound * 2;
  }
  return std::min(bound, std::max(policy.backoff_max, Duration::zero()));
}

Duration backoff_before_retry(const model::RetryPolicy& policy, int n, base::Random& random) {
  const auto bound = static_cast<std::uint64_t>(backoff_bound(policy, n).count());
  return Duration(static_cast<std::int64_t>(random.below(bound + 1)));
}

Verdict after_failure(const model::RetryPolicy& policy, int attempts_used, bool permanent) {
  if (permanent || attempts_used >= policy.max_attempts) return Verdict::give_up;
  return Verdict::retry;
}

}  // namespace mainstay::work
