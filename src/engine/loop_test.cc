// The control loop's thread: what it promises to those who wait for an answer. The store is played
// by the test, which decides when a turn is durable; the Core is the real one.
#include "engine/loop.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>
#include <optional>
#include <set>

#include "model/work.h"

namespace mainstay::engine {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;

constexpr auto kPatience = 60s;

Now real_now() {
  return {std::chrono::steady_clock::now(),
          std::chrono::time_point_cast<Wall::duration>(std::chrono::system_clock::now())};
}

/// Holds every turn until the test lets it be durable.
class HeldStore {
 public:
  void commit(Turn turn) {
    std::lock_guard lock(mutex_);
    held_.push_back(std::move(turn));
    changed_.notify_all();
  }
  bool wait_held(std::size_t count) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, kPatience, [&] { return held_.size() >= count; });
  }
  std::size_t held() {
    std::lock_guard lock(mutex_);
    return held_.size();
  }
  /// Makes the oldest turn durable and gives it back.
  Turn let_go() {
    std::unique_lock lock(mutex_);
    EXPECT_TRUE(changed_.wait_for(lock, kPatience, [&] { return !held_.empty(); }));
    if (held_.empty()) return {};
    Turn turn = std::move(held_.front());
    held_.pop_front();
    lock.unlock();
    turn.on_durable();
    return turn;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Turn> held_;
};

class LoopTest : public ::testing::Test {
 protected:
  using Answer = Result<model::ReplyBody>;

  std::unique_ptr<Loop> make_empty(Loop::Limits limits = {}) {
    Loop::Ports ports;
    ports.clock = real_now;
    ports.commit = [this](Turn turn) { store_.commit(std::move(turn)); };
    ports.effects = [this](const std::vector<model::Effect>&) { note("effects"); };
    ports.events = [this](const std::vector<model::Event>&) { note("events"); };
    auto loop =
        std::make_unique<Loop>(std::make_unique<Core>(CoreSettings{}), std::move(ports), limits);
    loop->start({});
    store_.let_go();  // what recovery wrote
    return loop;
  }

  /// Started, with a fleet whose only agent offers `echo` and is not up.
  std::unique_ptr<Loop> make(Loop::Limits limits = {}) {
    auto loop = make_empty(limits);
    auto spec = std::make_shared<model::AgentSpec>();
    spec->name = "echo";
    spec->command = {"true"};
    spec->capabilities = {"echo"};
    auto fleet = std::make_shared<model::FleetSpec>();
    fleet->name = "test";
    fleet->agents = {spec};
    auto loaded = send(*loop, model::LoadFleet{fleet});
    store_.let_go();
    EXPECT_TRUE(value(loaded).has_value());
    notes_.clear();
    return loop;
  }

  std::future<Answer> send(Loop& loop, model::CommandBody body) {
    auto promise = std::make_shared<std::promise<Answer>>();
    auto future = promise->get_future();
    // A second answer would throw and end the test.
    loop.command(std::move(body), "test", [this, promise](Answer answer) {
      note("reply");
      promise->set_value(std::move(answer));
    });
    return future;
  }
  std::future<Answer> submit(Loop& loop, Duration deadline = {}) {
    model::SubmitWork body;
    body.spec.capability = "echo";
    body.spec.description = "say it";
    body.spec.input = model::Payload::of("{}");
    if (deadline > Duration::zero()) {
      body.spec.deadline = real_now().wall + std::chrono::ceil<Wall::duration>(deadline);
    }
    return send(loop, std::move(body));
  }
  static Answer value(std::future<Answer>& future) {
    if (future.wait_for(kPatience) != std::future_status::ready) {
      return Error(Code::internal, "no answer in time");
    }
    return future.get();
  }
  static bool answered(const std::future<Answer>& future) {
    return future.wait_for(0s) == std::future_status::ready;
  }

  void note(const std::string& what) {
    std::lock_guard lock(notes_mutex_);
    notes_.push_back(what);
  }

  HeldStore store_;
  std::mutex notes_mutex_;
  std::vector<std::string> notes_;
};

TEST_F(LoopTest, NothingIsAnsweredBeforeItsTurnIsDurable) {
  auto loop = make();
  auto answer = submit(*loop);
  ASSERT_TRUE(store_.wait_held(1));
  EXPECT_FALSE(answered(answer));
  const Turn turn = store_.let_go();
  EXPECT_FALSE(turn.rows.empty());
  ASSERT_TRUE(value(answer).has_value());
  loop->stop(kPatience);
}

TEST_F(LoopTest, EffectsLeaveBeforeTheReplyAndEventsAfterIt) {
  auto loop = make_empty();
  auto spec = std::make_shared<model::AgentSpec>();
  spec->name = "echo";
  spec->command = {"true"};
  auto fleet = std::make_shared<model::FleetSpec>();
  fleet->agents = {spec};
  auto loaded = send(*loop, model::LoadFleet{fleet});
  store_.let_go();
  EXPECT_THAT(notes_, ElementsAre("effects", "reply", "events"));
  loop->stop(kPatience);
}

TEST_F(LoopTest, WhatComesDuringCommitsGoesIntoOneTurn) {
  auto loop = make({65'536, 4'096, 1});
  auto first = submit(*loop);
  ASSERT_TRUE(store_.wait_held(1));
  std::vector<std::future<Answer>> rest;
  for (int i = 0; i < 100; ++i) rest.push_back(submit(*loop));
  EXPECT_EQ(store_.held(), 1U) << "one turn in flight is the limit here";
  store_.let_go();
  ASSERT_TRUE(value(first).has_value());
  store_.let_go();
  for (auto& answer : rest) EXPECT_TRUE(value(answer).has_value());
  EXPECT_EQ(store_.held(), 0U);
  loop->stop(kPatience);
}

TEST_F(LoopTest, C4AFailingStoreAnswersAtOnceAndOnlyOnce) {
  auto loop = make();
  auto answer = submit(*loop);
  ASSERT_TRUE(store_.wait_held(1));
  loop->storage_changed({false, false, "fdatasync: Input/output error"});
  auto refused = value(answer);
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code(), Code::storage_failed);
  EXPECT_TRUE(refused.error().retryable());
  auto next = submit(*loop);
  EXPECT_TRUE(answered(next)) << "refused without a turn";
  EXPECT_EQ(value(next).error().code(), Code::storage_failed);
  store_.let_go();  // durable after all: nobody waits any more
  loop->storage_changed({true, false, ""});
  auto later = submit(*loop);
  store_.let_go();
  EXPECT_TRUE(value(later).has_value());
  loop->stop(kPatience);
}

// With turns under way that do not come back, the loop itself stands still.
TEST_F(LoopTest, C7WhoeverWaitsIsAnsweredWhenTheDiskDoesNotAnswer) {
  auto loop = make({65'536, 4'096, 1});
  auto in_flight = submit(*loop);
  ASSERT_TRUE(store_.wait_held(1));
  std::vector<std::future<Answer>> waiting;
  for (int i = 0; i < 10; ++i) waiting.push_back(submit(*loop));
  loop->storage_changed({false, false, "the disk does not answer"});
  EXPECT_EQ(value(in_flight).error().code(), Code::storage_failed);
  for (auto& answer : waiting) {
    ASSERT_TRUE(answered(answer)) << "it is not left in the mailbox";
    EXPECT_EQ(value(answer).error().code(), Code::storage_failed);
  }
  store_.let_go();
  loop->storage_changed({true, false, ""});
  auto later = submit(*loop);
  store_.let_go();
  EXPECT_TRUE(value(later).has_value());
  EXPECT_EQ(store_.held(), 0U) << "nothing of what was refused is done after all";
  loop->stop(kPatience);
}

TEST_F(LoopTest, C1AFullDiskRefusesNewWorkByTheCore) {
  auto loop = make();
  loop->storage_changed({false, true, "no space left"});
  auto answer = submit(*loop);
  store_.let_go();
  auto refused = value(answer);
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code(), Code::storage_full);
  loop->stop(kPatience);
}

TEST_F(LoopTest, C1WhatWasOnItsWayWhenTheDiskFilledUpKeepsItsOwnAnswer) {
  auto loop = make();
  auto accepted = submit(*loop);
  ASSERT_TRUE(store_.wait_held(1));
  // The store tells it when the commit has been made in the reserve, before it lets the turn go.
  loop->storage_changed({false, true, "no space left"});
  store_.let_go();
  EXPECT_TRUE(value(accepted).has_value()) << "it is in the database";
  auto next = submit(*loop);
  store_.let_go();
  EXPECT_EQ(value(next).error().code(), Code::storage_full);
  loop->stop(kPatience);
}

TEST_F(LoopTest, AFullMailboxRefusesAtOnce) {
  auto loop = make({4, 4'096, 1});
  auto first = submit(*loop);
  ASSERT_TRUE(store_.wait_held(1));
  std::vector<std::future<Answer>> waiting;
  for (int i = 0; i < 4; ++i) waiting.push_back(submit(*loop));
  auto over = submit(*loop);
  ASSERT_TRUE(answered(over));
  EXPECT_EQ(value(over).error().code(), Code::overloaded);
  // Facts are never refused: they are about what has happened.
  loop->fact(model::Tick{});
  store_.let_go();
  store_.let_go();
  for (auto& answer : waiting) EXPECT_TRUE(value(answer).has_value());
  loop->stop(kPatience);
}

TEST_F(LoopTest, C7ProgressToldWhileTheDiskDoesNotAnswerTakesNoMoreRoom) {
  auto loop = make({65'536, 4'096, 1});
  auto in_flight = submit(*loop);
  ASSERT_TRUE(store_.wait_held(1));
  model::AttemptProgress progress;
  progress.agent = "echo";
  for (int i = 0; i < 100'000; ++i) loop->fact(progress);
  EXPECT_LE(loop->counters().waiting, 2U) << "one of them, or two when the loop had one in hand";
  EXPECT_EQ(loop->counters().dropped_progress, 0U);
  store_.let_go();
  EXPECT_TRUE(value(in_flight).has_value());
  loop->stop(kPatience);
}

TEST_F(LoopTest, StopAnswersEverybody) {
  auto loop = make({65'536, 4'096, 1});
  auto in_flight = submit(*loop);
  ASSERT_TRUE(store_.wait_held(1));
  auto waiting = submit(*loop);
  loop->stop(0s);
  EXPECT_EQ(value(in_flight).error().code(), Code::unavailable);
  EXPECT_EQ(value(waiting).error().code(), Code::unavailable);
  auto late = submit(*loop);
  EXPECT_EQ(value(late).error().code(), Code::unavailable);
  store_.let_go();  // the store finishes after us: no second answer
}

TEST_F(LoopTest, StopWaitsForTheCommitUnderWay) {
  auto loop = make();
  auto answer = submit(*loop);
  ASSERT_TRUE(store_.wait_held(1));
  std::thread disk([this] { store_.let_go(); });
  loop->stop(kPatience);
  EXPECT_TRUE(value(answer).has_value());
  disk.join();
}

TEST_F(LoopTest, TimersFireWithoutAnyInput) {
  auto loop = make();
  auto answer = submit(*loop, 1s);  // not over before it is looked at, on a busy machine too
  store_.let_go();
  ASSERT_TRUE(value(answer).has_value());
  const Turn turn = store_.let_go();
  ASSERT_FALSE(turn.events.empty());
  EXPECT_EQ(turn.events[0].kind, "work.timed_out");
  loop->stop(kPatience);
}

TEST_F(LoopTest, TheSnapshotCatchesUpSoonAfterABusyMoment) {
  auto loop = make();
  std::int64_t queued = 0;
  bool was_soon = false;
  // Of several moments one must be soon: the machine may be busy itself.
  for (int moment = 0; moment < 3 && !was_soon; ++moment) {
    for (int i = 0; i < 2; ++i) {
      auto answer = submit(*loop);
      store_.let_go();
      ASSERT_TRUE(value(answer).has_value());
    }
    queued += 2;
    const auto began = std::chrono::steady_clock::now();
    while (loop->snapshot()->queued != queued) {
      ASSERT_LT(std::chrono::steady_clock::now() - began, kPatience);
      std::this_thread::yield();
    }
    was_soon = std::chrono::steady_clock::now() - began < 700ms;
  }
  EXPECT_TRUE(was_soon);
  loop->stop(kPatience);
}

TEST_F(LoopTest, ManyCallersAreEachAnsweredOnceInSequence) {
  auto loop = make();
  std::atomic<bool> done = false;
  model::Sequence last = 0;
  std::thread disk([&] {
    while (!done || store_.held() > 0) {
      if (store_.held() == 0) {
        std::this_thread::yield();
        continue;
      }
      for (const auto& event : store_.let_go().events) {
        EXPECT_GT(event.seq, last) << "events are durable in order";
        last = event.seq;
      }
    }
  });
  constexpr int kCallers = 4;
  constexpr int kEach = 200;
  std::mutex ids_mutex;
  std::set<std::string> ids;
  std::vector<std::thread> callers;
  for (int caller = 0; caller < kCallers; ++caller) {
    callers.emplace_back([&] {
      for (int i = 0; i < kEach; ++i) {
        auto future = submit(*loop);
        auto answer = value(future);
        ASSERT_TRUE(answer.has_value());
        EXPECT_GE(loop->snapshot()->queued, 0);
        std::lock_guard lock(ids_mutex);
        ids.insert(std::get<model::WorkAccepted>(*answer).id.to_text());
      }
    });
  }
  for (auto& caller : callers) caller.join();
  EXPECT_EQ(ids.size(), std::size_t(kCallers * kEach));
  loop->stop(kPatience);
  done = true;
  disk.join();
}

}  // namespace
}  // namespace mainstay::engine
