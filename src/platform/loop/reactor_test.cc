#include "platform/loop/reactor.h"

#include <gtest/gtest.h>
#include <sys/epoll.h>

#include <string>
#include <thread>

#include "platform/process/test_process.h"

namespace mainstay::platform {
namespace {

using std::chrono::milliseconds;

TEST(Reactor, RunsPostedTasksInOrderAndWhatCameBeforeStop) {
  auto reactor = *Reactor::make();
  std::string order;
  std::thread other([&] {
    for (char c = 'a'; c <= 'e'; ++c) reactor->post([&order, c] { order.push_back(c); });
    reactor->stop();
  });
  reactor->run();
  other.join();
  EXPECT_EQ(order, "abcde");
}

TEST(Reactor, TimersFireByDueTimeAndCanBeCancelled) {
  auto reactor = *Reactor::make();
  std::string order;
  // The later one is set first, far enough ahead that a busy machine does not turn them round.
  reactor->after(milliseconds(400), [&] {
    order.push_back('2');
    reactor->stop();
  });
  reactor->after(milliseconds(1), [&] { order.push_back('1'); });
  auto never = reactor->after(milliseconds(2), [&] { order.push_back('x'); });
  reactor->cancel(never);
  reactor->run();
  EXPECT_EQ(order, "12");
}

TEST(Reactor, ACallbackMayUnwatchItselfAndOthersOfItsRound) {
  auto reactor = *Reactor::make();
  Pipe one;
  Pipe two;
  ASSERT_TRUE(write_all(one.writer.get(), "x", "pipe"));
  ASSERT_TRUE(write_all(two.writer.get(), "x", "pipe"));
  int calls = 0;
  Reactor::WatchId ids[2] = {0, 0};
  auto unwatch_both = [&](std::uint32_t) {
    ++calls;
    for (auto id : ids) reactor->unwatch(id);
    reactor->stop();
  };
  ids[0] = *reactor->watch(one.reader.get(), EPOLLIN, unwatch_both);
  ids[1] = *reactor->watch(two.reader.get(), EPOLLIN, unwatch_both);
  reactor->run();
  EXPECT_EQ(calls, 1);
}

TEST(Reactor, SeesTheEndOfAProcess) {
  auto reactor = *Reactor::make();
  auto process = spawn(shell("exit 3"));
  ASSERT_TRUE(process);
  std::optional<ProcessExit> exit;
  auto id = *reactor->watch(process->pidfd.get(), EPOLLIN, [&](std::uint32_t) {
    exit = peek_exit(process->pidfd);
    reactor->stop();
  });
  reactor->run();
  reactor->unwatch(id);
  reap(process->pidfd);
  ASSERT_TRUE(exit);
  EXPECT_EQ(exit->code, 3);
}

TEST(Reactor, RefusesADescriptorThatCannotBeWatched) {
  auto reactor = *Reactor::make();
  EXPECT_FALSE(reactor->watch(-1, EPOLLIN, [](std::uint32_t) {}));
}

}  // namespace
}  // namespace mainstay::platform
