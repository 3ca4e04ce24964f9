#include "node/output/line_gate.h"

#include <gtest/gtest.h>

namespace mainstay::node {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr Mono kStart{std::chrono::hours(1)};

TEST(RateBucket, GivesItsBurstThenItsRate) {
  RateBucket bucket(10, 100);
  int given = 0;
  const auto draw = [&](Mono now) {
    given = 0;
    while (bucket.has(1, now)) {
      bucket.take(1);
      ++given;
    }
    return given;
  };
  EXPECT_EQ(draw(kStart), 100);
  EXPECT_EQ(draw(kStart), 0);
  EXPECT_EQ(draw(kStart + milliseconds(500)), 5);
  EXPECT_EQ(draw(kStart + milliseconds(400)), 0) << "a clock that goes back gives nothing";
  EXPECT_EQ(draw(kStart + seconds(1)), 5);
  EXPECT_EQ(draw(kStart + seconds(3600)), 100) << "never more than the burst";
}

TEST(RateBucket, WhatIsLargerThanItPassesOnceItIsFull) {
  RateBucket bucket(10, 100);
  ASSERT_TRUE(bucket.has(1000, kStart));
  bucket.take(1000);
  EXPECT_FALSE(bucket.has(1, kStart + seconds(90)));
  EXPECT_TRUE(bucket.has(1, kStart + seconds(91)));
}

TEST(RateBucket, ZeroIsWithoutLimit) {
  RateBucket bucket(0, 0);
  for (int i = 0; i < 1000; ++i) {
    ASSERT_TRUE(bucket.has(1'000'000, kStart));
    bucket.take(1'000'000);
  }
}

TEST(AgentGate, IsHeldToLinesAndToBytes) {
  AgentGate lines({.lines = 1, .bytes = 0});
  int passed = 0;
  for (int i = 0; i < 100; ++i) passed += lines.admit(1, kStart) ? 1 : 0;
  EXPECT_EQ(passed, 10);
  EXPECT_EQ(lines.take_dropped(), 90U);
  EXPECT_EQ(lines.take_dropped(), 0U);
  AgentGate bytes({.lines = 0, .bytes = 10});
  EXPECT_TRUE(bytes.admit(60, kStart));
  EXPECT_FALSE(bytes.admit(60, kStart));
  EXPECT_TRUE(bytes.admit(40, kStart)) << "what was refused cost nothing";
}

TEST(LineGate, OneAgentsFloodIsNotAnothersLoss) {
  LineGate gate({.lines = 10, .bytes = 0});
  for (int i = 0; i < 1000; ++i) gate.admit("loud", 16, kStart);
  EXPECT_TRUE(gate.admit("quiet", 16, kStart));
  const auto dropped = gate.take_dropped();
  ASSERT_EQ(dropped.size(), 1U);
  EXPECT_EQ(dropped[0].agent, "loud");
  EXPECT_EQ(dropped[0].lines, 900U);
  EXPECT_EQ(gate.dropped_total(), 900U);
  EXPECT_TRUE(gate.take_dropped().empty());
}

}  // namespace
}  // namespace mainstay::node
