// Folders that could not be written, were removed, or whose archive was not recorded.
#include "runs/folders/run_folders.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "platform/files/files.h"
#include "runs/test_recorder.h"

namespace mainstay::runs {
namespace {

using RunFoldersTest = RecorderTest;

// RUN-4: killed when the archive was there, or recorded in memory only.
TEST_F(RunFoldersTest, AnArchiveThatWasNotRecordedIsMadeAgain) {
  {
    auto recorder = make();
    play_run(*recorder);
    recorder->stop();
  }
  platform::write_file_atomic(run_file("metadata.json.tmp-Ab12_-9x"), "{").value();
  const std::string spans = slurp(run_file("spans.jsonl"));
  const std::string log = slurp(run_file("logs/run.log"));
  const std::string position = slurp(file("position"));
  const std::vector<model::Event> journal = journal_;
  // First it stopped before the last event was kept as written, then behind it.
  for (const std::string& kept : {std::to_string(journal.size() - 1) + "\n", position}) {
    facts_.clear();
    platform::write_file_atomic(file("position"), kept).value();
    auto recorder = make();
    for (const model::Event& each : journal) recorder->event(each);
    recorder->complete_ended(journal.back().seq);
    ASSERT_TRUE(wait_for_archive());
    recorder->stop();
    EXPECT_EQ(facts_.size(), 1U);
    EXPECT_EQ(problems(), std::vector<std::string>());
    EXPECT_EQ(slurp(run_file("spans.jsonl")), spans);
    EXPECT_EQ(slurp(run_file("logs/run.log")), log) << "nothing was missing";
  }
}

TEST_F(RunFoldersTest, AnArchiveThatIsRecordedIsNotMadeAgain) {
  {
    auto recorder = make();
    play_run(*recorder);
    recorder->stop();
  }
  const auto time = fs::last_write_time(run_file("run.tar.gz"));
  const std::vector<model::Event> journal = journal_;
  details_.archived = true;
  facts_.clear();
  platform::write_file_atomic(file("position"), std::to_string(journal.size() - 1)).value();
  auto recorder = make();
  recorder->complete_ended(journal.back().seq);
  for (const model::Event& each : journal) recorder->event(each);
  recorder->stop();
  EXPECT_TRUE(facts_.empty());
  EXPECT_EQ(fs::last_write_time(run_file("run.tar.gz")), time);
}

// A degraded mode is told once, counted, and made good.
TEST_F(RunFoldersTest, AFolderThatCannotBeWrittenIsToldAndWrittenLater) {
  retry_interval_ = std::chrono::milliseconds(1);
  platform::write_file_atomic(file("runs"), "x").value();
  auto recorder = make();
  play_run(*recorder);
  ASSERT_TRUE(recorder->drain(std::chrono::seconds(60)));
  EXPECT_EQ(recorder->waiting_runs(), 1);
  EXPECT_GT(recorder->failed_writes(), 0);
  EXPECT_NE(recorder->trouble().find("Not a directory"), std::string::npos);
  const std::string fleet_log = slurp(file("fleet.log"));
  const std::size_t told = fleet_log.find("cannot be written");
  EXPECT_NE(told, std::string::npos);
  EXPECT_EQ(fleet_log.find("cannot be written", told + 1), std::string::npos);
  EXPECT_NE(fleet_log.find(R"("message":"reading")"), std::string::npos) << "not lost";

  fs::remove(file("runs"));
  ASSERT_TRUE(wait_for_archive());
  recorder->stop();
  EXPECT_EQ(problems(), std::vector<std::string>());
  EXPECT_EQ(recorder->waiting_runs(), 0);
  EXPECT_EQ(recorder->trouble(), "");
  ASSERT_EQ(troubles_.size(), 2U);
  EXPECT_EQ(troubles_[1], "");
  const std::string log = slurp(run_file("logs/run.log"));
  EXPECT_NE(log.find("run started"), std::string::npos);
  EXPECT_NE(log.find("run finished: degraded"), std::string::npos);
  EXPECT_NE(log.find("it could not be written: cannot make the folder"), std::string::npos);
  EXPECT_NE(log.find("5 lines of events were written later, from the journal"), std::string::npos);
  EXPECT_NE(log.find("2 lines of agents are in "), std::string::npos);
  EXPECT_NE(slurp(run_file("logs/step_001/validator.log")).find("signal 9"), std::string::npos);
  EXPECT_NE(slurp(run_file("logs_summary.txt")).find("Warnings: "), std::string::npos);
}

TEST_F(RunFoldersTest, AFolderThatCouldNotBeWrittenIsWrittenAfterARestart) {
  platform::write_file_atomic(file("runs"), "x").value();
  {
    auto recorder = make();
    play_run(*recorder);
    recorder->stop();
  }
  EXPECT_TRUE(facts_.empty());
  fs::remove(file("runs"));
  auto recorder = make();
  recorder->complete_ended(seq_);
  ASSERT_TRUE(wait_for_archive());
  recorder->stop();
  EXPECT_EQ(problems(), std::vector<std::string>());
  EXPECT_NE(slurp(run_file("logs/run.log")).find("5 lines of events were written later"),
            std::string::npos);
}

// Also when the run's last events had not been written before the restart: they come by themselves.
TEST_F(RunFoldersTest, WhatCameBeforeTheFirstEventThatIsSeenGoesBeforeIt) {
  platform::write_file_atomic(file("runs"), "x").value();
  {
    auto recorder = make();
    play_run(*recorder);
    recorder->stop();
  }
  fs::remove(file("runs"));
  const std::vector<model::Event> journal = journal_;
  platform::write_file_atomic(file("position"), std::to_string(journal.size() - 1)).value();
  auto recorder = make();
  recorder->event(journal.back());
  ASSERT_TRUE(wait_for_archive());
  recorder->stop();
  const std::string log = slurp(run_file("logs/run.log"));
  const std::size_t started = log.find("run.started");
  EXPECT_LT(started, log.find("run.finished"));
  EXPECT_EQ(log.find("run.started", started + 1), std::string::npos);
  EXPECT_EQ(log.find("run.finished", log.find("run.finished") + 1), std::string::npos);
}

TEST_F(RunFoldersTest, AFolderRemovedUnderALiveRunIsMadeWholeAsFarAsItCanBe) {
  auto recorder = make();
  recorder->event(event("run.started", kRunId, R"({"pipeline":"review"})"));
  recorder->event(
      event("step.started", kRunId, R"({"pipeline":"review","stage":"scan","step":1})"));
  ASSERT_TRUE(recorder->drain(std::chrono::seconds(60)));
  fs::remove_all(run_file(""));
  recorder->event(event("step.finished", kRunId,
                        R"({"pipeline":"review","stage":"scan","step":1,"state":"succeeded"})"));
  end_run(model::RunState::degraded);
  recorder->event(event("run.finished", kRunId, R"({"pipeline":"review","state":"degraded"})"));
  recorder->stop();
  EXPECT_EQ(problems(), std::vector<std::string>());
  const std::string log = slurp(run_file("logs/run.log"));
  EXPECT_NE(log.find("run started"), std::string::npos);
  EXPECT_NE(log.find("files were removed or replaced"), std::string::npos);
  EXPECT_NE(log.find("manifest.json and commit.txt tell of the files at the run's end"),
            std::string::npos);
  EXPECT_NE(slurp(run_file("logs/step_001/orchestrator.log")).find("step started"),
            std::string::npos);
}

TEST_F(RunFoldersTest, HalfALineTakesNoWholeOneWithIt) {
  platform::write_file_atomic(file("fleet.log"), "half a li").value();
  auto recorder = make();
  model::LogRecord log;
  log.message = "hello";
  recorder->log(log);
  recorder->stop();
  EXPECT_EQ(slurp(file("fleet.log")).find("half a li\n{\"timestamp\""), 0U);
}

}  // namespace
}  // namespace mainstay::runs
