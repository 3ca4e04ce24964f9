// The basics that every part stands on: results, ids, enum texts, timers.
#include <gtest/gtest.h>

#include <limits>

#include "base/enum_text.h"
#include "base/result.h"
#include "base/timer_queue.h"
#include "base/uuid.h"
#include "model/outbox.h"
#include "model/request_text.h"

namespace mainstay::base {
namespace {

TEST(Result, HoldsAValueOrAnError) {
  Result<int> good = 7;
  ASSERT_TRUE(good);
  EXPECT_EQ(*good, 7);
  Result<int> bad = Error(Code::not_found, "no such item").with("id", "x");
  ASSERT_FALSE(bad);
  EXPECT_EQ(bad.error().code_name(), "not_found");
  EXPECT_EQ(bad.value_or(3), 3);
  EXPECT_FALSE(bad.error().retryable());
}

TEST(Error, TellsItsCauses) {
  const Error error = Error(Code::io_failed, "cannot read a.db")
                          .caused_by(Error(Code::io_failed, "permission denied"));
  EXPECT_EQ(error.to_text(), "cannot read a.db (io_failed); because permission denied");
}

TEST(Uuid, SortsByTimeAndSurvivesTextAndAStandingClock) {
  UuidMaker maker(1);
  const Wall wall = wall_from_micros(1'700'000'000'000'000);
  std::string last;
  for (int i = 0; i < 10'000; ++i) {
    const UuidBytes id = maker.make(wall);
    const std::string text = uuid_to_text(id);
    EXPECT_LT(last, text);
    EXPECT_EQ(text[14], '7');
    ASSERT_EQ(uuid_from_text(text), id);
    last = text;
  }
  EXPECT_FALSE(uuid_from_text("0192f3c8-7b1a-7cc3-98c4-dc0c0c07398"));
  EXPECT_FALSE(uuid_from_text("0192f3c8x7b1a-7cc3-98c4-dc0c0c07398f"));
}

TEST(EnumText, GoesBothWays) {
  EXPECT_EQ(to_text(model::WorkState::timed_out), "timed_out");
  EXPECT_EQ(parse_enum<model::WorkState>("cancelled"), model::WorkState::cancelled);
  EXPECT_FALSE(parse_enum<model::WorkState>("Cancelled"));
}

TEST(TimerQueue, GivesKeysInOrderOfTheirTime) {
  TimerQueue<int> timers;
  const Mono start{};
  timers.set(1, start + std::chrono::seconds(2));
  timers.set(2, start + std::chrono::seconds(1));
  timers.set(1, start + std::chrono::seconds(3));
  EXPECT_EQ(timers.next_due(), start + std::chrono::seconds(1));
  EXPECT_FALSE(timers.pop_due(start));
  EXPECT_EQ(timers.pop_due(start + std::chrono::seconds(9)), 2);
  EXPECT_EQ(timers.pop_due(start + std::chrono::seconds(9)), 1);
  EXPECT_EQ(timers.size(), 0U);
}

/// An agent may claim anything; the sum stays a count.
TEST(Usage, StaysAtTheMostInsteadOfPassingIt) {
  constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();
  model::Usage sum;
  sum.llm_requests = kMost;
  sum.prompt_tokens = kMost - 5;
  sum.api_calls = 3;
  model::Usage more;
  more.llm_requests = kMost;
  more.prompt_tokens = 5;
  more.completion_tokens = 1;
  more.api_calls = 4;
  sum.add(more);
  EXPECT_EQ(sum.llm_requests, kMost);
  EXPECT_EQ(sum.prompt_tokens, kMost);
  EXPECT_EQ(sum.total_tokens(), kMost);
  EXPECT_EQ(sum.api_calls, 7);
}

TEST(RequestText, TellsRequestsApartByWhatTheyAskOnly) {
  model::WorkSpec spec;
  spec.capability = "a";
  spec.description = "bc";
  const std::string first = model::request_text(spec, "{}");
  model::WorkSpec same = spec;
  same.idempotency_key = "k";
  same.trace_parent = "t";
  same.created_at = wall_from_micros(7);
  EXPECT_EQ(model::request_text(same, "{}"), first);
  model::WorkSpec shifted = spec;
  shifted.capability = "ab";
  shifted.description = "c";
  EXPECT_NE(model::request_text(shifted, "{}"), first);
  model::WorkSpec timed = spec;
  timed.start_after = wall_from_micros(0);
  EXPECT_NE(model::request_text(timed, "{}"), first);
  EXPECT_NE(model::request_text(spec, "[]"), first);
}

}  // namespace
}  // namespace mainstay::base
