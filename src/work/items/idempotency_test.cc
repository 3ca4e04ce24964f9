#include "work/items/idempotency.h"

#include <gtest/gtest.h>

namespace mainstay::work {
namespace {

using Keys = IdempotencyKeys<int, int>;
using std::chrono::minutes;
using std::chrono::seconds;

TEST(IdempotencyKeys, KnowsOpenOnesAndRemembersEndedOnesForTenMinutes) {
  Keys keys;
  const Mono start{minutes(5)};
  keys.open("a", "sha-a", 1);
  ASSERT_TRUE(keys.find("a"));
  EXPECT_FALSE(keys.find("a")->final);
  keys.end("a", 1, 42, start);
  ASSERT_TRUE(keys.find("a"));
  EXPECT_EQ(keys.find("a")->final, 42);
  EXPECT_EQ(keys.find("a")->request_sha256, "sha-a");
  keys.forget(start + minutes(10) - seconds(1));
  EXPECT_TRUE(keys.find("a"));
  keys.forget(start + minutes(10));
  EXPECT_FALSE(keys.find("a"));
  EXPECT_EQ(keys.size(), 0U);
}

TEST(IdempotencyKeys, TheEmptyKeyIsNoKey) {
  Keys keys;
  keys.open("", "sha", 1);
  EXPECT_FALSE(keys.find(""));
  EXPECT_EQ(keys.size(), 0U);
}

TEST(IdempotencyKeys, AnotherThingCannotEndAKey) {
  Keys keys;
  keys.open("a", "sha-1", 1);
  keys.open("a", "sha-2", 2);
  keys.end("a", 2, 0, Mono{});
  ASSERT_TRUE(keys.find("a"));
  EXPECT_EQ(keys.find("a")->id, 1);
  EXPECT_FALSE(keys.find("a")->final);
}

TEST(IdempotencyKeys, IsBoundedInNumber) {
  Keys keys;
  for (int i = 0; i < static_cast<int>(Keys::kMaxEnded) + 10; ++i) {
    const std::string key = std::to_string(i);
    keys.open(key, "sha", i);
    keys.end(key, i, 0, Mono{});
  }
  EXPECT_EQ(keys.size(), Keys::kMaxEnded);
  EXPECT_FALSE(keys.find("0"));
  EXPECT_TRUE(keys.find(std::to_string(Keys::kMaxEnded)));
}

}  // namespace
}  // namespace mainstay::work
