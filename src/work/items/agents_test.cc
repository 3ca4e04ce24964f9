// Agents, links and the daemon go away and come back.
#include "work/test_rig.h"

namespace mainstay::work {
namespace {

using model::FailureKind;
using model::WorkState;

TEST(Agents, ALostAgentsItemsAreTriedAgainAndCount) {
  Rig rig;
  rig.add_agent("a", {"a"}, 2);
  const auto one = rig.must_submit(item("a"));
  const auto two = rig.must_submit(item("a"));
  rig.settle();
  ASSERT_EQ(rig.assigned.size(), 2U);
  rig.restart_agent("a");
  for (const auto& id : {one, two}) {
    EXPECT_NE(rig.status(id).state, WorkState::running);
    EXPECT_EQ(rig.status(id).error->kind, FailureKind::agent_lost);
    EXPECT_EQ(rig.status(id).attempts_used, 1);
    EXPECT_THAT(rig.status(id).error->context_json,
                testing::HasSubstr(R"("agent_state":{"session":"lost","incarnation":1,)"
                                   R"("skills":["a"]},"environment":{"sdk_available":true,)"));
  }
  rig.link("a");
  rig.pass(seconds(1));
  EXPECT_EQ(rig.work->running(), 2);
}

TEST(Agents, AnItemThatKillsItsAgentsEndsAsADeadLetter) {
  Rig rig;
  rig.add_agent("a", {"a"});
  model::WorkSpec spec = item("a");
  spec.retry = {3, milliseconds(0), milliseconds(0)};
  const auto id = rig.must_submit(spec);
  for (int i = 0; i < 3; ++i) {
    rig.must_assign();
    rig.restart_agent("a");
    rig.link("a");
  }
  EXPECT_EQ(rig.status(id).state, WorkState::failed);
  EXPECT_EQ(rig.status(id).attempts_used, 3);
}

TEST(Agents, WhatAStopInterruptsIsGivenBackUncounted) {
  Rig rig;
  rig.add_agent("a", {"a"});
  model::WorkSpec spec = item("a");
  spec.retry.max_attempts = 1;
  const auto id = rig.must_submit(spec);
  rig.must_assign();
  rig.stop_agent("a");
  EXPECT_EQ(rig.status(id).state, WorkState::queued);
  EXPECT_EQ(rig.status(id).attempts_used, 0);
  EXPECT_EQ(rig.status(id).error->kind, FailureKind::agent_lost);
  rig.restart_daemon();
  rig.link("a");
  const auto again = rig.must_assign();
  EXPECT_EQ(again.work->id, id);
  EXPECT_EQ(again.epoch, 2);
  EXPECT_EQ(again.attempt, 1);
}

/// The agent's own word that its grace is over; any other failure is the handler's.
TEST(Agents, WhatAStoppingAgentGivesUpDoesNotCountAndWhatFailsDoes) {
  for (const bool given_up : {true, false}) {
    Rig rig;
    rig.add_agent("a", {"a"});
    model::WorkSpec spec = item("a");
    spec.retry.max_attempts = 1;
    const auto id = rig.must_submit(spec);
    const auto assign = rig.must_assign();
    rig.directory->set_stopping("a");
    model::AttemptOutcome outcome = failed();
    if (given_up) outcome.error->code = "agent_lost";
    rig.finish(assign, outcome);
    EXPECT_EQ(rig.status(id).state, given_up ? WorkState::queued : WorkState::failed);
    EXPECT_EQ(rig.status(id).attempts_used, given_up ? 0 : 1);
  }
}

TEST(Agents, ThatItStopsByItselfIsNoExcuse) {
  Rig rig;
  rig.add_agent("a", {"a"});
  model::WorkSpec spec = item("a");
  spec.retry.max_attempts = 1;
  const auto id = rig.must_submit(spec);
  const auto assign = rig.must_assign();
  model::AttemptOutcome outcome = failed();
  outcome.error->code = "agent_lost";
  rig.finish(assign, outcome);
  EXPECT_EQ(rig.status(id).state, WorkState::failed);
}

TEST(Agents, AttemptsThatTheLinkLostGoBackWithoutCounting) {
  Rig rig;
  rig.add_agent("a", {"a"}, 2);
  const auto held = rig.must_submit(item("a"));
  const auto lost = rig.must_submit(item("a"));
  const auto first = rig.must_assign();
  const auto second = rig.next_assigned();
  ASSERT_EQ(first.work->id, held);
  ASSERT_TRUE(second);
  rig.directory->clear_link("a");
  rig.link("a", {{held, first.epoch}});
  EXPECT_EQ(rig.status(held).state, WorkState::running);
  EXPECT_EQ(rig.status(lost).state, WorkState::queued);
  EXPECT_EQ(rig.status(lost).attempts_used, 0);
  const auto again = rig.must_assign();
  EXPECT_EQ(again.work->id, lost);
  EXPECT_EQ(again.epoch, 2) << "epochs only grow";
  EXPECT_EQ(again.attempt, 1);
  // The result comes over the new link.
  rig.finish(first, success());
  EXPECT_EQ(rig.status(held).state, WorkState::succeeded);
}

TEST(Agents, HeldAttemptsThatAreOverAreCancelledAgain) {
  Rig rig;
  rig.add_agent("a", {"a"});
  const auto id = rig.must_submit(item("a"));
  const auto assign = rig.must_assign();
  rig.directory->clear_link("a");
  ASSERT_TRUE(rig.cancel(id));
  rig.commit();
  rig.cancels.clear();
  const auto link = rig.link("a", {{id, assign.epoch}});
  rig.commit();
  ASSERT_EQ(rig.cancels.size(), 1U);
  EXPECT_EQ(rig.cancels[0].link, link);
  rig.must_submit(item("a"));
  rig.settle();
  EXPECT_TRUE(rig.assigned.empty()) << "it still works on the cancelled one";
  rig.finish(assign, failed(FailureKind::cancelled));
  rig.must_assign();
}

TEST(Agents, ACancelledAttemptThatTheNewLinkDoesNotHoldFreesItsSlot) {
  Rig rig;
  rig.add_agent("a", {"a"});
  const auto id = rig.must_submit(item("a"));
  rig.must_assign();
  ASSERT_TRUE(rig.cancel(id));
  rig.directory->clear_link("a");
  rig.link("a");
  rig.must_submit(item("a"));
  rig.must_assign();
  EXPECT_EQ(rig.work->stopping(), 0);
}

TEST(Agents, AHeldResultThatWasRecordedIsNotCancelled) {
  Rig rig;
  rig.add_agent("a", {"a"});
  const auto id = rig.must_submit(item("a"));
  const auto assign = rig.must_assign();
  rig.finish(assign, success());
  rig.directory->clear_link("a");  // before the acknowledgement arrived
  rig.link("a", {{id, assign.epoch}});
  rig.commit();
  EXPECT_TRUE(rig.cancels.empty());
  rig.acks.clear();
  rig.finish(assign, success());
  rig.commit();
  ASSERT_EQ(rig.acks.size(), 1U);
  EXPECT_TRUE(rig.acks[0].accepted);
}

TEST(Agents, ALaterStartThatConnectsFirstLosesTheEarlierOnes) {
  Rig rig;
  rig.add_agent("a", {"a"});
  const auto id = rig.must_submit(item("a"));
  rig.must_assign();
  rig.directory->begin_incarnation("a", ++rig.incarnations["a"]);
  rig.link("a");
  EXPECT_EQ(rig.status(id).error->kind, FailureKind::agent_lost);
  EXPECT_EQ(rig.work->running(), 0);
}

TEST(Agents, LateNewsOfAnEarlierStartTouchesNothingOfTheLaterOne) {
  Rig rig;
  rig.add_agent("a", {"a"}, 2);
  rig.restart_agent("a");
  rig.link("a");
  const auto id = rig.must_submit(item("a"));
  const auto assign = rig.must_assign();
  const auto stopped = rig.must_submit(item("a"));
  rig.must_assign();
  ASSERT_TRUE(rig.cancel(stopped));
  rig.work->agent_lost({"a", rig.incarnations["a"] - 1, "exited", false}, *rig.directory, rig.now,
                       rig.out);
  EXPECT_EQ(rig.status(id).state, WorkState::running);
  EXPECT_EQ(rig.work->stopping(), 1);
  EXPECT_EQ(rig.directory->find("a")->busy, 2);
  rig.finish(assign, success());
  EXPECT_EQ(rig.status(id).state, WorkState::succeeded);
}

TEST(Restart, ARunningAttemptOfALinkAgentGoesOnWhenItHoldsIt) {
  Rig rig;
  rig.add_agent("a", {"a"});
  const auto id = rig.must_submit(item("a"));
  const auto assign = rig.must_assign();
  rig.restart_daemon();
  EXPECT_EQ(rig.work->running(), 1);
  rig.link("a", {{id, assign.epoch}});
  EXPECT_EQ(rig.status(id).state, WorkState::running);
  EXPECT_EQ(rig.directory->find("a")->busy, 1);
  rig.finish(assign, success("7"));
  EXPECT_EQ(rig.status(id).output.view(), "7");
  EXPECT_EQ(rig.directory->find("a")->busy, 0);
}

TEST(Agents, AssignmentsThatNeverArriveAreBoundedAlsoAcrossRestarts) {
  Rig rig;
  rig.add_agent("a", {"a"});
  model::WorkSpec spec = item("a");
  spec.retry = {1, milliseconds(0), milliseconds(0)};
  const auto id = rig.must_submit(spec);
  for (int i = 0; i < 20; ++i) {
    rig.must_assign();
    if (i % 7 == 6) {
      rig.restart_daemon();
    } else {
      rig.directory->clear_link("a");
    }
    rig.link("a");
    ASSERT_EQ(rig.status(id).state, WorkState::queued) << i;
    ASSERT_EQ(rig.status(id).attempts_used, 0);
  }
  rig.must_assign();
  rig.directory->clear_link("a");
  rig.link("a");
  EXPECT_EQ(rig.status(id).state, WorkState::failed);
  EXPECT_EQ(rig.status(id).error->kind, FailureKind::agent_lost);
  EXPECT_EQ(rig.status(id).epoch, 21);
}

TEST(Agents, TheSecondAssignmentThatNeverArrivesWaits) {
  Rig rig;
  rig.add_agent("a", {"a"});
  model::WorkSpec spec = item("a");
  spec.retry = {3, seconds(10), seconds(100)};
  const auto id = rig.must_submit(spec);
  for (const WorkState then : {WorkState::queued, WorkState::delayed}) {
    rig.must_assign();
    rig.directory->clear_link("a");
    rig.link("a");
    EXPECT_EQ(rig.status(id).state, then);
  }
}

TEST(Restart, OneThatItDoesNotHoldNeverArrivedAndDoesNotCount) {
  Rig rig;
  rig.add_agent("a", {"a"});
  const auto id = rig.must_submit(item("a"));
  rig.must_assign();
  rig.restart_daemon();
  rig.link("a");
  EXPECT_EQ(rig.status(id).attempts_used, 0);
  const auto again = rig.must_assign();
  EXPECT_EQ(again.epoch, 2);
}

TEST(Restart, CommandAgentsLostTheirAttemptsAndTheyDoNotCount) {
  Rig rig;
  rig.add_agent("lint", {"a"}, 1, model::AgentKind::exec);
  const auto id = rig.must_submit(item("a"));
  const auto first = rig.must_assign();
  EXPECT_TRUE(first.spec);
  rig.restart_daemon();
  EXPECT_EQ(rig.status(id).state, WorkState::queued);
  EXPECT_EQ(rig.status(id).attempts_used, 0);
  EXPECT_TRUE(rig.book.attempts.at({id, 1}).finished_at);
  const auto again = rig.must_assign();
  EXPECT_EQ(again.epoch, 2);
  rig.finish(first, success("\"old\""));  // cannot be, and is refused all the same
  EXPECT_EQ(rig.status(id).state, WorkState::running);
}

TEST(Restart, AnAgentThatIsNotInTheFleetAnyMoreLostItsAttempts) {
  Rig rig;
  rig.add_agent("a", {"a"});
  rig.add_agent("b", {"a"});
  const auto id = rig.must_submit(item("a"));
  const auto assign = rig.must_assign();
  rig.specs.erase(assign.agent);
  rig.restart_daemon();
  EXPECT_EQ(rig.status(id).state, WorkState::queued);
}

TEST(Restart, ARepeatedResultOfBeforeIsAcknowledged) {
  Rig rig;
  rig.add_agent("a", {"a"});
  rig.must_submit(item("a"));
  const auto assign = rig.must_assign();
  rig.finish(assign, success());
  rig.restart_daemon();
  rig.link("a", {{assign.work->id, assign.epoch}});
  rig.finish(assign, success());
  rig.commit();
  EXPECT_TRUE(rig.cancels.empty());
  ASSERT_EQ(rig.acks.size(), 1U);
  EXPECT_TRUE(rig.acks[0].accepted);
  EXPECT_FALSE(rig.last_event("work.stale_result"));
}

TEST(Restart, BackoffGoesOnWithTheTimeThatIsLeft) {
  Rig rig;
  rig.add_agent("a", {"a"});
  model::WorkSpec spec = item("a");
  spec.retry = {5, minutes(10), minutes(10)};
  const auto id = rig.must_submit(spec);
  rig.finish(rig.must_assign(), failed());
  ASSERT_EQ(rig.status(id).state, WorkState::delayed);
  const Duration wait = *rig.status(id).due_at - rig.now.wall;
  rig.restart_daemon();
  ASSERT_TRUE(rig.work->next_due());
  EXPECT_EQ(*rig.work->next_due(), rig.now.mono + wait);
  // Back in 1970: it still waits no longer than the policy allows.
  rig.now.wall = Wall{};
  rig.restart_daemon();
  EXPECT_LE(*rig.work->next_due(), rig.now.mono + minutes(10));
  rig.pass(minutes(10));
  EXPECT_EQ(rig.work->queued(), 1);
}

TEST(Restart, DeadlinesAndTimeoutsGoOn) {
  Rig rig;
  rig.add_agent("a", {"a"});
  model::WorkSpec spec = item("a");
  spec.deadline = rig.now.wall + minutes(5);
  spec.timeout = seconds(100);
  const auto id = rig.must_submit(spec);
  const auto assign = rig.must_assign();
  rig.pass(seconds(60));
  rig.restart_daemon();
  rig.link("a", {{id, assign.epoch}});
  rig.pass(seconds(39));
  EXPECT_EQ(rig.status(id).state, WorkState::running);
  rig.pass(seconds(1));
  EXPECT_EQ(rig.status(id).error->kind, FailureKind::timeout);
  rig.restart_daemon();
  rig.now.wall += minutes(10);
  rig.now.mono += minutes(10);
  rig.settle();
  EXPECT_EQ(rig.status(id).state, WorkState::timed_out);
}

TEST(Restart, AnAttemptWhoseTimeRanOutWhileTheDaemonWasAwayMayDeliver) {
  Rig rig;
  rig.add_agent("a", {"a"});
  model::WorkSpec spec = item("a");
  spec.timeout = seconds(20);
  const auto id = rig.must_submit(spec);
  const auto assign = rig.must_assign();
  rig.now.mono += hours(1);
  rig.now.wall += hours(1);
  rig.restart_daemon();
  rig.settle();
  rig.link("a", {{id, assign.epoch}});
  rig.finish(assign, success());
  EXPECT_EQ(rig.status(id).state, WorkState::succeeded);
}

TEST(Restart, OrderOfArrivalIsKept) {
  Rig rig;
  rig.add_agent("a", {"a"});
  rig.directory->set_assignable("a", false);
  std::vector<model::WorkId> ids;
  for (int i = 0; i < 20; ++i) ids.push_back(rig.must_submit(item("a")));
  rig.restart_daemon();
  rig.link("a");
  for (const auto& id : ids) {
    const auto assign = rig.must_assign();
    EXPECT_EQ(assign.work->id, id);
    rig.finish(assign, success());
  }
}

}  // namespace
}  // namespace mainstay::work
