// How attempts begin, end, and are tried again.
#include "work/test_rig.h"

namespace mainstay::work {
namespace {

using model::FailureKind;
using model::WorkState;
using testing::ElementsAre;
using testing::HasSubstr;

platform::JsonObject body_of(const std::optional<model::Event>& event) {
  if (!event) return {};
  return *platform::parse_json_object(event->body);
}

TEST(Attempts, AssignsInOrderOfPriorityDeadlineAndArrival) {
  Rig rig;
  rig.add_agent("a", {"a", "b"});
  rig.directory->set_assignable("a", false);
  const auto add = [&](std::string capability, int priority, int deadline_s) {
    model::WorkSpec spec = item(std::move(capability));
    spec.priority = priority;
    if (deadline_s > 0) spec.deadline = rig.now.wall + seconds(deadline_s);
    return rig.must_submit(spec);
  };
  const auto last = add("a", 1, 10);
  const auto fifth = add("a", 5, 0);
  const auto fourth = add("b", 5, 60);
  const auto third = add("a", 5, 30);
  const auto sixth = add("b", 5, 0);
  const auto second = add("b", 9, 0);
  const auto first = add("a", 9, 600);
  rig.directory->set_assignable("a", true);
  std::vector<model::WorkId> order;
  for (int i = 0; i < 7; ++i) {
    const auto assign = rig.must_assign();
    order.push_back(assign.work->id);
    rig.finish(assign, success());
  }
  EXPECT_THAT(order, ElementsAre(first, second, third, fourth, fifth, sixth, last));
}

TEST(Attempts, SuccessIsRecordedOnceWithRowsAndReport) {
  Rig rig;
  rig.add_agent("a", {"a"});
  const auto id = rig.must_submit(item("a"));
  const auto assign = rig.must_assign();
  EXPECT_EQ(assign.epoch, 1);
  EXPECT_EQ(assign.attempt, 1);
  EXPECT_EQ(assign.time_left, minutes(10));
  EXPECT_EQ(rig.status(id).state, WorkState::running);
  EXPECT_EQ(rig.status(id).agent, "a");
  rig.now.mono += milliseconds(12);
  model::AttemptOutcome outcome = success("{\"n\":1}");
  outcome.usage = {{"openai", "gpt", 10, 5, 0, 0, 1, 0}, {"openai", "gpt", 1, 1, 0, 0, 1, 0}};
  rig.finish(assign, outcome);
  rig.settle();
  const model::WorkStatus& status = rig.status(id);
  EXPECT_EQ(status.state, WorkState::succeeded);
  EXPECT_EQ(status.output.view(), "{\"n\":1}");
  EXPECT_FALSE(status.error);
  const model::AttemptRow& row = rig.book.attempts.at({id, 1});
  EXPECT_EQ(row.outcome, "succeeded");
  EXPECT_TRUE(row.finished_at);
  EXPECT_EQ(rig.book.usage.size(), 2U);
  const auto body = body_of(rig.last_event("work.succeeded"));
  EXPECT_EQ(body.at("usage").at("total_tokens"), 17);
  EXPECT_EQ(body.at("usage").at("model"), "gpt");
  EXPECT_EQ(body.at("duration_ms"), 12.0);
  ASSERT_EQ(rig.acks.size(), 1U);
  EXPECT_TRUE(rig.acks[0].accepted);
  ASSERT_EQ(rig.reports.size(), 1U);
  EXPECT_TRUE(rig.reports[0].ok);
  EXPECT_EQ(rig.work->running(), 0);
}

TEST(Attempts, ARepeatedResultIsAcknowledgedAgainAndChangesNothing) {
  Rig rig;
  rig.add_agent("a", {"a"});
  const auto id = rig.must_submit(item("a"));
  const auto assign = rig.must_assign();
  rig.finish(assign, success("1"));
  rig.commit();
  rig.finish(assign, success("2"));
  EXPECT_TRUE(rig.out.rows.empty());
  EXPECT_TRUE(rig.out.events.empty());
  rig.commit();
  ASSERT_EQ(rig.acks.size(), 2U);
  EXPECT_TRUE(rig.acks[1].accepted);
  EXPECT_EQ(rig.status(id).output.view(), "1");
}

TEST(Attempts, ARepeatedFailureWhileTheItemWaitsIsAcknowledgedAgain) {
  Rig rig;
  rig.add_agent("a", {"a"});
  const auto id = rig.must_submit(item("a"));
  const auto assign = rig.must_assign();
  rig.finish(assign, failed());
  rig.commit();
  rig.finish(assign, failed());
  EXPECT_TRUE(rig.out.rows.empty());
  rig.commit();
  EXPECT_TRUE(rig.acks[1].accepted);
  EXPECT_EQ(rig.status(id).attempts_used, 1);
}

TEST(Attempts, AStaleEpochIsRefusedAndSaidSo) {
  Rig rig;
  rig.add_agent("a", {"a"});
  rig.add_agent("b", {"a"});
  model::WorkSpec spec = item("a");
  spec.retry = {5, milliseconds(0), milliseconds(0)};
  const auto id = rig.must_submit(spec);
  const auto old = rig.must_assign();
  rig.restart_agent(old.agent);
  const auto fresh = rig.must_assign();
  EXPECT_EQ(fresh.epoch, 2);
  EXPECT_NE(fresh.agent, old.agent);
  rig.finish(old, success("\"stale\""));
  rig.commit();
  EXPECT_EQ(rig.status(id).state, WorkState::running);
  ASSERT_EQ(rig.acks.size(), 1U);
  EXPECT_FALSE(rig.acks[0].accepted);
  const auto body = body_of(rig.last_event("work.stale_result"));
  EXPECT_EQ(body.at("epoch"), 1);
  EXPECT_EQ(body.at("current_epoch"), 2);
  rig.finish(fresh, success("\"right\""));
  EXPECT_EQ(rig.status(id).output.view(), "\"right\"");
}

TEST(Attempts, AnotherAgentCannotAnswerWithTheRightEpoch) {
  Rig rig;
  rig.add_agent("a", {"a"});
  const auto id = rig.must_submit(item("a"));
  auto assign = rig.must_assign();
  assign.agent = "mallory";
  rig.finish(assign, success());
  EXPECT_EQ(rig.status(id).state, WorkState::running);
  EXPECT_FALSE(rig.acks.back().accepted);
  EXPECT_TRUE(rig.last_event("work.stale_result"));
}

TEST(Attempts, AFloodOfStrangeResultsIsCountedAndHeldAgainstItsAgent) {
  Rig rig;
  rig.add_agent("a", {"a"});
  rig.must_submit(item("a"));
  auto assign = rig.must_assign();
  const auto before = rig.count("work.stale_result");
  assign.epoch = 99;
  constexpr int kFlood = 3 * StaleResults::kRecorded + 7;
  for (int i = 0; i < kFlood; ++i) rig.finish(assign, success());
  EXPECT_EQ(rig.count("work.stale_result") - before, StaleResults::kRecorded);
  ASSERT_EQ(rig.acks.size(), static_cast<std::size_t>(kFlood));
  EXPECT_FALSE(rig.acks.back().accepted);
  EXPECT_FALSE(rig.last_event("agent.stale_results"));
  EXPECT_EQ(rig.blames("a"), 3);
  rig.pass(StaleResults::kWindow);
  const auto body = body_of(rig.last_event("agent.stale_results"));
  EXPECT_EQ(body.at("agent"), "a");
  EXPECT_EQ(body.at("count"), kFlood - StaleResults::kRecorded);
  // The next window begins anew.
  rig.finish(assign, success());
  EXPECT_EQ(rig.count("work.stale_result") - before, StaleResults::kRecorded + 1);
}

TEST(Attempts, AFailureIsTriedAgainAfterABackoffAndKeepsItsTurn) {
  Rig rig;
  rig.add_agent("a", {"a"});
  const auto id = rig.must_submit(item("a"));
  rig.finish(rig.must_assign(), failed());
  const model::WorkStatus& status = rig.status(id);
  ASSERT_EQ(status.state, WorkState::delayed);
  ASSERT_TRUE(status.due_at);
  EXPECT_LE(*status.due_at - rig.now.wall, milliseconds(101));
  EXPECT_EQ(rig.work->delayed(), 1);
  ASSERT_TRUE(rig.work->next_due());
  EXPECT_LE(*rig.work->next_due(), rig.now.mono + milliseconds(100));

  rig.directory->set_assignable("a", false);
  rig.must_submit(item("a"));  // later, so behind the one that is tried again
  rig.pass(milliseconds(101));
  EXPECT_EQ(rig.work->queued(), 2);
  rig.directory->set_assignable("a", true);
  const auto again = rig.must_assign();
  EXPECT_EQ(again.work->id, id);
  EXPECT_EQ(again.epoch, 2);
  EXPECT_EQ(again.attempt, 2);
}

TEST(Attempts, DeadLettersWhenTheTriesAreUsedUp) {
  Rig rig;
  rig.add_agent("a", {"a"});
  model::WorkSpec spec = item("a");
  spec.phase = "";
  spec.retry = {2, milliseconds(0), milliseconds(0)};
  const auto id = rig.must_submit(spec);
  rig.finish(rig.must_assign(), failed());
  rig.finish(rig.must_assign(), failed());
  const model::WorkStatus& status = rig.status(id);
  EXPECT_EQ(status.state, WorkState::failed);
  EXPECT_EQ(status.attempts_used, 2);
  ASSERT_TRUE(status.error);
  EXPECT_EQ(status.error->code, "ValueError");
  EXPECT_EQ(rig.book.attempts.size(), 2U);
  EXPECT_EQ(body_of(rig.last_event("work.failed")).at("error").at("code"), "ValueError");
  EXPECT_EQ(rig.work->queued() + rig.work->running() + rig.work->delayed(), 0);
}

TEST(Attempts, APermanentErrorFailsAtOnce) {
  Rig rig;
  rig.add_agent("a", {"a"});
  const auto id = rig.must_submit(item("a"));
  rig.finish(rig.must_assign(), failed(FailureKind::error, true));
  EXPECT_EQ(rig.status(id).state, WorkState::failed);
  EXPECT_EQ(rig.status(id).attempts_used, 1);
}

// WRK-10: phase, item and an excerpt of its description, agent, attempt, code, hint.
TEST(Attempts, FailuresCarryTheirContext) {
  WorkSettings settings;
  settings.phases = {"review"};
  Rig rig(settings);
  rig.add_agent("a", {"a"});
  model::WorkSpec spec = item("a");
  spec.phase = "review";
  spec.description = std::string(300, 'd');
  const auto id = rig.must_submit(spec);
  model::AttemptOutcome outcome = failed(FailureKind::error, true);
  outcome.error->context_json = R"({"traceback":"line 1"})";
  rig.finish(rig.must_assign(), outcome);
  const auto context = platform::parse_json_object(rig.status(id).error->context_json);
  ASSERT_TRUE(context);
  EXPECT_EQ(context->at("work_id").as_string(), id.to_text());
  EXPECT_EQ(context->at("phase"), "review");
  EXPECT_EQ(context->at("agent"), "a");
  EXPECT_EQ(context->at("attempt"), 1);
  EXPECT_LE(context->at("description").as_string().size(), 130U);
  EXPECT_EQ(context->at("reported").at("traceback"), "line 1");
  EXPECT_TRUE(context->contains("hint"));
}

TEST(Attempts, TheAgentsOwnHintGoesBeforeThatOfTheCode) {
  Rig rig;
  rig.add_agent("a", {"a"});
  for (const char* said : {R"({"hint":"name another folder"})", R"({"hint":7})", R"({})"}) {
    const auto id = rig.must_submit(item("a"));
    model::AttemptOutcome outcome = failed(FailureKind::error, true);
    outcome.error->context_json = said;
    rig.finish(rig.must_assign(), outcome);
    const auto context = platform::parse_json_object(rig.status(id).error->context_json);
    ASSERT_TRUE(context);
    const std::string hint(context->at("hint").as_string());
    EXPECT_EQ(hint == "name another folder", std::string(said).find("name") != std::string::npos);
    EXPECT_FALSE(hint.empty());
  }
}

// WRK-10: a hint points to what there is.
TEST(Attempts, TheHintFollowsFromWhatTheAgentTold) {
  Rig rig;
  rig.add_agent("a", {"a"});
  const std::pair<const char*, const char*> cases[] = {
      {R"({"traceback":"line 1"})", "the error's context has the traceback"},
      {R"({"stderr":"why"})", "the error's context has what it said on stderr"},
      {R"({"traceback":"","exit_code":3})", "`mainstay logs tail --agent a`"},
      {"", "`mainstay logs tail --agent a`"},
      {"broken", "`mainstay logs tail --agent a`"}};
  for (const char* code : {"", "handler_failed", "ValueError"}) {
    for (const auto& [told, hint] : cases) {
      const auto id = rig.must_submit(item("a"));
      model::AttemptOutcome outcome = failed(FailureKind::error, true);
      outcome.error->context_json = told;
      outcome.error->code = code;
      rig.finish(rig.must_assign(), outcome);
      const auto context = platform::parse_json_object(rig.status(id).error->context_json);
      ASSERT_TRUE(context);
      EXPECT_THAT(std::string(context->at("hint").as_string()), HasSubstr(hint)) << told;
    }
  }
}

TEST(Attempts, ContextThatIsNotJsonIsKeptAsText) {
  Rig rig;
  rig.add_agent("a", {"a"});
  const auto id = rig.must_submit(item("a"));
  model::AttemptOutcome outcome = failed(FailureKind::error, true);
  outcome.error->context_json = "{broken \xff";
  outcome.error->code.clear();
  rig.finish(rig.must_assign(), outcome);
  const auto context = platform::parse_json_object(rig.status(id).error->context_json);
  ASSERT_TRUE(context) << rig.status(id).error->context_json;
  EXPECT_TRUE(context->contains("reported_text"));
  EXPECT_EQ(rig.status(id).error->code, "handler_failed");
}

TEST(Attempts, NeitherOutputNorErrorIsAFailure) {
  Rig rig;
  rig.add_agent("a", {"a"});
  const auto id = rig.must_submit(item("a"));
  rig.finish(rig.must_assign(), {});
  EXPECT_EQ(rig.status(id).state, WorkState::delayed);
  EXPECT_THAT(rig.status(id).error->message, HasSubstr("neither"));
}

TEST(Attempts, RefusedDoesNotCountButIsBounded) {
  Rig rig;
  rig.add_agent("a", {"a"});
  model::WorkSpec spec = item("a");
  spec.retry = {1, milliseconds(0), milliseconds(0)};
  const auto id = rig.must_submit(spec);
  for (int i = 0; i < 20; ++i) {
    rig.finish(rig.must_assign(), failed(FailureKind::refused));
    ASSERT_EQ(rig.status(id).state, WorkState::queued) << i;
    ASSERT_EQ(rig.status(id).attempts_used, 0);
  }
  rig.finish(rig.must_assign(), failed(FailureKind::refused));
  EXPECT_EQ(rig.status(id).state, WorkState::failed);
  EXPECT_EQ(rig.status(id).epoch, 21);
}

TEST(Timeouts, TheTotalTimeoutCancelsAndCounts) {
  Rig rig;
  rig.add_agent("a", {"a"});
  model::WorkSpec spec = item("a");
  spec.timeout = seconds(5);
  spec.retry = {2, milliseconds(0), milliseconds(0)};
  const auto id = rig.must_submit(spec);
  const auto first = rig.must_assign();
  EXPECT_EQ(first.time_left, seconds(5));
  rig.pass(seconds(5) - milliseconds(1));
  EXPECT_EQ(rig.status(id).state, WorkState::running);
  rig.pass(milliseconds(1));
  EXPECT_EQ(rig.status(id).state, WorkState::queued);
  EXPECT_EQ(rig.status(id).error->kind, FailureKind::timeout);
  EXPECT_EQ(rig.status(id).error->code, "attempt_timeout");
  const std::string context = rig.status(id).error->context_json;
  EXPECT_THAT(
      context,
      HasSubstr(R"("environment":{"sdk_available":true,"sdk":"python 0.1.0","python":"3.11.2"})"));
  EXPECT_THAT(context, HasSubstr(R"("agent_state":{"session":"active","incarnation":1,"slots":1,)"
                                 R"("busy":1,"skills":["a"]})"));
  EXPECT_THAT(context, HasSubstr("raise the item's timeout"));
  EXPECT_THAT(context, testing::Not(HasSubstr("stage"))) << "it has none";
  EXPECT_EQ(rig.book.attempts.at({id, 1}).outcome, "timeout");
  ASSERT_EQ(rig.cancels.size(), 1U);
  EXPECT_TRUE(rig.assigned.empty()) << "the agent is still busy with it";
  rig.finish(first, success());  // too late
  EXPECT_TRUE(rig.last_event("work.stale_result"));
  const auto second = rig.must_assign();
  EXPECT_EQ(second.epoch, 2);
  rig.pass(seconds(5));
  EXPECT_EQ(rig.status(id).state, WorkState::failed);
}

TEST(Timeouts, ProgressRefreshesTheIdleTimeout) {
  Rig rig;
  rig.add_agent("a", {"a"});
  model::WorkSpec spec = item("a");
  spec.timeout = minutes(5);
  spec.idle_timeout = seconds(2);
  const auto id = rig.must_submit(spec);
  const auto assign = rig.must_assign();
  for (int i = 0; i < 10; ++i) {
    rig.pass(seconds(1));
    rig.work->on(model::AttemptProgress{"a", id, assign.epoch, 0.1 * i, ""}, *rig.directory,
                 rig.now);
  }
  EXPECT_EQ(rig.status(id).state, WorkState::running);
  // Neither another agent nor an old epoch keeps it alive.
  rig.pass(seconds(1));
  rig.work->on(model::AttemptProgress{"b", id, assign.epoch, 1, ""}, *rig.directory, rig.now);
  rig.work->on(model::AttemptProgress{"a", id, assign.epoch - 1, 1, ""}, *rig.directory, rig.now);
  rig.pass(seconds(1));
  EXPECT_EQ(rig.status(id).error->kind, FailureKind::idle_timeout);
}

TEST(Timeouts, TheDeadlineEndsItWhateverItDoes) {
  for (const char* doing : {"queued", "running", "delayed"}) {
    SCOPED_TRACE(doing);
    Rig rig;
    rig.add_agent("a", {"a"});
    model::WorkSpec spec = item("a");
    spec.deadline = rig.now.wall + seconds(3);
    spec.retry = {9, minutes(1), minutes(1)};
    if (std::string(doing) == "queued") rig.directory->set_assignable("a", false);
    const auto id = rig.must_submit(spec);
    rig.settle();
    if (std::string(doing) == "delayed") {
      rig.finish(*rig.next_assigned(), failed());
      if (rig.status(id).due_at < rig.now.wall + seconds(3)) continue;  // jitter made it short
    }
    rig.pass(seconds(3));
    EXPECT_EQ(rig.status(id).state, WorkState::timed_out);
    EXPECT_EQ(rig.status(id).error->code, "deadline_exceeded");
    EXPECT_EQ(rig.cancels.size(), std::string(doing) == "running" ? 1U : 0U);
    EXPECT_EQ(rig.work->queued() + rig.work->delayed() + rig.work->running(), 0);
  }
}

TEST(Timeouts, AWallClockThatJumpsMovesNothing) {
  Rig rig;
  rig.add_agent("a", {"a"});
  model::WorkSpec spec = item("a");
  spec.deadline = rig.now.wall + minutes(10);
  spec.timeout = minutes(2);
  const auto id = rig.must_submit(spec);
  rig.must_assign();
  rig.now.wall += hours(24 * 365);
  rig.settle();
  EXPECT_EQ(rig.status(id).state, WorkState::running);
  rig.now.wall = Wall{};
  rig.pass(minutes(1));
  EXPECT_EQ(rig.status(id).state, WorkState::running);
  rig.pass(minutes(1));
  EXPECT_EQ(rig.book.attempts.at({id, 1}).outcome, "timeout");
}

TEST(Timeouts, StartAfterDelays) {
  Rig rig;
  rig.add_agent("a", {"a"});
  model::WorkSpec spec = item("a");
  spec.start_after = rig.now.wall + seconds(30);
  const auto id = rig.must_submit(spec);
  rig.settle();
  EXPECT_EQ(rig.status(id).state, WorkState::delayed);
  EXPECT_EQ(rig.status(id).due_at, spec.start_after);
  rig.pass(seconds(30));
  EXPECT_EQ(rig.status(id).state, WorkState::running);
}

TEST(Timeouts, AHandlerThatDoesNotStopIsReportedOnceAndKeepsItsSlot) {
  Rig rig;
  rig.add_agent("a", {"a"});
  const auto id = rig.must_submit(item("a"));
  rig.must_assign();
  ASSERT_TRUE(rig.cancel(id));
  rig.must_submit(item("a"));
  rig.pass(seconds(29));
  EXPECT_TRUE(rig.reports.empty());
  rig.pass(seconds(1));
  rig.pass(minutes(5));
  ASSERT_EQ(rig.reports.size(), 1U);
  EXPECT_TRUE(rig.reports[0].stuck);
  EXPECT_TRUE(rig.assigned.empty());
  EXPECT_EQ(rig.work->stopping(), 1);
  rig.restart_agent("a");
  EXPECT_EQ(rig.work->stopping(), 0);
  rig.link("a");
  rig.must_assign();
}

// Many timers at one moment are fired in bounded portions.
TEST(Timeouts, AStormOfDeadlinesIsWorkedOffInPortions) {
  Rig rig;
  rig.add_agent("a", {"a"});
  rig.directory->set_assignable("a", false);
  model::WorkSpec spec = item("a");
  spec.deadline = rig.now.wall + seconds(1);
  const int count = Items::kTickBatch + 100;
  for (int i = 0; i < count; ++i) rig.must_submit(spec);
  rig.pass(seconds(1));
  EXPECT_EQ(rig.work->queued(), 100);
  ASSERT_TRUE(rig.work->next_due());
  EXPECT_LE(*rig.work->next_due(), rig.now.mono);
  rig.settle();
  EXPECT_EQ(rig.work->queued(), 0);
}

}  // namespace
}  // namespace mainstay::work
