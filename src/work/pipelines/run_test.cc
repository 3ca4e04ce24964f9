// Pipelines: order, fan-out, fan-in, failure, time.
#include "work/test_rig.h"

#include <functional>
#include <set>

namespace mainstay::work {
namespace {

using model::RunState;
using model::StepState;
using model::WorkState;
using testing::ElementsAre;
using testing::HasSubstr;

model::StageSpec stage(std::string name, std::vector<std::string> needs = {}) {
  model::StageSpec spec;
  spec.name = std::move(name);
  spec.capability = "do." + spec.name;
  spec.needs = std::move(needs);
  spec.retries = 0;
  return spec;
}

/// A rig whose one agent can do every stage of one pipeline, `p`.
class RunRig : public Rig {
 public:
  explicit RunRig(std::vector<model::StageSpec> stages, Duration timeout = {}, int slots = 16) {
    auto spec = std::make_shared<model::PipelineSpec>();
    spec->name = "p";
    spec->version = 3;
    spec->timeout = timeout;
    spec->stages = std::move(stages);
    pipelines = {spec};
    std::vector<std::string> capabilities;
    for (const model::StageSpec& one : spec->stages) capabilities.push_back(one.capability);
    add_agent("a", std::move(capabilities), slots);
  }
  model::RunId must_start(std::string input = R"({"files":["x","y","z"]})") {
    auto accepted = start({.pipeline = "p",
                           .input = model::Payload::of(std::move(input)),
                           .labels = {},
                           .idempotency_key = "",
                           .request_sha256 = "",
                           .trace_parent = "",
                           .known = {}});
    EXPECT_TRUE(accepted) << (accepted ? "" : accepted.error().to_text());
    return accepted ? accepted->id : model::RunId();
  }
  RowBook::RunEntry& run(const model::RunId& id) {
    commit();
    return book.runs.at(id);
  }
  model::StepStatus& step(const model::RunId& id, const std::string& name) {
    return run(id).steps.at(name);
  }
  /// Answers every assignment until nothing is assigned; by stage, else succeeds with `1`.
  using Answer = std::function<model::AttemptOutcome(const model::AssignWork&)>;
  void answer_all(const Answer& answer = [](const auto&) { return success(); }) {
    for (settle(); !assigned.empty(); settle()) {
      const auto assign = *next_assigned();
      finish(assign, answer(assign));
    }
  }
  std::vector<std::string> inputs_of(const std::string& name) {
    commit();
    std::map<std::int64_t, std::string> found;
    for (const auto& [id, entry] : book.work) {
      if (entry.spec->step->stage == name) {
        found[entry.spec->step->index] = std::string(entry.spec->input.view());
      }
    }
    std::vector<std::string> texts;
    for (auto& [index, text] : found) texts.push_back(text);
    return texts;
  }
};

TEST(Run, StagesStartWhenWhatTheyNeedIsOver) {
  RunRig rig({stage("report", {"left", "right"}), stage("left", {"scan"}), stage("scan"),
              stage("right", {"scan"})});
  const auto id = rig.must_start();
  std::vector<std::string> order;
  rig.answer_all([&](const model::AssignWork& assign) {
    order.push_back(assign.work->step->stage);
    return success();
  });
  EXPECT_THAT(order, ElementsAre("scan", "left", "right", "report"));
  EXPECT_EQ(rig.run(id).status.state, RunState::succeeded);
  EXPECT_EQ(rig.step(id, "scan").number, 1);
  EXPECT_EQ(rig.step(id, "left").number, 2);
  EXPECT_EQ(rig.step(id, "right").number, 3);
  EXPECT_EQ(rig.step(id, "report").number, 4);
  EXPECT_EQ(rig.run(id).status.output.view(), R"({"report":1})");
  EXPECT_EQ(rig.work->open_runs(), 0);
}

TEST(Run, FansOutAndInKeepingTheOrder) {
  auto scan = stage("scan");
  auto each = stage("each", {"scan"});
  each.foreach_reference = "scan#/files";
  each.input_json = R"({"file":"item#","n":"index#","root":"run#/input/root"})";
  auto report = stage("report", {"each"});
  report.input_json = R"({"all":"each#","second":"each#/1"})";
  RunRig rig({scan, each, report});
  const auto id = rig.must_start(R"({"root":"/src"})");
  rig.finish(rig.must_assign(), success(R"({"files":["x","y","z"]})"));
  rig.settle();
  ASSERT_EQ(rig.assigned.size(), 3U);
  EXPECT_EQ(rig.assigned[0].step_number, 2);
  auto batch = std::exchange(rig.assigned, {});
  // They end in another order than they began.
  rig.finish(batch[2], success("\"third\""));
  rig.finish(batch[0], success("\"first\""));
  rig.finish(batch[1], success("\"second\""));
  rig.answer_all();
  EXPECT_THAT(rig.inputs_of("each"), ElementsAre(R"({"file":"x","n":0,"root":"/src"})",
                                                 R"({"file":"y","n":1,"root":"/src"})",
                                                 R"({"file":"z","n":2,"root":"/src"})"));
  EXPECT_THAT(rig.inputs_of("report"),
              ElementsAre(R"({"all":["first","second","third"],"second":"second"})"));
  EXPECT_EQ(rig.step(id, "each").items_total, 3);
  EXPECT_EQ(rig.step(id, "each").items_done, 3);
  EXPECT_EQ(rig.run(id).status.state, RunState::succeeded);
}

/// What is accepted from an agent can be used, also one level further down, in the array of a
/// fan-out.
TEST(Run, TheDeepestOutputThatIsAcceptedCanBeReferredTo) {
  const std::string deep = std::string(64, '[') + std::string(64, ']');
  ASSERT_TRUE(platform::parse_json(deep));
  ASSERT_FALSE(platform::parse_json("[" + deep + "]"));
  auto each = stage("each");
  each.foreach_reference = "run#/input/files";
  auto report = stage("report", {"each"});
  report.input_json = R"({"second":"each#/1"})";
  RunRig rig({each, report});
  const auto id = rig.must_start(R"({"files":["x","y"]})");
  rig.answer_all([&](const model::AssignWork& assign) {
    return success(assign.work->step->stage == "each" ? deep : "1");
  });
  EXPECT_EQ(rig.run(id).status.state, RunState::succeeded);
  EXPECT_THAT(rig.inputs_of("report"), ElementsAre("{\"second\":" + deep + "}"));
}

TEST(Run, WithoutInputTheElementOrTheRunsInputIsTaken) {
  auto first = stage("first");
  auto each = stage("each");
  each.foreach_reference = "run#/input/files";
  RunRig rig({first, each});
  rig.must_start(R"({"files":[{"a":1},2]})");
  rig.answer_all();
  EXPECT_THAT(rig.inputs_of("first"), ElementsAre(R"({"files":[{"a":1},2]})"));
  EXPECT_THAT(rig.inputs_of("each"), ElementsAre(R"({"a":1})", "2"));
}

TEST(Run, AnEmptyFanOutSucceedsWithAnEmptyArray) {
  auto each = stage("each");
  each.foreach_reference = "run#/input/files";
  auto report = stage("report", {"each"});
  report.input_json = R"("each#")";
  RunRig rig({each, report});
  const auto id = rig.must_start(R"({"files":[]})");
  rig.answer_all();
  EXPECT_THAT(rig.inputs_of("report"), ElementsAre("[]"));
  EXPECT_EQ(rig.step(id, "each").state, StepState::succeeded);
  EXPECT_EQ(rig.run(id).status.state, RunState::succeeded);
}

std::string files(int count) {
  std::string text = R"({"files":[0)";
  for (int i = 1; i < count; ++i) text += "," + std::to_string(i);
  return text + "]}";
}

TEST(Run, MaxParallelIsKept) {
  auto each = stage("each");
  each.foreach_reference = "run#/input/files";
  each.max_parallel = 3;
  RunRig rig({each});
  const auto id = rig.must_start(files(20));
  std::size_t most = 0;
  int done = 0;
  for (rig.settle(); !rig.assigned.empty(); rig.settle()) {
    const auto open = rig.work->running() + rig.work->queued() + rig.work->delayed();
    most = std::max(most, static_cast<std::size_t>(open));
    rig.finish(*rig.next_assigned(), success());
    ++done;
  }
  EXPECT_EQ(most, 3U);
  EXPECT_EQ(done, 20);
  EXPECT_EQ(rig.run(id).status.state, RunState::succeeded);
}

TEST(Run, AHugeFanOutIsNotQueuedAtOnce) {
  auto each = stage("each");
  each.foreach_reference = "run#/input/files";
  RunRig rig({each}, {}, 64);
  const auto id = rig.must_start(files(20'000));
  EXPECT_LE(rig.work->queued(), 1024);
  rig.answer_all([&](const auto&) {
    EXPECT_LE(rig.work->queued() + rig.work->running(), 1024);
    return success();
  });
  EXPECT_EQ(rig.step(id, "each").items_done, 20'000);
  EXPECT_EQ(rig.run(id).status.state, RunState::succeeded);
}

TEST(Run, ACriticalFailureEndsTheRunAndCancelsTheRest) {
  auto each = stage("each");
  each.foreach_reference = "run#/input/files";
  RunRig rig({each, stage("beside"), stage("after", {"each"})});
  const auto id = rig.must_start();
  rig.settle();
  ASSERT_EQ(rig.assigned.size(), 4U);
  rig.finish(rig.assigned[1], failed());
  rig.settle();
  EXPECT_EQ(rig.run(id).status.state, RunState::failed);
  ASSERT_TRUE(rig.run(id).status.error);
  EXPECT_THAT(rig.run(id).status.error->message, HasSubstr("stage each failed: no such file"));
  EXPECT_EQ(rig.step(id, "each").state, StepState::failed);
  EXPECT_EQ(rig.step(id, "beside").state, StepState::cancelled);
  EXPECT_EQ(rig.step(id, "after").state, StepState::skipped);
  EXPECT_EQ(rig.cancels.size(), 3U);
  EXPECT_EQ(rig.work->running() + rig.work->queued() + rig.work->delayed(), 0);
  int cancelled = 0;
  for (const auto& [work, entry] : rig.book.work) {
    cancelled += entry.status.state == WorkState::cancelled ? 1 : 0;
  }
  EXPECT_EQ(cancelled, 3);
  // What comes from them now changes nothing.
  rig.finish(rig.assigned[0], success());
  rig.settle();
  EXPECT_EQ(rig.run(id).status.state, RunState::failed);
}

TEST(Run, AFailSoftItemIsRecordedAndTheOthersAreKept) {
  auto each = stage("each");
  each.foreach_reference = "run#/input/files";
  each.critical = false;
  auto report = stage("report", {"each"});
  report.input_json = R"("each#")";
  RunRig rig({each, report});
  const auto id = rig.must_start();
  rig.answer_all([](const model::AssignWork& assign) {
    if (assign.work->step->stage != "each") return success();
    return assign.work->step->index == 1 ? failed() : success("\"ok\"");
  });
  EXPECT_EQ(rig.run(id).status.state, RunState::degraded);
  EXPECT_EQ(rig.step(id, "each").state, StepState::degraded);
  EXPECT_EQ(rig.step(id, "each").items_failed, 1);
  EXPECT_EQ(rig.step(id, "each").items_done, 2);
  const auto input = platform::parse_json(rig.inputs_of("report").at(0));
  ASSERT_TRUE(input);
  const auto& outputs = input->as_array();
  EXPECT_EQ(outputs.at(0), "ok");
  EXPECT_EQ(outputs.at(1).at("_stage_error"), true);
  EXPECT_EQ(outputs.at(1).at("stage"), "each");
  EXPECT_EQ(outputs.at(1).at("error").at("code"), "ValueError");
  EXPECT_EQ(outputs.at(2), "ok");
  const auto event = rig.last_event("step.stage_error");
  ASSERT_TRUE(event);
  EXPECT_THAT(event->body, HasSubstr(R"("index":1)"));
}

TEST(Run, AFailSoftStageWhoseReferenceLeadsNowhereDegrades) {
  auto lint = stage("lint");
  lint.foreach_reference = "run#/input/cpp_files";
  lint.critical = false;
  auto report = stage("report", {"lint"});
  report.input_json = R"({"lint":"lint#"})";
  RunRig rig({lint, report});
  const auto id = rig.must_start();
  rig.answer_all();
  EXPECT_EQ(rig.step(id, "lint").state, StepState::degraded);
  EXPECT_EQ(rig.step(id, "lint").error->code, "reference_unresolved");
  EXPECT_EQ(rig.run(id).status.state, RunState::degraded);
  EXPECT_THAT(rig.inputs_of("report").at(0), HasSubstr(R"({"lint":{"_stage_error":true)"));
}

TEST(Run, ACriticalReferenceThatLeadsNowhereFailsTheRun) {
  auto each = stage("each");
  each.input_json = R"("run#/input/none")";
  RunRig rig({each});
  const auto id = rig.must_start();
  EXPECT_EQ(rig.run(id).status.state, RunState::failed);
  EXPECT_EQ(rig.run(id).status.error->code, "reference_unresolved");
  EXPECT_EQ(rig.step(id, "each").number, 1) << "it was started, so it has a log folder";
  EXPECT_EQ(rig.work->open_runs(), 0);
}

TEST(Run, ElementsWithoutAnInputFailAloneWhenFailSoft) {
  auto each = stage("each");
  each.foreach_reference = "run#/input/files";
  each.input_json = R"("item#/path")";
  each.critical = false;
  RunRig rig({each});
  const auto id = rig.must_start(R"({"files":[{"path":"x"},{"name":"y"},{"path":"z"}]})");
  rig.answer_all();
  EXPECT_EQ(rig.step(id, "each").items_failed, 1);
  EXPECT_EQ(rig.step(id, "each").items_done, 2);
  EXPECT_THAT(rig.inputs_of("each"), ElementsAre("\"x\"", "\"z\""));
  EXPECT_EQ(rig.run(id).status.state, RunState::degraded);
}

// 5,000 elements without an input: worked off in portions, not in one turn.
TEST(Run, ManyElementsWithoutAnInputDoNotHoldUpTheLoop) {
  auto each = stage("each");
  each.foreach_reference = "run#/input/files";
  each.input_json = R"("item#/path")";
  each.critical = false;
  RunRig rig({each});
  const auto id = rig.must_start(files(5'000));
  EXPECT_LE(rig.out.events.size(), 1100U);
  ASSERT_TRUE(rig.work->next_due());
  EXPECT_LE(*rig.work->next_due(), rig.now.mono);
  for (int i = 0; i < 10 && rig.work->open_runs() > 0; ++i) rig.settle();
  EXPECT_EQ(rig.step(id, "each").items_failed, 5'000);
  EXPECT_EQ(rig.run(id).status.state, RunState::degraded);
}

TEST(Run, WhenSkipsAStageAndWhatNeedsItGoesOnWithNull) {
  auto scan = stage("scan");
  auto lint = stage("lint", {"scan"});
  lint.when = model::Condition{model::ConditionKind::not_empty, "scan#/cpp", ""};
  auto report = stage("report", {"lint"});
  report.input_json = R"({"lint":"lint#/warnings"})";
  RunRig rig({scan, lint, report});
  const auto id = rig.must_start();
  rig.answer_all([](const model::AssignWork& assign) {
    return assign.work->step->stage == "scan" ? success(R"({"cpp":[]})") : success();
  });
  EXPECT_EQ(rig.step(id, "lint").state, StepState::skipped);
  EXPECT_EQ(rig.step(id, "lint").number, 0);
  EXPECT_THAT(rig.inputs_of("report"), ElementsAre(R"({"lint":null})"));
  EXPECT_EQ(rig.run(id).status.state, RunState::succeeded);
}

TEST(Run, RetriesAreCountedAndUsageIsSummed) {
  auto one = stage("one");
  one.retries = 2;
  one.backoff_min = milliseconds(10);
  RunRig rig({one});
  const auto id = rig.must_start();
  auto bad = failed();
  bad.usage = {{"openai", "gpt", 10, 1, 0, 0, 1, 0}};
  rig.finish(rig.must_assign(), bad);
  rig.pass(seconds(1));
  EXPECT_EQ(rig.step(id, "one").retries, 1);
  auto good = success();
  good.usage = {{"openai", "gpt", 20, 2, 0, 0, 1, 0}};
  rig.finish(*rig.next_assigned(), good);
  rig.settle();
  EXPECT_EQ(rig.step(id, "one").usage.total_tokens(), 33);
  EXPECT_EQ(rig.step(id, "one").usage.llm_requests, 2);
  EXPECT_EQ(rig.step(id, "one").usage.model, "gpt");
  EXPECT_EQ(rig.run(id).status.state, RunState::succeeded);
}

TEST(Run, ItsTimeoutEndsIt) {
  RunRig rig({stage("one"), stage("two", {"one"})}, minutes(1));
  const auto id = rig.must_start();
  rig.must_assign();
  rig.pass(minutes(1) - milliseconds(1));
  EXPECT_EQ(rig.run(id).status.state, RunState::running);
  rig.pass(milliseconds(1));
  EXPECT_EQ(rig.run(id).status.state, RunState::timed_out);
  EXPECT_EQ(rig.run(id).status.error->code, "deadline_exceeded");
  EXPECT_EQ(rig.step(id, "one").state, StepState::cancelled);
  EXPECT_EQ(rig.step(id, "two").state, StepState::cancelled);
  EXPECT_EQ(rig.cancels.size(), 1U);
}

TEST(Run, CancelEndsItAndItsItems) {
  RunRig rig({stage("one"), stage("two", {"one"})});
  const auto id = rig.must_start();
  rig.must_assign();
  ASSERT_TRUE(rig.cancel(id, "by hand"));
  EXPECT_EQ(rig.run(id).status.state, RunState::cancelled);
  EXPECT_EQ(rig.run(id).status.error->message, "by hand");
  rig.settle();
  EXPECT_EQ(rig.cancels.size(), 1U);
  const auto again = rig.cancel(id);
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code(), Code::not_found);
}

TEST(Run, CancellingAnItemOfACriticalStageFailsTheRun) {
  RunRig rig({stage("one")});
  const auto id = rig.must_start();
  const auto assign = rig.must_assign();
  ASSERT_TRUE(rig.cancel(assign.work->id, "this one only"));
  rig.settle();
  EXPECT_EQ(rig.run(id).status.state, RunState::failed);
}

TEST(Run, StartIsRefusedWithAReason) {
  RunRig rig({stage("one")});
  model::StartRun asked;
  asked.pipeline = "q";
  auto refused = rig.start(asked);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), Code::pipeline_unknown);
  asked.pipeline = "p";
  asked.labels["Bad Key"] = "x";
  EXPECT_EQ(rig.start(asked).error().code(), Code::invalid_argument);
  asked.labels.clear();
  rig.storage.writable = false;
  EXPECT_EQ(rig.start(asked).error().code(), Code::storage_failed);
  rig.storage.writable = true;
  rig.directory->remove("a");
  EXPECT_EQ(rig.start(asked).error().code(), Code::capability_unknown);
  EXPECT_TRUE(rig.out.rows.empty());
}

TEST(Run, IdempotencyKeys) {
  RunRig rig({stage("one")});
  model::StartRun asked;
  asked.pipeline = "p";
  asked.idempotency_key = "k";
  asked.request_sha256 = "1";
  const auto first = rig.start(asked);
  ASSERT_TRUE(first);
  EXPECT_TRUE(rig.start(asked)->duplicate);
  rig.answer_all();
  const auto again = rig.start(asked);
  ASSERT_TRUE(again);
  EXPECT_EQ(again->id, first->id);
  EXPECT_TRUE(again->duplicate);
  asked.request_sha256 = "2";
  EXPECT_EQ(rig.start(asked).error().code(), Code::idempotency_conflict);
}

// WRK-9: every stage is a span; items are its children.
TEST(Run, EventsCarrySpansAndDurations) {
  RunRig rig({stage("one")});
  model::StartRun asked;
  asked.pipeline = "p";
  asked.trace_parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
  ASSERT_TRUE(rig.start(asked));
  const auto assign = rig.must_assign();
  rig.now.mono += milliseconds(250);
  rig.finish(assign, success());
  rig.settle();
  const auto body = [&](const char* kind) {
    return *platform::parse_json_object(rig.last_event(kind)->body);
  };
  const auto run = body("run.started");
  const auto begun = body("step.started");
  const auto ended = body("step.finished");
  EXPECT_EQ(run.at("trace_id"), "4bf92f3577b34da6a3ce929d0e0e4736");
  EXPECT_EQ(run.at("parent_span_id"), "00f067aa0ba902b7");
  EXPECT_EQ(begun.at("parent_span_id"), run.at("span_id"));
  EXPECT_EQ(ended.at("span_id"), begun.at("span_id"));
  EXPECT_EQ(ended.at("duration_ms"), 250.0);
  EXPECT_EQ(ended.at("state"), "succeeded");
  EXPECT_THAT(assign.work->trace_parent, HasSubstr(begun.at("span_id").as_string().c_str()));
  EXPECT_EQ(body("run.finished").at("state"), "succeeded");
}

// ---- restarts ---------------------------------------------------------------------------------

TEST(RunRestart, GoesOnFromTheLastFinishedItem) {
  auto each = stage("each");
  each.foreach_reference = "run#/input/files";
  auto report = stage("report", {"each"});
  report.input_json = R"("each#")";
  RunRig rig({each, report}, {}, 1);
  const auto id = rig.must_start();
  rig.finish(rig.must_assign(), success("10"));
  const auto second = rig.must_assign();
  rig.restart_daemon();
  rig.link("a", {{second.work->id, second.epoch}});
  rig.finish(second, success("11"));
  rig.answer_all(
      [](const auto& assign) { return success(assign.work->step->stage == "each" ? "12" : "1"); });
  EXPECT_THAT(rig.inputs_of("report"), ElementsAre("[10,11,12]"));
  EXPECT_EQ(rig.run(id).status.state, RunState::succeeded);
  EXPECT_EQ(rig.step(id, "each").items_done, 3);
  EXPECT_EQ(rig.step(id, "report").number, 2);
  EXPECT_EQ(rig.book.work.size(), 4U) << "an item exists once per stage and index";
}

TEST(RunRestart, KeepsItsPipelineWhenTheFleetFileChanges) {
  RunRig rig({stage("one"), stage("two", {"one"})});
  const auto id = rig.must_start();
  const auto assign = rig.must_assign();
  auto other = std::make_shared<model::PipelineSpec>();
  other->name = "p";
  other->version = 4;
  other->stages = {stage("one")};
  rig.pipelines = {other};
  rig.restart_daemon();
  rig.link("a", {{assign.work->id, assign.epoch}});
  rig.finish(assign, success());
  rig.answer_all();
  EXPECT_EQ(rig.run(id).status.state, RunState::succeeded);
  EXPECT_EQ(rig.step(id, "two").state, StepState::succeeded);
  EXPECT_EQ(rig.run(id).spec->pipeline->version, 3);
}

// What failed before the restart is in the outputs after it, whether it had an item or not.
TEST(RunRestart, FailSoftErrorsAreStillThere) {
  auto whole = stage("whole");
  whole.foreach_reference = "run#/input/none";
  whole.critical = false;
  auto each = stage("each", {"whole"});
  each.foreach_reference = "run#/input/files";
  each.input_json = R"("item#/path")";
  each.critical = false;
  auto wait = stage("wait", {"each"});
  auto report = stage("report", {"wait"});
  report.input_json = R"({"whole":"whole#","each":"each#"})";
  const auto answer = [](const model::AssignWork& assign) {
    return assign.work->step->stage == "each" && assign.work->step->index == 0 ? failed()
                                                                               : success();
  };
  std::vector<std::string> reports;
  for (const bool restart : {false, true}) {
    RunRig rig({whole, each, wait, report}, {}, 1);
    const auto id = rig.must_start(R"({"files":[{"path":"x"},{},{"path":"z"}]})");
    for (rig.settle(); rig.assigned.at(0).work->step->stage != "wait"; rig.settle()) {
      const auto assign = *rig.next_assigned();
      rig.finish(assign, answer(assign));
    }
    if (restart) {
      rig.restart_daemon();
      rig.link("a");
    }
    rig.answer_all(answer);
    EXPECT_EQ(rig.run(id).status.state, RunState::degraded);
    EXPECT_EQ(rig.step(id, "each").items_failed, 2);
    reports.push_back(rig.inputs_of("report").at(0));
  }
  EXPECT_EQ(reports[0], reports[1]);
  EXPECT_THAT(reports[0], HasSubstr("there is nothing at it"));
}

TEST(RunRestart, ARunOfCommandAgentsGoesOn) {
  RunRig rig({stage("one"), stage("two", {"one"})});
  rig.specs["a"]->kind = model::AgentKind::exec;
  rig.restart_daemon();
  const auto id = rig.must_start();
  rig.must_assign();
  rig.restart_daemon();
  rig.answer_all();
  EXPECT_EQ(rig.run(id).status.state, RunState::succeeded);
  EXPECT_EQ(rig.step(id, "one").retries, 0) << "the daemon's own fault does not count";
}

TEST(RunRestart, ItsTimeoutGoesOn) {
  RunRig rig({stage("one")}, minutes(1));
  const auto id = rig.must_start();
  rig.must_assign();
  rig.pass(seconds(40));
  rig.restart_daemon();
  rig.pass(seconds(19));
  EXPECT_EQ(rig.run(id).status.state, RunState::running);
  rig.pass(seconds(1));
  EXPECT_EQ(rig.run(id).status.state, RunState::timed_out);
}

}  // namespace
}  // namespace mainstay::work
