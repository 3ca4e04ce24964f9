#include "runs/documents/summary.h"

#include <gtest/gtest.h>

#include <sstream>

#include "base/text.h"

namespace mainstay::runs {
namespace {

RunReport failed_with(const std::string& error) {
  RunReport report;
  report.run_id = "01a1fe85-6fbf-7000-9f2b-ff29e8505db9";
  report.state = model::RunState::failed;
  report.error = error;
  StepReport step;
  step.number = 1;
  step.stage = "lint";
  step.state = model::StepState::failed;
  step.error = error;
  report.steps.push_back(step);
  report.error_count = 1;
  report.errors = {"step_001/orchestrator: " + error};
  return report;
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

std::size_t times(const std::string& text, const std::string& word) {
  std::size_t count = 0;
  for (std::size_t at = 0; (at = text.find(word, at)) != std::string::npos; ++at) ++count;
  return count;
}

// RUN-3: 80 columns; what an error says at its end is there all the same.
TEST(Summary, AMessageBehindALongPathIsWrappedNotCut) {
  const std::string path = "/home/somebody/" + std::string(50, 'p') + "/agents/cppcheck.py";
  const std::string text = render_summary(failed_with(path + " exited with 69: it is absent"));
  for (const std::string& line : lines_of(text)) EXPECT_LE(line.size(), 80U) << line;
  std::string unwrapped;
  for (const std::string& line : lines_of(text)) unwrapped += std::string(base::trim(line)) + " ";
  EXPECT_EQ(times(unwrapped, "exited with 69: it is absent"), 3U) << text;
  EXPECT_EQ(times(text, "…"), 0U) << text;
}

TEST(Summary, AnEndlessMessageIsCutAndMarked) {
  const std::string text = render_summary(failed_with(std::string(5000, 'x')));
  EXPECT_EQ(times(text, "…"), 3U) << text;
  EXPECT_LT(text.size(), 2000U);
}

TEST(Summary, NoCharacterIsCutInTwo) {
  for (int shift = 0; shift < 6; ++shift) {
    std::string error(static_cast<std::size_t>(shift), 'a');
    for (int i = 0; i < 200; ++i) error += "日";
    for (const std::string& line : lines_of(render_summary(failed_with(error)))) {
      EXPECT_TRUE(base::is_valid_utf8(line)) << line;
      EXPECT_LE(line.size(), 80U);
    }
  }
}

// RUN-3: an error is words of an agent; the summary is read with cat.
TEST(Summary, ControlCharactersAreShownAsWhatTheyAre) {
  RunReport report = failed_with("first\nsecond \x1b[31mred\x07 \u009b");
  report.models = {"m\x1b]0;x\x07"};
  const std::string text = render_summary(report);
  EXPECT_EQ(text.find_first_of("\x1b\x07\r"), std::string::npos) << text;
  EXPECT_EQ(text.find("\u009b"), std::string::npos) << text;
  EXPECT_EQ(times(text, R"(first\nsecond \x1b[31mred\x07 \u009b)"), 3U) << text;
}

// As long as it may get: many steps, each with a long error, and many messages.
TEST(Summary, StaysSmall) {
  RunReport report = failed_with(std::string(400, 'e'));
  for (int i = 0; i < 100; ++i) report.steps.push_back(report.steps[0]);
  for (int i = 0; i < 100; ++i) report.warnings.push_back(report.error);
  report.warning_count = 100;
  EXPECT_LT(render_summary(report).size(), 10U * 1024);
}

}  // namespace
}  // namespace mainstay::runs
