#include "work/validation.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

namespace mainstay::work {
namespace {

using testing::HasSubstr;

const Wall kNow{std::chrono::hours(24 * 365 * 55)};
const std::vector<std::string> kPhases{"plan", "build", "review"};

model::WorkSpec good() {
  model::WorkSpec spec;
  spec.description = "look at a file";
  spec.capability = "file.analyse";
  spec.input = model::Payload::of("{}");
  return spec;
}

TEST(Validation, TakesAGoodItem) {
  model::WorkSpec spec = good();
  EXPECT_TRUE(check_work(spec, kPhases, kNow));
  spec.phase = "build";
  spec.priority = 0;
  spec.deadline = kNow + std::chrono::microseconds(1);
  spec.labels = {{"team", "blue"}};
  spec.retry.max_attempts = 1;
  EXPECT_TRUE(check_work(spec, kPhases, kNow));
  spec.priority = 9;
  EXPECT_TRUE(check_work(spec, kPhases, kNow));
}

struct Bad {
  const char* name;
  std::function<void(model::WorkSpec&)> change;
  const char* message;
};

// Every refusal names the field, the value and what would be right (WRK-1).
TEST(Validation, RefusesWithTheFieldTheValueAndWhatWouldBeRight) {
  using std::chrono::hours;
  const std::vector<Bad> table{
      {"no description", [](auto& s) { s.description.clear(); }, "description: a work item needs"},
      {"blank description", [](auto& s) { s.description = " \t\n"; }, "description"},
      {"long description", [](auto& s) { s.description.assign(4097, 'x'); },
       "4097 bytes, the limit is 4096"},
      {"bytes that are no text", [](auto& s) { s.description = "a\xff"; }, "UTF-8"},
      {"no capability", [](auto& s) { s.capability.clear(); }, "capability: a work item needs"},
      {"unknown phase", [](auto& s) { s.phase = "reveiw"; },
       "unknown \"reveiw\"; expected one of plan, build, review; did you mean \"review\"?"},
      {"priority too low", [](auto& s) { s.priority = -1; },
       "priority: -1 is out of range; expected 0 (lowest) to 9 (highest)"},
      {"priority too high", [](auto& s) { s.priority = 10; }, "priority: 10 is out of range"},
      {"deadline now", [](auto& s) { s.deadline = kNow; }, "is not in the future"},
      {"deadline past", [](auto& s) { s.deadline = kNow - hours(1); }, "is not in the future"},
      {"deadline in another century", [](auto& s) { s.deadline = kNow + hours(24 * 40000); },
       "more than ten years ahead"},
      {"start after deadline",
       [](auto& s) {
         s.deadline = kNow + hours(1);
         s.start_after = kNow + hours(2);
       },
       "start_after: must be before the deadline"},
      {"negative timeout", [](auto& s) { s.timeout = std::chrono::seconds(-1); },
       "timeout: -1000 ms is out of range"},
      {"endless idle timeout", [](auto& s) { s.idle_timeout = Duration::max(); }, "idle_timeout"},
      {"no attempt", [](auto& s) { s.retry.max_attempts = 0; },
       "retry.max_attempts: 0 is out of range; expected 1 to 1000"},
      {"backoff upside down", [](auto& s) { s.retry.backoff_min = hours(1); },
       "retry.backoff_min: 1h is over retry.backoff_max"},
      {"label name", [](auto& s) { s.labels["Team Blue"] = "x"; }, "labels: \"Team Blue\""},
      {"label value", [](auto& s) { s.labels["team"] = std::string(1025, 'x'); }, "labels.team"},
      {"key", [](auto& s) { s.idempotency_key = std::string(256, 'x'); }, "at most 255 bytes"},
      {"step", [](auto& s) { s.step = model::StepRef{}; }, "step: only a run"},
  };
  for (const Bad& bad : table) {
    SCOPED_TRACE(bad.name);
    model::WorkSpec spec = good();
    bad.change(spec);
    const auto checked = check_work(spec, kPhases, kNow);
    ASSERT_FALSE(checked);
    EXPECT_EQ(checked.error().code(), Code::work_invalid);
    EXPECT_THAT(checked.error().message(), HasSubstr(bad.message));
    ASSERT_FALSE(checked.error().fields().empty());
    EXPECT_EQ(checked.error().fields().front().first, "field");
  }
}

TEST(Validation, APhaseNeedsTheSetting) {
  model::WorkSpec spec = good();
  spec.phase = "plan";
  const auto checked = check_work(spec, {}, kNow);
  ASSERT_FALSE(checked);
  EXPECT_THAT(checked.error().message(), HasSubstr("work.phases"));
}

TEST(Validation, ATooLargeInputHasItsOwnCode) {
  model::WorkSpec spec = good();
  spec.input = model::Payload::of(std::string(kMaxInput + 1, ' '));
  const auto checked = check_work(spec, {}, kNow);
  ASSERT_FALSE(checked);
  EXPECT_EQ(checked.error().code(), Code::payload_too_large);
}

TEST(Validation, TooManyLabels) {
  model::WorkSpec spec = good();
  for (int i = 0; i < 65; ++i) spec.labels["l" + std::to_string(i)] = "x";
  EXPECT_FALSE(check_work(spec, {}, kNow));
}

}  // namespace
}  // namespace mainstay::work
