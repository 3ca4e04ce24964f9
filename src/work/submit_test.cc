// Accepting, refusing and cancelling work items.
#include "work/test_rig.h"

namespace mainstay::work {
namespace {

using testing::Each;
using testing::ElementsAre;
using testing::HasSubstr;

TEST(Submit, AcceptsWithIdRowAndEvent) {
  Rig rig;
  rig.add_agent("analyst", {"file.analyse"});
  const auto accepted = rig.submit(item("file.analyse"));
  ASSERT_TRUE(accepted);
  EXPECT_FALSE(accepted->id.is_nil());
  EXPECT_EQ(accepted->state, model::WorkState::queued);
  rig.commit();
  const auto& kept = rig.book.work_of(accepted->id);
  EXPECT_EQ(kept.spec->created_at, rig.now.wall);
  EXPECT_EQ(kept.spec->timeout, minutes(10));  // the setting
  EXPECT_EQ(kept.spec->trace_parent.size(), 55U);
  EXPECT_THAT(rig.kinds(), ElementsAre("work.accepted"));
  EXPECT_EQ(rig.work->queued(), 1);
}

TEST(Submit, KeepsTheCallersTraceAndReplacesAMalformedOne) {
  Rig rig;
  rig.add_agent("analyst", {"a"});
  model::WorkSpec spec = item("a");
  spec.trace_parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
  const auto id = rig.must_submit(spec);
  rig.commit();
  EXPECT_EQ(rig.book.work_of(id).spec->trace_parent, spec.trace_parent);
  spec.trace_parent = "garbage";
  const auto other = rig.must_submit(spec);
  rig.commit();
  EXPECT_EQ(rig.book.work_of(other).spec->trace_parent.size(), 55U);
}

TEST(Submit, RefusesACapabilityThatNothingOffersAndSaysWhichIsMeant) {
  Rig rig;
  rig.add_agent("cppcheck", {"file.lint", "file.analyse"});
  const auto refused = rig.submit(item("file.lnit"));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), Code::capability_unknown);
  EXPECT_THAT(refused.error().message(), HasSubstr("did you mean \"file.lint\"?"));
  EXPECT_TRUE(rig.out.rows.empty());
  EXPECT_TRUE(rig.out.events.empty());
}

TEST(Submit, AcceptsWhatIsOnlyDownForNowAndWaits) {
  Rig rig;
  rig.add_agent("analyst", {"file.analyse"});
  rig.directory->set_assignable("analyst", false);
  rig.must_submit(item("file.analyse"));
  rig.settle();
  EXPECT_EQ(rig.work->queued(), 1);
  EXPECT_TRUE(rig.assigned.empty());
  rig.directory->set_assignable("analyst", true);
  rig.must_assign();
}

TEST(Submit, RefusesBeforeAnythingWhenTheStoreTakesNoCommits) {
  Rig rig;
  rig.add_agent("a", {"a"});
  rig.storage = {false, true, "the disk is full"};
  auto refused = rig.submit(item("a"));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), Code::storage_full);
  EXPECT_TRUE(refused.error().retryable());
  rig.storage = {false, false, "fsync failed"};
  refused = rig.submit(item("nothing"));  // before validation
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), Code::storage_failed);
  EXPECT_EQ(rig.work->queued(), 0);
  rig.storage = {};
  EXPECT_TRUE(rig.submit(item("a")));
}

TEST(Submit, RefusesWhenTheQueueIsFull) {
  WorkSettings settings;
  settings.max_queued = 2;
  Rig rig(settings);
  rig.add_agent("a", {"a"});
  rig.must_submit(item("a"));
  rig.must_submit(item("a"));
  const auto refused = rig.submit(item("a"));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), Code::overloaded);
  rig.settle();  // one of them starts
  EXPECT_TRUE(rig.submit(item("a")));
}

TEST(Submit, RefusesWhenTheInputsOfOpenItemsAreTooMuch) {
  WorkSettings settings;
  settings.max_open_input = 1'000;
  Rig rig(settings);
  rig.add_agent("a", {"a"});
  model::WorkSpec large = item("a");
  large.input = model::Payload::of("\"" + std::string(598, 'x') + "\"");
  const auto first = rig.submit(large);
  ASSERT_TRUE(first);
  const auto refused = rig.submit(large);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), Code::overloaded);
  EXPECT_TRUE(refused.error().retryable());
  EXPECT_THAT(refused.error().message(), HasSubstr("work.max_open_input"));
  EXPECT_TRUE(rig.submit(item("a"))) << "a small one fits";
  ASSERT_TRUE(rig.cancel(first->id));
  EXPECT_TRUE(rig.submit(large)) << "there is room again";
}

TEST(Submit, InputsOfOpenRunsCountToo) {
  WorkSettings settings;
  settings.max_open_input = 1'000;
  Rig rig(settings);
  model::StageSpec stage;
  stage.name = "one";
  stage.capability = "a";
  auto pipeline = std::make_shared<model::PipelineSpec>();
  pipeline->name = "p";
  pipeline->stages = {stage};
  rig.pipelines = {pipeline};
  rig.add_agent("a", {"a"});
  model::StartRun asked;
  asked.pipeline = "p";
  asked.input = model::Payload::of("\"" + std::string(598, 'x') + "\"");
  const auto first = rig.start(asked);
  ASSERT_TRUE(first) << first.error().to_text();
  EXPECT_EQ(rig.start(asked).error().code(), Code::overloaded);
  model::WorkSpec large = item("a");
  large.input = asked.input;
  EXPECT_EQ(rig.submit(large).error().code(), Code::overloaded);
  ASSERT_TRUE(rig.cancel(first->id));
  rig.settle();
  EXPECT_TRUE(rig.start(asked)) << "there is room again";
}

model::WorkSpec keyed(std::string key, std::string sha) {
  model::WorkSpec spec = item("a");
  spec.idempotency_key = std::move(key);
  spec.request_sha256 = std::move(sha);
  return spec;
}

TEST(Submit, TheSameKeyGivesTheFirstAnswer) {
  Rig rig;
  rig.add_agent("a", {"a"});
  const auto first = rig.submit(keyed("k", "1"));
  const auto again = rig.submit(keyed("k", "1"));
  ASSERT_TRUE(first && again);
  EXPECT_EQ(again->id, first->id);
  EXPECT_TRUE(again->duplicate);
  EXPECT_EQ(rig.work->queued(), 1);
  const auto other = rig.submit(keyed("k", "2"));
  ASSERT_FALSE(other);
  EXPECT_EQ(other.error().code(), Code::idempotency_conflict);

  rig.finish(rig.must_assign(), success());
  rig.commit();
  const auto after = rig.submit(keyed("k", "1"));
  ASSERT_TRUE(after);
  EXPECT_EQ(after->id, first->id);
  EXPECT_EQ(after->state, model::WorkState::succeeded);
  EXPECT_TRUE(after->duplicate);
}

/// It was in time when it came first.
TEST(Submit, ARepeatIsOneAlsoAfterItsDeadline) {
  Rig rig;
  rig.add_agent("a", {"a"});
  auto spec = keyed("k", "1");
  spec.deadline = rig.now.wall + seconds(1);
  const auto first = rig.submit(spec);
  ASSERT_TRUE(first);
  rig.commit();
  rig.pass(seconds(2));
  const auto again = rig.submit(spec);
  ASSERT_TRUE(again) << again.error().to_text();
  EXPECT_EQ(again->id, first->id);
  EXPECT_TRUE(again->duplicate);
  spec.idempotency_key = "new";
  const auto late = rig.submit(spec);
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().code(), Code::work_invalid);
}

TEST(Submit, KeysThatTheLoopForgotComeFromTheStore) {
  Rig rig;
  rig.add_agent("a", {"a"});
  const auto id = *model::WorkId::from_text("0192f3c8-7b1a-7cc3-98c4-dc0c0c07398f");
  const model::SubmitWork::Known known{id, "1", model::WorkState::failed};
  const auto first = rig.submit(keyed("k", "1"), known);
  ASSERT_TRUE(first);
  EXPECT_EQ(first->id, id);
  EXPECT_EQ(first->state, model::WorkState::failed);
  EXPECT_TRUE(first->duplicate);
  const auto other = rig.submit(keyed("k", "2"), known);
  ASSERT_FALSE(other);
  EXPECT_EQ(other.error().code(), Code::idempotency_conflict);
}

TEST(Submit, KeysOfOpenItemsSurviveARestart) {
  Rig rig;
  rig.add_agent("a", {"a"});
  const auto id = rig.must_submit(keyed("k", "1"));
  rig.restart_daemon();
  const auto again = rig.submit(keyed("k", "1"));
  ASSERT_TRUE(again);
  EXPECT_EQ(again->id, id);
  EXPECT_TRUE(again->duplicate);
}

TEST(Cancel, EndsAWaitingItem) {
  Rig rig;
  rig.add_agent("a", {"a"});
  const auto id = rig.must_submit(item("a"));
  ASSERT_TRUE(rig.cancel(id, "not wanted"));
  EXPECT_EQ(rig.status(id).state, model::WorkState::cancelled);
  EXPECT_EQ(rig.status(id).error->message, "not wanted");
  EXPECT_TRUE(rig.status(id).finished_at);
  EXPECT_EQ(rig.work->queued(), 0);
  rig.settle();
  EXPECT_TRUE(rig.assigned.empty());
  EXPECT_TRUE(rig.cancel(id)) << "cancelling twice is the same as once";
}

TEST(Cancel, StopsARunningAttemptAndFreesTheSlotWhenTheAgentConfirms) {
  Rig rig;
  rig.add_agent("a", {"a"});
  const auto id = rig.must_submit(item("a"));
  const auto assign = rig.must_assign();
  ASSERT_TRUE(rig.cancel(id));
  EXPECT_EQ(rig.status(id).state, model::WorkState::cancelled);
  ASSERT_EQ(rig.cancels.size(), 1U);
  EXPECT_EQ(rig.cancels[0].epoch, assign.epoch);

  rig.must_submit(item("a"));
  rig.settle();
  EXPECT_TRUE(rig.assigned.empty()) << "the agent has not stopped yet";
  rig.finish(assign, failed(model::FailureKind::cancelled));
  rig.must_assign();
  EXPECT_THAT(rig.kinds(), Each(testing::Ne("work.stale_result")));
  ASSERT_EQ(rig.acks.size(), 1U);
  EXPECT_FALSE(rig.acks[0].accepted);
}

TEST(Cancel, SaysWhatIsNotThereAndWhatHasEnded) {
  Rig rig;
  rig.add_agent("a", {"a"});
  const auto unknown = rig.cancel(model::WorkId());
  ASSERT_FALSE(unknown);
  EXPECT_EQ(unknown.error().code(), Code::not_found);
  const auto id = rig.must_submit(item("a"));
  rig.finish(rig.must_assign(), success());
  const auto late = rig.cancel(id);
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().code(), Code::conflict);
  EXPECT_THAT(late.error().message(), HasSubstr("succeeded"));
}

}  // namespace
}  // namespace mainstay::work
