#include "work/waiting.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace mainstay::work {
namespace {

using model::AgentState;
using testing::HasSubstr;
using testing::Not;

model::AgentStatus agent(std::string name, AgentState state, int busy = 0, int slots = 1) {
  model::AgentStatus status;
  status.name = std::move(name);
  status.state = state;
  status.capabilities = {"file.read"};
  status.busy = busy;
  status.slots = slots;
  return status;
}

class WaitingTest : public testing::Test {
 protected:
  WaitingTest() { spec_.capability = "file.read"; }

  Waiting waiting(const std::vector<model::AgentStatus>& agents, bool stopping = false) const {
    const auto found = waiting_of(spec_, status_, agents, stopping);
    EXPECT_TRUE(found);
    return found.value_or(Waiting{});
  }

  model::WorkSpec spec_;
  model::WorkStatus status_;
};

TEST_F(WaitingTest, WhatRunsOrIsOverDoesNotWait) {
  for (const auto state : {model::WorkState::running, model::WorkState::succeeded,
                           model::WorkState::failed, model::WorkState::cancelled}) {
    status_.state = state;
    EXPECT_FALSE(waiting_of(spec_, status_, {}, false));
  }
}

TEST_F(WaitingTest, NoAgentOffersIt) {
  auto other = agent("b", AgentState::healthy);
  other.capabilities = {"file.write"};
  auto far = agent("far", AgentState::healthy);
  far.kind = model::AgentKind::external;  // gets no work in this version
  const Waiting found = waiting({other, far});
  EXPECT_EQ(found.reason, WaitReason::not_offered);
  EXPECT_THAT(found.sentence, HasSubstr("\"file.read\""));
}

TEST_F(WaitingTest, EachAgentThatCannotTakeItIsNamedWithWhy) {
  auto failed = agent("a", AgentState::failed);
  failed.reason = "2 restarts in 1m are used up";
  auto without = agent("b", AgentState::healthy);
  without.unserved = {"file.read"};
  const Waiting found =
      waiting({failed, without, agent("c", AgentState::starting), agent("d", AgentState::unhealthy),
               agent("e", AgentState::stopped)});
  EXPECT_EQ(found.reason, WaitReason::no_agent);
  EXPECT_EQ(
      found.sentence,
      "no agent can take \"file.read\" now: a is failed (2 restarts in 1m are used up); b has "
      "no handler for it, though fleet.yaml says that it offers it; c is starting; and 2 more");
}

TEST_F(WaitingTest, AllSlotsAreBusy) {
  const Waiting one = waiting({agent("a", AgentState::healthy, 1)});
  EXPECT_EQ(one.reason, WaitReason::busy);
  EXPECT_EQ(one.sentence, "the one slot for \"file.read\" is busy");
  const Waiting more =
      waiting({agent("a", AgentState::healthy, 2, 2), agent("b", AgentState::degraded, 3, 2),
               agent("c", AgentState::backoff)});
  EXPECT_EQ(more.reason, WaitReason::busy);
  EXPECT_EQ(more.sentence, "all 4 slots for \"file.read\" are busy; c is backoff");
}

TEST_F(WaitingTest, AnAgentIsFree) {
  const Waiting found = waiting({agent("a", AgentState::healthy, 1, 2)});
  EXPECT_EQ(found.reason, WaitReason::due);
  EXPECT_THAT(found.sentence, HasSubstr("1 of 2 slots"));
}

TEST_F(WaitingTest, ItIsTooEarly) {
  status_.state = model::WorkState::delayed;
  status_.due_at = base::wall_from_micros(1'900'000'000'000'000);
  const Waiting found = waiting({});
  EXPECT_EQ(found.reason, WaitReason::start_after);
  EXPECT_THAT(found.sentence, HasSubstr("2030-03-17T"));
}

TEST_F(WaitingTest, ItIsTriedAgainLater) {
  status_.state = model::WorkState::delayed;
  status_.due_at = base::wall_from_micros(1'900'000'000'000'000);
  status_.epoch = 2;
  status_.attempts_used = 2;
  spec_.retry.max_attempts = 5;
  status_.error = model::WorkError{model::FailureKind::error, "E", "no such file", false, ""};
  const Waiting found = waiting({agent("a", AgentState::healthy)});
  EXPECT_EQ(found.reason, WaitReason::backoff);
  EXPECT_THAT(found.sentence, HasSubstr("2 of 5 tries are used"));
  EXPECT_THAT(found.sentence, HasSubstr("no such file"));
}

TEST_F(WaitingTest, TheFleetStops) {
  EXPECT_EQ(waiting({agent("a", AgentState::healthy)}, true).reason, WaitReason::fleet_stops);
  status_.state = model::WorkState::delayed;
  EXPECT_EQ(waiting({}, true).reason, WaitReason::fleet_stops);
}

}  // namespace
}  // namespace mainstay::work
