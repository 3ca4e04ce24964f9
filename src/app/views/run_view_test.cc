#include "app/views/run_view.h"

#include <gtest/gtest.h>

#include "app/views/output.h"

namespace mainstay::app {
namespace {

RunView view(const std::string& text) {
  auto json = platform::parse_json(text);
  auto run = run_view_of(*json, "2026-11-21T10:00:10Z");
  return *run;
}

const char* const kRunning = R"({"id":"0192f3c8-7b1a-7cc3-98c4-dc0c0c07398f","pipeline":"review",
  "state":"running","created_at":"2026-11-21T10:00:00Z","steps":[
  {"stage":"scan","state":"succeeded","items_total":1,"items_done":1,
   "started_at":"2026-11-21T10:00:00Z","finished_at":"2026-11-21T10:00:00.3Z"},
  {"stage":"analyse","state":"running","items_total":540,"items_done":412,"retries":2,
   "started_at":"2026-11-21T10:00:01Z",
   "usage":{"prompt_tokens":10,"completion_tokens":5}},
  {"stage":"lint","state":"degraded","items_total":1,"items_failed":1,
   "error":{"message":"cppcheck is not installed"}},
  {"stage":"report","state":"waiting"}]})";

TEST(RunView, DrawsEveryStageWithinTheTerminal) {
  const auto lines = draw(view(kRunning), {{"analyse", 96.2}}, {80, false});
  ASSERT_EQ(lines.size(), 5U);
  EXPECT_EQ(lines[0], " review 0192f3c8  running  10s  2 retries  15 tokens");
  EXPECT_EQ(lines[1], "   scan     ✓ 0.3s");
  EXPECT_EQ(lines[2], "   analyse  █████████▏     412/540  96/s  2 retries");
  EXPECT_TRUE(lines[3].starts_with("   lint     ⚠ "));
  EXPECT_TRUE(lines[3].ends_with("degraded: cppcheck is not installed")) << lines[3];
  EXPECT_EQ(lines[4], "   report   ·");
  for (const auto& line : draw(view(kRunning), {}, {30, false})) {
    EXPECT_LE(display_width(line), 30U) << line;
  }
}

// USE-2: an error of an agent is words, not commands to the terminal.
TEST(RunView, AnErrorIsOneLineWithoutControlCharacters) {
  const RunView run = view(R"({"id":"0192f3c8","pipeline":"p","state":"failed","steps":[
    {"stage":"a","state":"failed",
     "error":{"message":"first line\nsecond \u001b[31mred\n\n\u009b2J"}}],
    "error":{"message":"x","context":{"hint":"do\nthis\u0007"}}})");
  auto lines = draw(run, {}, {200, false});
  const auto said = changes({}, run);
  EXPECT_EQ(lines.size(), 3U);
  lines.insert(lines.end(), said.begin(), said.end());
  for (const std::string& line : lines) {
    EXPECT_EQ(line.find_first_of("\n\x1b\x07"), std::string::npos) << line;
    EXPECT_EQ(line.find("\u009b"), std::string::npos) << line;
  }
  EXPECT_NE(lines[1].find(R"(first line\nsecond \x1b[31mred\n\n\u009b2J)"), std::string::npos)
      << lines[1];
}

RunView many_stages(std::size_t done, std::size_t waiting) {
  RunView run;
  run.id = "0192f3c8";
  run.pipeline = "wide";
  run.state = "running";
  const auto add = [&](const std::string& state, std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) {
      StepView step;
      step.stage = state + std::to_string(i);
      step.state = state;
      run.steps.push_back(step);
    }
  };
  add("succeeded", done);
  add("failed", 1);
  add("running", 1);
  add("waiting", waiting);
  return run;
}

TEST(RunView, AFrameIsNoHigherThanTheTerminal) {
  RunView run = many_stages(19, 9);
  for (const int rows : {24, 12, 7, 6}) {
    run.hint = rows == 12 ? "do it" : "";
    const auto lines = draw(run, {}, {80, false, rows});
    EXPECT_EQ(lines.size(), static_cast<std::size_t>(rows - 1)) << rows;
    EXPECT_TRUE(lines[0].starts_with(" wide 0192f3c8")) << lines[0];
    std::string all;
    for (const auto& line : lines) all += line + "\n";
    EXPECT_NE(all.find("failed0"), std::string::npos) << all;
    EXPECT_NE(all.find("running0"), std::string::npos) << all;
  }
  EXPECT_EQ(draw(run, {}, {80, false, 6})[4], "   … 18 stages done, 9 waiting");
  EXPECT_EQ(draw(run, {}, {80, false, 4}).back(), "   … 1 stage running, 19 done, 9 waiting");
  EXPECT_EQ(draw(run, {}, {80, false, 1}).back(),
            "   … 1 stage failed, 1 running, 19 done, 9 waiting");
}

TEST(RunView, WithRoomEnoughEveryStageHasItsLine) {
  const RunView run = many_stages(19, 9);
  EXPECT_EQ(draw(run, {}, {80, false, 32}).size(), 31U);
  EXPECT_EQ(draw(run, {}, {80, false, 0}).size(), 31U);
  EXPECT_EQ(draw(run, {}, {80, false, 31}).back(), "   … 2 stages waiting");
}

TEST(RunView, SaysOnlyWhatChanged) {
  const RunView now = view(kRunning);
  EXPECT_EQ(changes({}, now).size(), 3U);
  EXPECT_TRUE(changes(now, now).empty());
  RunView done = now;
  done.state = "degraded";
  const auto lines = changes(now, done);
  ASSERT_EQ(lines.size(), 1U);
  EXPECT_EQ(lines[0], "run 0192f3c8-7b1a-7cc3-98c4-dc0c0c07398f degraded in 10s");
}

TEST(RunView, SaysWhatToDoAboutAFailure) {
  const RunView failed = view(R"({"id":"0192f3c8-7b1a-7cc3-98c4-dc0c0c07398f","pipeline":"review",
    "state":"failed","created_at":"2026-11-21T10:00:00Z","finished_at":"2026-11-21T10:00:01Z",
    "error":{"message":"no such folder","context":{"hint":"name another one"}},"steps":[]})");
  EXPECT_EQ(draw(failed, {}, {80, false}).back(), "   hint: name another one");
  EXPECT_EQ(changes({}, failed).back(), "hint: name another one");
}

}  // namespace
}  // namespace mainstay::app
