// Every event exactly once and in order, also across the switch from the journal to live; loss only
// where it was chosen, and counted. Run under ThreadSanitizer too.
#include "bus/bus.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <deque>
#include <future>
#include <numeric>
#include <thread>

#include "base/random.h"

namespace mainstay::bus {
namespace {

using model::Event;
using model::Sequence;
using std::chrono::seconds;
using testing::ElementsAre;
using testing::IsEmpty;

constexpr Duration kPatience = seconds(60);

std::string kind_of(Sequence seq) { return seq % 3 == 0 ? "run.finished" : "work.succeeded"; }

/// The durable events; may fail, and may be told to lag.
class MemoryJournal : public EventReader {
 public:
  Result<std::vector<Event>> read(Sequence after, std::size_t limit) override {
    ++reads;
    if (failures.load() > 0) {
      --failures;
      return Error(Code::storage_failed, "disk I/O error");
    }
    const std::lock_guard lock(mutex_);
    std::vector<Event> found;
    for (auto seq = static_cast<std::size_t>(after); seq < events_.size(); ++seq) {
      if (found.size() == limit) break;
      found.push_back(events_[seq]);
    }
    return found;
  }
  std::vector<Event> append(std::size_t count) {
    const std::lock_guard lock(mutex_);
    std::vector<Event> added;
    for (std::size_t i = 0; i < count; ++i) {
      Event event;
      event.seq = static_cast<Sequence>(events_.size()) + 1;
      event.kind = kind_of(event.seq);
      events_.push_back(event);
      added.push_back(event);
    }
    return added;
  }

  std::atomic<int> failures = 0;
  std::atomic<int> reads = 0;

 private:
  std::mutex mutex_;
  std::vector<Event> events_;
};

/// What a subscriber saw; a gap of n is kept as -n.
struct Seen {
  Handler handler() {
    return {[this](const Event& event) {
              const std::lock_guard lock(mutex);
              all.push_back(event.seq);
              return Delivery::taken;
            },
            [this](std::uint64_t count) {
              const std::lock_guard lock(mutex);
              all.push_back(-static_cast<Sequence>(count));
            }};
  }
  std::vector<Sequence> get() {
    const std::lock_guard lock(mutex);
    return all;
  }
  std::mutex mutex;
  std::vector<Sequence> all;
};

/// Tasks wait until the test runs them.
struct ManualExecutor {
  Executor executor() {
    return {[this](std::function<void()> task) { tasks.push_back(std::move(task)); },
            [this](Duration, std::function<void()> task) { delayed.push_back(std::move(task)); }};
  }
  void run() {
    while (!tasks.empty()) {
      auto task = std::move(tasks.front());
      tasks.pop_front();
      task();
    }
  }
  void run_delayed() {
    for (auto& task : std::exchange(delayed, {})) task();
    run();
  }
  std::deque<std::function<void()>> tasks;
  std::deque<std::function<void()>> delayed;
};

std::vector<Sequence> range(Sequence first, Sequence last) {
  std::vector<Sequence> all(static_cast<std::size_t>(last - first + 1));
  std::iota(all.begin(), all.end(), first);
  return all;
}

SubscriptionOptions options_of(std::string name, std::optional<Sequence> after = std::nullopt) {
  SubscriptionOptions options;
  options.name = std::move(name);
  options.after = after;
  return options;
}

TEST(Bus, LiveSubscribersGetWhatIsPublishedFromNowOn) {
  MemoryJournal journal;
  Bus bus(journal, 0);
  bus.publish(journal.append(3));
  Seen seen;
  auto subscription = bus.subscribe(options_of("live"), seen.handler());
  ASSERT_TRUE(subscription);
  bus.publish(journal.append(4));
  ASSERT_TRUE((*subscription)->wait_for(7, kPatience));
  EXPECT_EQ(seen.get(), range(4, 7));
  EXPECT_EQ(journal.reads, 0);
  EXPECT_EQ(bus.last(), 7);
}

TEST(Bus, ReplayGoesOverIntoLive) {
  MemoryJournal journal;
  journal.append(1000);
  Bus bus(journal, 1000);
  Seen seen;
  auto subscription = bus.subscribe(options_of("replay", 10), seen.handler());
  bus.publish(journal.append(50));
  ASSERT_TRUE((*subscription)->wait_for(1050, kPatience));
  bus.publish(journal.append(50));
  ASSERT_TRUE((*subscription)->wait_for(1100, kPatience));
  EXPECT_EQ(seen.get(), range(11, 1100));
  EXPECT_FALSE((*subscription)->counters().replaying);
}

TEST(Bus, WhatIsPublishedTwiceIsDeliveredOnce) {
  MemoryJournal journal;
  Bus bus(journal, 0);
  Seen seen;
  auto subscription = bus.subscribe(options_of("x", 0), seen.handler());
  const auto events = journal.append(5);
  bus.publish(events);
  bus.publish(events);
  ASSERT_TRUE((*subscription)->wait_for(5, kPatience));
  bus.publish(journal.append(1));
  ASSERT_TRUE((*subscription)->wait_for(6, kPatience));
  EXPECT_EQ(seen.get(), range(1, 6));
}

TEST(Bus, EventsThatAreDurableButNotYetPublishedAreNotRepeated) {
  MemoryJournal journal;
  const auto first = journal.append(5);
  Bus bus(journal, 5);
  const auto early = journal.append(5);  // durable, on their way to the bus
  Seen seen;
  auto subscription = bus.subscribe(options_of("x", 2), seen.handler());
  ASSERT_TRUE((*subscription)->wait_for(5, kPatience));
  bus.publish(early);
  bus.publish(journal.append(2));
  ASSERT_TRUE((*subscription)->wait_for(12, kPatience));
  EXPECT_EQ(seen.get(), range(3, 12));
}

TEST(Bus, TopicsAreKindsOrFamilies) {
  MemoryJournal journal;
  journal.append(30);
  Bus bus(journal, 30);
  Seen runs;
  Seen work;
  SubscriptionOptions options = options_of("runs", 0);
  options.topics = {"run.finished"};
  auto first = bus.subscribe(options, runs.handler());
  options = options_of("work", 0);
  options.topics = {"work.*", "agent.*"};
  auto second = bus.subscribe(options, work.handler());
  bus.publish(journal.append(3));
  ASSERT_TRUE((*first)->wait_for(33, kPatience));
  ASSERT_TRUE((*second)->wait_for(33, kPatience)) << "what is not wanted moves the position too";
  EXPECT_THAT(runs.get(), ElementsAre(3, 6, 9, 12, 15, 18, 21, 24, 27, 30, 33));
  EXPECT_EQ(work.get().size(), 22U);
}

TEST(Bus, ASlowSubscriberLosesNothingAndHoldsNobodyUp) {
  MemoryJournal journal;
  Bus bus(journal, 0);
  ManualExecutor manual;
  Seen seen;
  SubscriptionOptions options = options_of("slow");
  options.capacity = 8;
  options.executor = manual.executor();
  auto subscription = bus.subscribe(options, seen.handler());
  for (int i = 0; i < 100; ++i) bus.publish(journal.append(10));
  EXPECT_EQ((*subscription)->counters().waiting, 8U) << "memory is bounded";
  EXPECT_TRUE((*subscription)->counters().replaying);
  manual.run();
  EXPECT_EQ(seen.get(), range(1, 1000));
  EXPECT_EQ((*subscription)->counters().replays, 1U);
  bus.publish(journal.append(3));
  manual.run();
  EXPECT_EQ(seen.get().size(), 1003U);
  EXPECT_FALSE((*subscription)->counters().replaying);
}

TEST(Bus, DroppedEventsLeaveACountedMarkInTheirPlace) {
  MemoryJournal journal;
  Bus bus(journal, 0);
  ManualExecutor manual;
  Seen seen;
  SubscriptionOptions options = options_of("drop");
  options.capacity = 3;
  options.overflow = Overflow::drop;
  options.executor = manual.executor();
  auto subscription = bus.subscribe(options, seen.handler());
  bus.publish(journal.append(10));
  manual.run();
  bus.publish(journal.append(2));
  manual.run();
  EXPECT_THAT(seen.get(), ElementsAre(1, 2, 3, -7, 11, 12));
  EXPECT_EQ((*subscription)->counters().lost, 7U);
  EXPECT_EQ((*subscription)->counters().position, 12);
}

TEST(Bus, BackPressureHoldsThePublisherForABoundedTime) {
  MemoryJournal journal;
  Bus bus(journal, 0);
  ManualExecutor manual;
  Seen seen;
  SubscriptionOptions options = options_of("wait");
  options.capacity = 2;
  options.overflow = Overflow::wait;
  options.wait_at_most = std::chrono::milliseconds(20);
  options.executor = manual.executor();
  auto subscription = bus.subscribe(options, seen.handler());
  bus.publish(journal.append(5));  // nobody runs the tasks
  manual.run();
  EXPECT_THAT(seen.get(), ElementsAre(1, 2, -3));
}

TEST(Bus, BackPressureLosesNothingWhereTheSubscriberKeepsUp) {
  MemoryJournal journal;
  Bus bus(journal, 0);
  Seen seen;
  SubscriptionOptions options = options_of("wait");
  options.capacity = 2;
  options.overflow = Overflow::wait;
  options.wait_at_most = kPatience;
  auto subscription = bus.subscribe(options, seen.handler());
  for (int i = 0; i < 200; ++i) bus.publish(journal.append(5));
  ASSERT_TRUE((*subscription)->wait_for(1000, kPatience));
  EXPECT_EQ(seen.get(), range(1, 1000));
}

TEST(Bus, LaterMeansTheSameEventAgainAfterResume) {
  MemoryJournal journal;
  journal.append(20);
  Bus bus(journal, 20);
  ManualExecutor manual;
  SubscriptionOptions options = options_of("sse", 0);
  options.capacity = 4;
  options.executor = manual.executor();
  std::vector<Sequence> taken;
  int credit = 3;
  auto subscription = bus.subscribe(options, {[&](const Event& event) {
                                                if (credit == 0) return Delivery::later;
                                                --credit;
                                                taken.push_back(event.seq);
                                                return Delivery::taken;
                                              },
                                              {}});
  manual.run();
  EXPECT_EQ(taken, range(1, 3));
  bus.publish(journal.append(30));
  manual.run();
  EXPECT_EQ(taken, range(1, 3)) << "parked: nothing is tried";
  for (int i = 0; i < 100 && taken.size() < 50; ++i) {
    credit = 1;
    (*subscription)->resume();
    manual.run();
  }
  EXPECT_EQ(taken, range(1, 50));
}

TEST(Bus, ResumeBeforeTheAnswerIsNotLost) {
  MemoryJournal journal;
  Bus bus(journal, 0);
  ManualExecutor manual;
  SubscriptionOptions options = options_of("x");
  options.executor = manual.executor();
  Subscription* self = nullptr;
  int calls = 0;
  auto subscription = bus.subscribe(options, {[&](const Event&) {
                                                if (++calls > 1) return Delivery::taken;
                                                self->resume();
                                                return Delivery::later;
                                              },
                                              {}});
  self = subscription->get();
  bus.publish(journal.append(1));
  manual.run();
  EXPECT_EQ(calls, 2);
}

TEST(Bus, FailedReadsAreTriedAgain) {
  MemoryJournal journal;
  journal.append(10);
  Bus bus(journal, 10);
  journal.failures = 3;
  ManualExecutor manual;
  Seen seen;
  SubscriptionOptions options = options_of("x", 0);
  options.executor = manual.executor();
  auto subscription = bus.subscribe(options, seen.handler());
  manual.run();
  EXPECT_THAT(seen.get(), IsEmpty());
  for (int i = 0; i < 3; ++i) manual.run_delayed();
  EXPECT_EQ(seen.get(), range(1, 10));
  EXPECT_EQ((*subscription)->counters().read_failures, 3U);
}

TEST(Bus, FailedReadsOfAThreadAreTriedAgain) {
  MemoryJournal journal;
  journal.append(10);
  Bus bus(journal, 10);
  journal.failures = 2;
  Seen seen;
  auto subscription = bus.subscribe(options_of("x", 0), seen.handler());
  ASSERT_TRUE((*subscription)->wait_for(10, kPatience));
  EXPECT_EQ(seen.get(), range(1, 10));
}

TEST(Bus, RefusesWhatCannotBe) {
  MemoryJournal journal;
  Bus bus(journal, 5);
  Seen seen;
  EXPECT_FALSE(bus.subscribe(options_of(""), seen.handler()));
  EXPECT_FALSE(bus.subscribe(options_of("x", 6), seen.handler()));
  EXPECT_FALSE(bus.subscribe(options_of("x", -1), seen.handler()));
  EXPECT_FALSE(bus.subscribe(options_of("x"), {}));
  bus.close();
  EXPECT_EQ(bus.subscribe(options_of("x"), seen.handler()).error().code(), Code::unavailable);
}

TEST(Bus, NoHandlerRunsAfterClose) {
  MemoryJournal journal;
  Bus bus(journal, 0);
  std::atomic<bool> closed = false;
  std::atomic<int> late = 0;
  auto subscription = bus.subscribe(options_of("x"), {[&](const Event&) {
                                                        if (closed) ++late;
                                                        return Delivery::taken;
                                                      },
                                                      {}});
  std::thread publisher([&] {
    for (int i = 0; i < 500; ++i) bus.publish(journal.append(1));
  });
  ASSERT_TRUE((*subscription)->wait_for(50, kPatience));
  subscription->reset();
  closed = true;
  publisher.join();
  EXPECT_EQ(late, 0);
  EXPECT_THAT(bus.counters(), IsEmpty());
}

TEST(Bus, AHandlerMayEndItsOwnSubscription) {
  MemoryJournal journal;
  Bus bus(journal, 0);
  std::promise<void> done;
  std::unique_ptr<Subscription> subscription;
  std::mutex mutex;
  auto made = bus.subscribe(options_of("x"), {[&](const Event&) {
                                                const std::lock_guard lock(mutex);
                                                subscription.reset();
                                                done.set_value();
                                                return Delivery::taken;
                                              },
                                              {}});
  {
    const std::lock_guard lock(mutex);
    subscription = *std::move(made);
  }
  bus.publish(journal.append(2));
  done.get_future().wait();
  const std::lock_guard lock(mutex);
  EXPECT_EQ(subscription, nullptr);
}

TEST(Bus, CloseLetsAWaitingPublisherGo) {
  MemoryJournal journal;
  Bus bus(journal, 0);
  ManualExecutor manual;
  Seen seen;
  SubscriptionOptions options = options_of("wait");
  options.capacity = 1;
  options.overflow = Overflow::wait;
  options.wait_at_most = kPatience;
  options.executor = manual.executor();
  auto subscription = bus.subscribe(options, seen.handler());
  std::thread publisher([&] { bus.publish(journal.append(3)); });
  bus.close();
  publisher.join();
}

// Many publishers' batches, subscribers that come and go at any place, tiny queues: each sees a
// range without a gap or a repeat. Real threads, so the seed fixes the workload, not the schedule.
TEST(Bus, PropertyEachSubscriberSeesAnUnbrokenRange) {
  for (std::uint64_t seed = 1; seed <= 12; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    base::Random random(seed);
    MemoryJournal journal;
    const auto before = static_cast<Sequence>(random.below(200));
    journal.append(static_cast<std::size_t>(before));
    Bus bus(journal, before);
    std::vector<std::size_t> batches;
    for (int i = 0; i < 300; ++i) batches.push_back(1 + random.below(7));
    const Sequence end =
        before + static_cast<Sequence>(std::accumulate(batches.begin(), batches.end(), 0UL));
    std::thread publisher([&] {
      for (std::size_t size : batches) bus.publish(journal.append(size));
    });
    std::vector<std::thread> subscribers;
    for (int i = 0; i < 4; ++i) {
      subscribers.emplace_back([&, draw = base::Random(seed * 100 + i)]() mutable {
        for (int round = 0; round < 4; ++round) {
          Seen seen;
          const Sequence now = bus.last();
          const bool replay = draw.below(2) == 0;
          const auto after =
              static_cast<Sequence>(replay ? draw.below(static_cast<std::uint64_t>(now) + 1) : 0);
          SubscriptionOptions options = options_of("s");
          if (replay) options.after = after;
          options.capacity = 1 + draw.below(20);
          auto subscription = bus.subscribe(options, seen.handler());
          ASSERT_TRUE(subscription);
          const bool last_round = round == 3;
          ASSERT_TRUE(
              (*subscription)->wait_for(last_round ? end : std::min(end, now + 50), kPatience));
          subscription->reset();
          const auto got = seen.get();
          if (got.empty()) continue;
          if (replay) {
            EXPECT_EQ(got.front(), after + 1);
          }
          EXPECT_EQ(got, range(got.front(), got.back()));
          if (last_round) {
            EXPECT_EQ(got.back(), end);
          }
        }
      });
    }
    for (std::thread& thread : subscribers) thread.join();
    publisher.join();
  }
}

}  // namespace
}  // namespace mainstay::bus
