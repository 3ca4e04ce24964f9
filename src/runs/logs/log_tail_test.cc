#include "runs/logs/log_tail.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>
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

// RUN-8: what is cut at the edge of a block is half a line of the file, never a line that matches.
TEST_F(LogTailTest, AMatchFarBackInALargeFileIsFound) {
  say("run.log", 1, model::LogLevel::ERROR, "a");
  say("run.log", 2, model::LogLevel::INFO, "b");
  {
    std::ofstream file(dir_ / "run.log", std::ios::app);
    const std::string line = R"({"timestamp":"2026-09-21T14:13:23.000000Z","level":"INFO",)" +
                             (R"("message":")" + std::string(1000, 'x')) + "\"}\n";
    for (int i = 0; i < 10'000; ++i) file << line;  // more than LogTail::kMaxTaken
  }
  say("run.log", 4, model::LogLevel::ERROR, "a");
  say("run.log", 5, model::LogLevel::INFO, "c");
  for (const LogFilter& filter : {LogFilter{"", "", model::LogLevel::ERROR}, {"", "a", {}}}) {
    LogTail tail(dir_ / "run.log", filter);
    const auto found = tail.last(10);
    ASSERT_EQ(found.size(), 2U);
    EXPECT_NE(found[0].find("line 1"), std::string::npos);
    EXPECT_NE(found[1].find("line 4"), std::string::npos);
    EXPECT_EQ(tail.last(1).size(), 1U);
    EXPECT_TRUE(tail.poll().empty());
  }
  LogTail all(dir_ / "run.log", {});
  EXPECT_EQ(all.last(3).size(), 3U);
}

TEST_F(LogTailTest, LinesLongerThanABlockAndAtItsEdgesAreWhole) {
  const std::string path = dir_ / "run.log";
  std::vector<std::string> written;
  {
    std::ofstream file(path);
    for (int i = 0; i < 40; ++i) {
      written.push_back(std::to_string(i) + std::string(static_cast<std::size_t>(i) * 17'001, 'y'));
      file << written.back() << "\n";
    }
    file << "no end yet";
  }
  LogTail tail(path, {});
  const auto newest = tail.last(100);
  EXPECT_EQ(newest.size(), 16U) << "8 MiB of the newest";
  EXPECT_TRUE(std::equal(newest.rbegin(), newest.rend(), written.rbegin()));
  EXPECT_TRUE(tail.poll().empty());
  std::ofstream(path, std::ios::app) << ", now\n";
  EXPECT_EQ(tail.poll(), std::vector<std::string>{"no end yet, now"});
}

TEST_F(LogTailTest, ALineThatIsNotOursKeepsItsPlace) {
  say("run.log", 1, model::LogLevel::INFO, "a");
  std::ofstream(dir_ / "run.log", std::ios::app) << "garbage {\"x\n";
  say("run.log", 3, model::LogLevel::INFO, "a");
  say("other.log", 2, model::LogLevel::INFO, "a");
  const auto lines = LogTail(dir_.path(), {}).last(10);
  ASSERT_EQ(lines.size(), 4U);
  EXPECT_EQ(lines[1], "garbage {\"x");
  EXPECT_NE(lines[2].find("line 2"), std::string::npos);
  EXPECT_EQ(LogTail(dir_.path(), {"", "a", {}}).last(10).size(), 3U);
}

TEST_F(LogTailTest, APipeInTheFoldersPlaceIsNotWaitedFor) {
  ASSERT_EQ(::mkfifo((dir_ / "fleet.log").c_str(), 0600), 0);
  LogTail tail(dir_ / "fleet.log", {});
  EXPECT_TRUE(tail.last(10).empty());
  EXPECT_TRUE(tail.poll().empty());
}

}  // namespace
}  // namespace mainstay::runs
