// Restart windows and backoff (faults A2, A3; invariant 5 of the simulator).
#include "fleet/supervision/restart_policy.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

namespace mainstay::fleet {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

const Mono kStart{std::chrono::hours(1)};

model::RestartPolicy policy_of(int max_restarts, Duration window) {
  model::RestartPolicy policy;
  policy.max_restarts = max_restarts;
  policy.window = window;
  return policy;
}

TEST(RestartHistory, AllowsExactlyTheNumberInTheWindow) {
  const auto policy = policy_of(3, minutes(1));
  base::Random random(1);
  RestartHistory history;
  for (int i = 0; i < 3; ++i) {
    EXPECT_FALSE(history.next(policy, {}, kStart + seconds(i), random).give_up);
    history.record(policy, kStart + seconds(i));
  }
  const auto last = history.next(policy, {}, kStart + seconds(4), random);
  EXPECT_TRUE(last.give_up);
  EXPECT_EQ(last.reason, "3 restarts in 1m are used up");
}

TEST(RestartHistory, ForgetsWhatLeftTheWindow) {
  const auto policy = policy_of(1, minutes(1));
  base::Random random(1);
  RestartHistory history;
  history.record(policy, kStart);
  EXPECT_TRUE(history.next(policy, {}, kStart + seconds(59), random).give_up);
  EXPECT_FALSE(history.next(policy, {}, kStart + seconds(60), random).give_up);
}

TEST(RestartHistory, NoRestartsAllowedMeansNone) {
  base::Random random(1);
  RestartHistory history;
  EXPECT_TRUE(history.next(policy_of(0, minutes(1)), {}, kStart, random).give_up);
}

TEST(RestartHistory, FlappingSlowerThanTheWindowIsCaughtByTheLongOne) {
  const auto policy = policy_of(5, minutes(1));
  base::Random random(1);
  RestartHistory history;
  Mono now = kStart;
  int restarts = 0;
  // Lives 1.2 of what the short window lets pass: 5 restarts each 60 s, so one each 12 s is its
  // edge; 14.4 s is never caught by it.
  for (; restarts < 1000; ++restarts) {
    now += milliseconds(14'400);
    if (history.next(policy, {true, seconds(14)}, now, random).give_up) break;
    history.record(policy, now);
  }
  EXPECT_EQ(restarts, 5 * kLongFactor);
}

TEST(RestartHistory, AWindowNearTheEndOfTimeDoesNotOverflow) {
  const auto policy = policy_of(2, Duration::max() / 2);
  base::Random random(1);
  RestartHistory history;
  history.record(policy, kStart);
  EXPECT_FALSE(history.next(policy, {}, kStart + seconds(1), random).give_up);
}

TEST(RestartHistory, TheFirstRestartOfAReadyAgentComesAtOnce) {
  const model::RestartPolicy policy;
  base::Random random(1);
  RestartHistory history;
  EXPECT_EQ(history.next(policy, {true, seconds(1)}, kStart, random).wait, Duration{0});
  EXPECT_GE(history.next(policy, {true, seconds(1)}, kStart, random).wait, policy.backoff_min);
  // Running long enough forgets the streak.
  EXPECT_EQ(history.next(policy, {true, policy.stable_after}, kStart, random).wait, Duration{0});
}

TEST(RestartHistory, OneThatNeverBecameReadyWaitsFromTheFirst) {
  const model::RestartPolicy policy;
  base::Random random(1);
  RestartHistory history;
  EXPECT_GE(history.next(policy, {}, kStart, random).wait, policy.backoff_min);
}

TEST(Backoff, IsSpreadBetweenTheMinimumAndADoublingCap) {
  model::RestartPolicy policy;
  policy.backoff_min = milliseconds(200);
  policy.backoff_max = seconds(10);
  base::Random random(7);
  for (int n = 1; n <= 70; ++n) {
    const Duration cap =
        n >= 6 ? Duration(policy.backoff_max) : Duration(policy.backoff_min * (1 << n));
    Duration low = Duration::max();
    Duration high{0};
    for (int i = 0; i < 400; ++i) {
      const Duration wait = backoff(policy, n, random);
      low = std::min(low, wait);
      high = std::max(high, wait);
    }
    EXPECT_GE(low, policy.backoff_min);
    EXPECT_LE(high, cap);
    EXPECT_LT(low, policy.backoff_min + (cap - policy.backoff_min) / 20) << n;
    EXPECT_GT(high, cap - (cap - policy.backoff_min) / 20) << n;
  }
}

// Invariant 5: whatever the times of the failures, no window holds more restarts than the policy
// allows, and no long window more than its own number.
TEST(RestartHistory, PropertyNoWindowEverHoldsTooMany) {
  for (std::uint64_t seed = 1; seed <= 300; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    base::Random draw(seed);
    base::Random jitter(seed ^ 0xff);
    const auto policy =
        policy_of(static_cast<int>(draw.below(6)), seconds(1 + static_cast<int>(draw.below(100))));
    RestartHistory history;
    std::vector<Mono> restarts;
    Mono now = kStart;
    const Duration scale = policy.window / (1 + draw.below(10));
    for (int i = 0; i < 500; ++i) {
      const auto lived = Duration(
          static_cast<std::int64_t>(draw.below(static_cast<std::uint64_t>(scale.count()))));
      now += lived;
      const auto next = history.next(policy, {draw.below(2) == 0, lived}, now, jitter);
      if (next.give_up) break;
      now += next.wait + milliseconds(draw.below(50));  // a timer may be late
      history.record(policy, now);
      restarts.push_back(now);
    }
    const auto limit = static_cast<std::size_t>(policy.max_restarts);
    for (std::size_t i = 0; i + limit < restarts.size(); ++i) {
      EXPECT_GE(restarts[i + limit] - restarts[i], policy.window);
    }
    const std::size_t wide = limit * kLongFactor;
    for (std::size_t i = 0; i + wide < restarts.size(); ++i) {
      EXPECT_GE(restarts[i + wide] - restarts[i], policy.window * kLongWindows);
    }
  }
}

}  // namespace
}  // namespace mainstay::fleet
