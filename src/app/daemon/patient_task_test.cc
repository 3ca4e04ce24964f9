// The steps of a start that wait for the disk: tried again as long as it may help, and no longer.
#include "app/daemon/patient_task.h"

#include <gtest/gtest.h>

#include <atomic>
#include <future>

namespace mainstay::app {
namespace {

using namespace std::chrono_literals;

constexpr auto kPatience = 20s;

PatientTask::Options options_of(std::function<void(PatientTask::OnDone)> attempt) {
  PatientTask::Options options;
  options.name = "test";
  options.attempt = std::move(attempt);
  options.on_trouble = [](const Error&, Duration) {};
  options.retry_min = 1ms;
  options.retry_max = 4ms;
  return options;
}

TEST(PatientTask, AFirstSuccessIsTheWholeStory) {
  int attempts = 0;
  PatientTask task(options_of([&](const PatientTask::OnDone& on_done) {
    ++attempts;
    on_done({});
  }));
  EXPECT_TRUE(task.start().has_value());
  task.stop();
  EXPECT_EQ(attempts, 1);
}

TEST(PatientTask, C1AnErrorThatMayPassDoesNotEndTheStart) {
  std::atomic<int> attempts = 0;
  std::atomic<int> troubles = 0;
  std::promise<void> done;
  PatientTask::Options options = options_of([&](const PatientTask::OnDone& on_done) {
    if (++attempts < 5) return on_done(Error(Code::storage_failed, "no space"));
    on_done({});
    done.set_value();
  });
  options.on_trouble = [&](const Error& error, Duration delay) {
    EXPECT_EQ(error.code(), Code::storage_failed);
    EXPECT_LE(delay, 4ms);
    ++troubles;
  };
  PatientTask task(std::move(options));
  ASSERT_TRUE(task.start().has_value()) << "it goes on in the background";
  ASSERT_EQ(done.get_future().wait_for(kPatience), std::future_status::ready);
  task.stop();
  EXPECT_EQ(attempts, 5) << "done is done";
  EXPECT_EQ(troubles, 4);
}

TEST(PatientTask, AnErrorThatWillNotPassEndsTheStart) {
  PatientTask task(options_of(
      [](const PatientTask::OnDone& on_done) { on_done(Error(Code::config_invalid, "a cycle")); }));
  const auto started = task.start();
  ASSERT_FALSE(started.has_value());
  EXPECT_EQ(started.error().code(), Code::config_invalid);
}

TEST(PatientTask, StopWaitsForNoAnswer) {
  PatientTask::OnDone late;
  std::promise<void> asked;
  int attempts = 0;
  PatientTask task(options_of([&](PatientTask::OnDone on_done) {
    if (++attempts == 1) return on_done(Error(Code::storage_failed, "no space"));
    late = std::move(on_done);
    asked.set_value();
  }));
  ASSERT_TRUE(task.start().has_value());
  ASSERT_EQ(asked.get_future().wait_for(kPatience), std::future_status::ready);
  task.stop();
  late({});  // nobody hears it
}

}  // namespace
}  // namespace mainstay::app
