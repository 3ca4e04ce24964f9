#include "runs/log_tail.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "platform/files/test_dir.h"
#include "telemetry/log_line.h"

namespace mainstay::runs {
namespace {

class LogTailTest : public ::testing::Test {
 protected:
  void say(const std::string& file, int second, model::LogLevel level, const std::string& agent) {
    model::LogRecord record;
    record.at = base::wall_from_micros(1'790'000'000'000'000 + second * 1'000'000LL);
    record.level = level;
    record.message = "line " + std::to_string(second);
    record.context.component = "adapter";
    record.context.agent = agent;
    const std::string path = dir_ / file;
    std::filesystem::create_directories(std::filesystem::path(path).parent_path());
    std::ofstream(path, std::ios::app) << telemetry::to_json_line(record);
  }

  platform::TestDir dir_;
};

TEST_F(LogTailTest, MergesFilesByTimeAndGoesOn) {
  say("step_001/adapter.log", 1, model::LogLevel::INFO, "a");
  say("step_002/adapter.log", 2, model::LogLevel::INFO, "b");
  say("run.log", 3, model::LogLevel::INFO, "a");
  LogTail tail(dir_.path(), {});
  const auto last = tail.last(2);
  ASSERT_EQ(last.size(), 2U);
  EXPECT_NE(last[0].find("line 2"), std::string::npos);
  EXPECT_NE(last[1].find("line 3"), std::string::npos);
  EXPECT_TRUE(tail.poll().empty());
  say("step_003/new.log", 5, model::LogLevel::INFO, "a");
  say("run.log", 4, model::LogLevel::INFO, "a");
  const auto more = tail.poll();
  ASSERT_EQ(more.size(), 2U);
  EXPECT_NE(more[0].find("line 4"), std::string::npos);
}

TEST_F(LogTailTest, FiltersByLevelAndAgentAndWaitsForWholeLines) {
  say("run.log", 1, model::LogLevel::INFO, "a");
  say("run.log", 2, model::LogLevel::ERROR, "a");
  say("run.log", 3, model::LogLevel::CRITICAL, "b");
  LogTail tail(dir_ / "run.log", {"", "a", model::LogLevel::WARNING});
  EXPECT_EQ(tail.last(10).size(), 1U);
  std::ofstream(dir_ / "run.log", std::ios::app) << R"({"timestamp":"2026)";
  EXPECT_TRUE(tail.poll().empty());
}

}  // namespace
}  // namespace mainstay::runs
