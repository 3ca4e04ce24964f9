#include "platform/loop/worker_pool.h"

#include <gtest/gtest.h>

#include <atomic>
#include <future>

namespace mainstay::platform {
namespace {

TEST(WorkerPool, RunsJobsAndRefusesBeyondItsQueue) {
  std::promise<void> gate;
  std::shared_future<void> open = gate.get_future().share();
  std::promise<void> started;
  std::atomic<int> ran = 0;
  WorkerPool pool("ms-test", 1, 2);
  ASSERT_TRUE(pool.submit([&](std::size_t thread) {
    EXPECT_EQ(thread, 0U);
    started.set_value();
    open.wait();
    ++ran;
  }));
  started.get_future().wait();  // the first one no longer waits in the queue
  std::promise<void> last;
  ASSERT_TRUE(pool.submit([&](std::size_t) { ++ran; }));
  ASSERT_TRUE(pool.submit([&](std::size_t) {
    ++ran;
    last.set_value();
  }));
  EXPECT_FALSE(pool.submit([&](std::size_t) { ++ran; }));
  EXPECT_EQ(pool.counters().waiting, 2U);
  gate.set_value();
  last.get_future().wait();
  pool.stop();
  EXPECT_EQ(ran, 3);
  EXPECT_EQ(pool.counters().refused, 1U);
  EXPECT_FALSE(pool.submit([](std::size_t) {})) << "stopped";
}

}  // namespace
}  // namespace mainstay::platform
