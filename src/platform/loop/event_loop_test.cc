// The I/O pool: order on a lane, timers, stopping with work left.
#include "platform/loop/event_loop.h"

#include <gtest/gtest.h>

#include <future>
#include <vector>

#include "platform/clock.h"

namespace mainstay::platform {
namespace {

using std::chrono::milliseconds;

TEST(EventLoop, RunsTasksOfALaneInOrderOnItsThread) {
  EventLoop loop("test", 2);
  ASSERT_TRUE(loop.start());
  std::vector<int> seen;  // lane 1 only
  std::promise<std::vector<int>> done;
  for (int i = 0; i < 1000; ++i) {
    loop.post(
        [&, i] {
          ASSERT_TRUE(loop.on_lane(1));
          ASSERT_FALSE(loop.on_lane(0));
          seen.push_back(i);
          if (i == 999) done.set_value(seen);
        },
        1);
  }
  const std::vector<int> all = done.get_future().get();
  ASSERT_EQ(all.size(), 1000U);
  for (int i = 0; i < 1000; ++i) EXPECT_EQ(all[static_cast<std::size_t>(i)], i);
  EXPECT_FALSE(loop.on_lane(0));
}

TEST(EventLoop, StopDestroysWhatIsLeft) {
  auto held = std::make_shared<int>(1);
  {
    EventLoop loop;
    loop.post([held] {});  // never started
    EXPECT_EQ(held.use_count(), 2);
  }
  EXPECT_EQ(held.use_count(), 1);
}

TEST(EventLoop, WhatIsLeftMayOwnTimersOfOtherLanes) {
  EventLoop loop("test", 3);
  for (int lane = 0; lane < 3; ++lane) {
    for (int of = 0; of < 3; ++of) {
      loop.post([timer = std::make_shared<Timer>(loop, of)] { timer->cancel(); }, lane);
    }
  }
}

TEST(Timer, FiresNotBeforeItsTimeAndOnlyTheNewestCallback) {
  EventLoop loop;
  ASSERT_TRUE(loop.start());
  std::promise<Mono> fired;
  Timer timer(loop);
  const Mono start = mono_now();
  loop.post([&] {  // on its lane, where the first cannot run before it is replaced
    timer.after(milliseconds(1), [] { FAIL() << "was replaced"; });
    timer.after(milliseconds(30), [&] { fired.set_value(mono_now()); });
  });
  EXPECT_GE(fired.get_future().get() - start, milliseconds(30));
}

TEST(Timer, CancelOnItsLaneIsFinal) {
  EventLoop loop;
  ASSERT_TRUE(loop.start());
  std::promise<void> done;
  auto timer = std::make_unique<Timer>(loop);
  Timer later(loop);
  loop.post([&] {
    timer->after(Duration(0), [] { FAIL() << "was cancelled"; });
    timer->cancel();
    timer->after(Duration(0), [] { FAIL() << "was destroyed"; });
    timer.reset();
    later.after(milliseconds(5), [&] { done.set_value(); });
  });
  done.get_future().get();
}

TEST(Timer, CallbackMaySetItsTimerAgain) {
  EventLoop loop;
  ASSERT_TRUE(loop.start());
  std::promise<void> done;
  Timer timer(loop);
  int count = 0;
  std::function<void()> again = [&] {
    if (++count == 3) {
      done.set_value();
    } else {
      timer.after(Duration(0), again);
    }
  };
  timer.after(Duration(0), again);
  done.get_future().get();
  EXPECT_EQ(count, 3);
}

}  // namespace
}  // namespace mainstay::platform
