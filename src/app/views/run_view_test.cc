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
