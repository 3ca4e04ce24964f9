#include "work/items/retry_policy.h"

#include <gtest/gtest.h>

#include <set>

namespace mainstay::work {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;

TEST(RetryPolicy, BoundDoublesUpToTheCap) {
  const model::RetryPolicy policy{10, milliseconds(200), seconds(1)};
  EXPECT_EQ(backoff_bound(policy, 1), milliseconds(200));
  EXPECT_EQ(backoff_bound(policy, 2), milliseconds(400));
  EXPECT_EQ(backoff_bound(policy, 3), milliseconds(800));
  EXPECT_EQ(backoff_bound(policy, 4), seconds(1));
  EXPECT_EQ(backoff_bound(policy, 1000), seconds(1));
}

TEST(RetryPolicy, BoundNeverOverflows) {
  const model::RetryPolicy policy{1000, hours(24), Duration::max()};
  for (int n = 1; n < 200; ++n) EXPECT_GE(backoff_bound(policy, n), hours(24));
  EXPECT_EQ(backoff_bound({3, Duration(-5), seconds(1)}, 1), Duration::zero());
  EXPECT_EQ(backoff_bound({3, seconds(1), Duration(-5)}, 1), Duration::zero());
}

// Full jitter: anywhere from zero to the bound, never beyond, and not always the same.
TEST(RetryPolicy, WaitsAreSpreadOverTheWholeRange) {
  const std::uint64_t seed = 20261121;
  std::printf("seed %llu\n", static_cast<unsigned long long>(seed));
  base::Random random(seed);
  const model::RetryPolicy policy{10, milliseconds(100), seconds(10)};
  std::set<std::int64_t> tenths;
  for (int i = 0; i < 1000; ++i) {
    const Duration wait = backoff_before_retry(policy, 4, random);
    ASSERT_GE(wait, Duration::zero());
    ASSERT_LE(wait, milliseconds(800));
    tenths.insert(wait / milliseconds(80));
  }
  EXPECT_GE(tenths.size(), 10U);
}

TEST(RetryPolicy, GivesUpWhenTriesAreUsedOrTheErrorIsPermanent) {
  const model::RetryPolicy policy{3, milliseconds(1), milliseconds(2)};
  EXPECT_EQ(after_failure(policy, 1, false), Verdict::retry);
  EXPECT_EQ(after_failure(policy, 2, false), Verdict::retry);
  EXPECT_EQ(after_failure(policy, 3, false), Verdict::give_up);
  EXPECT_EQ(after_failure(policy, 1, true), Verdict::give_up);
}

}  // namespace
}  // namespace mainstay::work
