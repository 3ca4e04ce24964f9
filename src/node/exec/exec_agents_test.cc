#include "node/exec/exec_agents.h"

#include <gtest/gtest.h>

#include <csignal>

#include "base/uuid.h"
#include "node/test_node.h"
#include "platform/clock.h"
#include "platform/json/json.h"

namespace mainstay::node {
namespace {

using model::AttemptFinished;

class ExecAgentsTest : public testing::Test {
 protected:
  model::AssignWork work(std::shared_ptr<const model::AgentSpec> spec, std::string input = "{}") {
    auto item = std::make_shared<model::WorkSpec>();
    item->id = model::WorkId::make(ids_, platform::wall_now());
    item->capability = "test.run";
    item->input = model::Payload::of(std::move(input));
    model::AssignWork assign;
    assign.agent = "stub";
    assign.work = item;
    assign.epoch = 1;
    assign.spec = std::move(spec);
    return assign;
  }
  model::AssignWork shell_work(const std::string& script, std::string input = "{}") {
    return work(spec_of({"/bin/sh", "-c", script}, model::AgentKind::exec), std::move(input));
  }
  model::AttemptOutcome run(TestNode& node, const model::AssignWork& assign) {
    node.apply(assign);
    auto finished = node.wait_for<AttemptFinished>();
    if (!finished) {
      ADD_FAILURE() << "no AttemptFinished";
      return {};
    }
    EXPECT_EQ(finished->work, assign.work->id);
    EXPECT_EQ(finished->epoch, assign.epoch);
    EXPECT_EQ(finished->link, 0U);
    return finished->outcome;
  }

  base::UuidMaker ids_{1};
  platform::TestDir dir_;
};

TEST_F(ExecAgentsTest, JsonInJsonOut) {
  TestNode node(dir_.path());
  auto outcome = run(node, shell_work("cat", "{\"path\": \"a b\", \"n\": 1.50}"));
  ASSERT_TRUE(outcome.output) << outcome.error->message;
  EXPECT_EQ(outcome.output->view(), "{\"path\": \"a b\", \"n\": 1.50}");
  EXPECT_GT(outcome.handler_time, Duration{0});
  // White space around it does not count; not reading the input is no error.
  EXPECT_EQ(run(node, shell_work("echo; echo ' [1, 2]'; echo")).output->view(), "[1, 2]");
}

TEST_F(ExecAgentsTest, ContextIsInTheEnvironment) {
  TestNode node(dir_.path());
  auto assign = work(spec_of({"/usr/bin/python3", "-c",
                              "import json, os; print(json.dumps({k: v for k, v in "
                              "os.environ.items() if k != 'LC_CTYPE'}))"},
                             model::AgentKind::exec));
  auto item = std::make_shared<model::WorkSpec>(*assign.work);
  base::UuidMaker runs(2);
  item->step = model::StepRef{model::RunId::make(runs, platform::wall_now()), "review", "lint", 3};
  item->trace_parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  assign.work = item;
  assign.attempt = 2;
  assign.step_number = 4;
  assign.time_left = std::chrono::seconds(10);
  auto outcome = run(node, assign);
  ASSERT_TRUE(outcome.output) << outcome.error->message;
  auto seen = *platform::parse_json_object(outcome.output->view());
  EXPECT_EQ(seen["MAINSTAY_WORK_ID"].as_string(), item->id.to_text().c_str());
  EXPECT_EQ(seen["MAINSTAY_RUN_ID"].as_string(), item->step->run.to_text().c_str());
  EXPECT_EQ(seen["MAINSTAY_STAGE"].as_string(), "lint");
  EXPECT_EQ(seen["MAINSTAY_PIPELINE"].as_string(), "review");
  EXPECT_EQ(seen["MAINSTAY_STEP"].as_string(), "4");
  EXPECT_EQ(seen["MAINSTAY_ATTEMPT"].as_string(), "2");
  EXPECT_EQ(seen["MAINSTAY_TIME_LEFT_MS"].as_string(), "10000");
  EXPECT_EQ(seen["TRACEPARENT"].as_string(), item->trace_parent.c_str());
  EXPECT_FALSE(seen.contains("MAINSTAY_TOKEN"));
  EXPECT_FALSE(seen.contains("MAINSTAY_LINK"));
}

TEST_F(ExecAgentsTest, OnlyTheVariablesThatTheSpecNamesArePassedOn) {
  ::setenv("NODE_TEST_KEY", "secret", 1);
  ::setenv("NODE_TEST_OTHER", "secret", 1);
  TestNode node(dir_.path());
  auto spec = std::make_shared<model::AgentSpec>(*spec_of(
      {"/bin/sh", "-c", "printf '\"%s\"' $NODE_TEST_KEY/$NODE_TEST_OTHER/$OWN/${ABSENT-none}"},
      model::AgentKind::exec));
  spec->pass_environment = {"NODE_TEST_KEY", "OWN", "ABSENT"};
  spec->environment = {{"OWN", "file"}};
  auto outcome = run(node, work(spec));
  ::unsetenv("NODE_TEST_KEY");
  ::unsetenv("NODE_TEST_OTHER");
  ASSERT_TRUE(outcome.output) << outcome.error->message;
  EXPECT_EQ(outcome.output->view(), "\"secret//file/none\"");
}

TEST_F(ExecAgentsTest, PythonIsToldNotToHoldBackWhatItPrintsUnlessTheSpecSaysOtherwise) {
  TestNode node(dir_.path());
  auto spec = std::make_shared<model::AgentSpec>(
      *spec_of({"/bin/sh", "-c", "printf '\"%s\"' \"$PYTHONUNBUFFERED\""}, model::AgentKind::exec));
  auto outcome = run(node, work(spec));
  ASSERT_TRUE(outcome.output) << outcome.error->message;
  EXPECT_EQ(outcome.output->view(), "\"1\"");
  spec->environment = {{"PYTHONUNBUFFERED", ""}};
  outcome = run(node, work(spec));
  ASSERT_TRUE(outcome.output) << outcome.error->message;
  EXPECT_EQ(outcome.output->view(), "\"\"");
}

TEST_F(ExecAgentsTest, StderrIsLogLinesInTheItemsContext) {
  TestNode node(dir_.path());
  auto assign = shell_work("echo looking >&2; echo null");
  ASSERT_TRUE(run(node, assign).output);
  auto line = node.wait_for_log("looking");
  ASSERT_TRUE(line);
  EXPECT_EQ(line->context.agent, "stub");
  EXPECT_EQ(line->context.work_id, assign.work->id.to_text());
  EXPECT_EQ(line->context.component, "stub");
}

TEST_F(ExecAgentsTest, A1ExitsMeanWhatTheySay) {
  TestNode node(dir_.path());
  struct Case {
    const char* script;
    const char* code;
    bool permanent;
    const char* says;
  };
  const Case cases[] = {
      {"exit 1", "handler_failed", false, "exited with 1"},
      {"echo why >&2; exit 2", "handler_failed", false, "exited with 2: why"},
      {"exit 75", "handler_failed", false, "retry"},
      {"echo cppcheck is not installed >&2; exit 69", "environment_invalid", true,
       "cppcheck is not installed"},
      {"exit 78", "environment_invalid", true, "78"},
      {"exec 2>/dev/null; no-such-command", "environment_invalid", true, "127"},
      {"kill -SEGV $$", "handler_failed", false, "SIGSEGV"},
      {"echo '{\"a\":1'", "handler_failed", false, "no JSON"},
      {"echo '{} {}'", "handler_failed", false, "no JSON"},
      {"true", "handler_failed", false, "nothing"},
  };
  for (const Case& c : cases) {
    auto outcome = run(node, shell_work(c.script));
    ASSERT_TRUE(outcome.error) << c.script;
    EXPECT_FALSE(outcome.output) << c.script;
    EXPECT_EQ(outcome.error->kind, model::FailureKind::error) << c.script;
    EXPECT_EQ(outcome.error->code, c.code) << c.script;
    EXPECT_EQ(outcome.error->permanent, c.permanent) << c.script;
    EXPECT_NE(outcome.error->message.find(c.says), std::string::npos) << outcome.error->message;
    EXPECT_EQ(outcome.error->message.rfind("sh ", 0), 0U) << outcome.error->message;
    const auto context = platform::parse_json_object(outcome.error->context_json);
    ASSERT_TRUE(context) << c.script;
    ASSERT_TRUE(context->contains("hint")) << c.script;
    const std::string hint(context->at("hint").as_string());
    EXPECT_NE(hint.find("run it by hand"), std::string::npos) << hint;
    EXPECT_EQ(hint.starts_with("see what it said on stderr"), context->contains("stderr")) << hint;
  }
}

TEST_F(ExecAgentsTest, A14ACommandThatIsNotThereFailsForGood) {
  TestNode node(dir_.path());
  auto outcome = run(node, work(spec_of({"no-such-linter"}, model::AgentKind::exec)));
  ASSERT_TRUE(outcome.error);
  EXPECT_EQ(outcome.error->code, "process_start_failed");
  EXPECT_TRUE(outcome.error->permanent);
  // The next item of that agent can still run.
  EXPECT_TRUE(run(node, shell_work("echo 1")).output);
}

TEST_F(ExecAgentsTest, LargeOutputsAreStoredAndTooLargeOnesRefused) {
  TestNode node(dir_.path());
  auto large = run(node, shell_work("printf '\"'; head -c 3000000 /dev/zero | tr '\\0' x; printf "
                                    "'\"'"));
  ASSERT_TRUE(large.output) << large.error->message;
  EXPECT_EQ(large.output->view().size(), 3000002U);
  EXPECT_EQ(large.output->blob, "hash-of-it");
  EXPECT_EQ(node.stored_bytes, 3000002U);
  auto endless = run(node, shell_work("yes"));
  ASSERT_TRUE(endless.error);
  EXPECT_EQ(endless.error->code, "payload_too_large");
  EXPECT_TRUE(endless.error->permanent);
}

/// A cancelled attempt is told once, when all of its tree is gone.
TEST_F(ExecAgentsTest, A5CancelEndsTheWholeTree) {
  for (bool use_cgroups : {true, false}) {
    SCOPED_TRACE(use_cgroups ? "cgroups" : "walk");
    platform::TestDir dir;
    TestNode node(dir.path(), use_cgroups);
    auto assign = work(spec_of({"/usr/bin/python3", "-c", kNastyAgent}, model::AgentKind::exec));
    node.apply(assign);
    node.apply(assign);  // again: no second process
    auto all = nasty_processes(node);
    node.apply(model::CancelAttempt{"stub", 0, assign.work->id, 2, "another epoch"});
    node.apply(model::CancelAttempt{"stub", 0, assign.work->id, 1, "it took too long"});
    node.apply(model::CancelAttempt{"stub", 0, assign.work->id, 1, "twice"});
    auto finished = node.wait_for<AttemptFinished>();
    ASSERT_TRUE(finished);
    EXPECT_EQ(finished->outcome.error->kind, model::FailureKind::cancelled);
    EXPECT_EQ(finished->outcome.error->message, "it took too long");
    expect_all_gone(all);
    EXPECT_EQ(node.facts.size(), 0U);
    EXPECT_EQ(node.node->status().processes_started, 1U);
  }
}

/// What ended one item must not end the next: a cgroup that was killed kills what comes after.
TEST_F(ExecAgentsTest, TheItemAfterOneThatWasKilledIsServed) {
  TestNode node(dir_.path());
  const auto expect_served = [&](const char* after) {
    for (int i = 0; i < 3; ++i) {
      auto outcome = run(node, shell_work("cat", "[1]"));
      ASSERT_TRUE(outcome.output) << "after " << after << ": " << outcome.error->message;
      EXPECT_EQ(outcome.output->view(), "[1]");
    }
  };
  auto assign = shell_work("echo on >&2; sleep 1000");
  node.apply(assign);
  ASSERT_TRUE(node.wait_for_log("on"));
  node.apply(model::CancelAttempt{"stub", 0, assign.work->id, 1, "enough"});
  ASSERT_TRUE(node.wait_for<AttemptFinished>());
  expect_served("a cancel");
  EXPECT_TRUE(run(node, shell_work("sleep 1000 & echo 5")).output);
  expect_served("a background process");
  EXPECT_TRUE(run(node, shell_work("kill -9 $$")).error);
  expect_served("a signal");
  EXPECT_TRUE(run(node, shell_work("head -c 20000000 /dev/zero | tr '\\0' 1")).error);
  expect_served("an output that is too large");
}

/// A background process that holds stdout open does not keep the item waiting (faults A12).
TEST_F(ExecAgentsTest, TheItemEndsWithItsProcess) {
  TestNode node(dir_.path());
  auto outcome = run(node, shell_work("sleep 1000 & echo 5"));
  ASSERT_TRUE(outcome.output) << outcome.error->message;
  EXPECT_EQ(outcome.output->view(), "5");
}

TEST_F(ExecAgentsTest, StoppingTheAgentEndsItsItems) {
  TestNode node(dir_.path());
  node.apply(shell_work("exec sleep 1000"));
  node.apply(shell_work("exec sleep 1000"));
  node.apply(model::KillProcess{"stub", 1});
  for (int i = 0; i < 2; ++i) {
    auto finished = node.wait_for<AttemptFinished>();
    ASSERT_TRUE(finished);
    EXPECT_EQ(finished->outcome.error->kind, model::FailureKind::cancelled);
  }
}

TEST_F(ExecAgentsTest, ManyAtOnceEachGetItsOwnInput) {
  TestNode node(dir_.path());
  constexpr int kItems = 40;
  std::map<model::WorkId, std::string> inputs;
  for (int i = 0; i < kItems; ++i) {
    auto assign = shell_work("cat", "[" + std::to_string(i) + "]");
    inputs[assign.work->id] = "[" + std::to_string(i) + "]";
    node.apply(assign);
  }
  for (int i = 0; i < kItems; ++i) {
    auto finished = node.wait_for<AttemptFinished>();
    ASSERT_TRUE(finished);
    ASSERT_TRUE(finished->outcome.output) << finished->outcome.error->message;
    EXPECT_EQ(finished->outcome.output->view(), inputs[finished->work]);
    inputs.erase(finished->work);
  }
  EXPECT_TRUE(inputs.empty());
}

TEST_F(ExecAgentsTest, StopOfTheNodeKillsWhatRuns) {
  TestNode node(dir_.path());
  node.apply(work(spec_of({"/usr/bin/python3", "-c", kNastyAgent}, model::AgentKind::exec)));
  auto all = nasty_processes(node);
  node.node->stop();
  expect_all_gone(all);
  EXPECT_EQ(node.facts.size(), 0U);
}

}  // namespace
}  // namespace mainstay::node
