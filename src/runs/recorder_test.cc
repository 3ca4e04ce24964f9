// The recorder on real files: the folder of a run, live and complete; archives that verify.
#include "runs/recorder.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "platform/files/files.h"
#include "platform/json/json.h"
#include "runs/folders/run_archive.h"
#include "runs/test_recorder.h"

namespace mainstay::runs {
namespace {

TEST_F(RecorderTest, WritesTheWholeFolderOfARun) {
  auto recorder = make();
  play_run(*recorder);
  recorder->stop();

  for (const char* name :
       {"logs/run.log", "logs/reconciliation.log", "logs/step_001/orchestrator.log",
        "logs/step_001/adapter.log", "logs/step_001/metrics.log", "logs/step_001/validator.log",
        "logs/step_001/other.log", "logs_summary.txt", "metadata.json", "metrics.json",
        "spans.jsonl", "manifest.json", "commit.txt", "workspace", "artifacts", "run.tar.gz"}) {
    EXPECT_TRUE(fs::exists(run_file(name))) << name;
  }
  EXPECT_NE(slurp(run_file("logs/step_001/adapter.log")).find(R"("path":"a.cc")"),
            std::string::npos);
  EXPECT_NE(slurp(run_file("logs/step_001/validator.log")).find("signal 9"), std::string::npos);
  const auto metadata = platform::parse_json(slurp(run_file("metadata.json")));
  ASSERT_TRUE(metadata);
  EXPECT_EQ(platform::at_pointer(*metadata, "/steps/1/stage")->as_string(), "lint");
  const auto manifest = platform::parse_json(slurp(run_file("manifest.json")));
  ASSERT_TRUE(manifest);
  EXPECT_EQ(platform::at_pointer(*manifest, "/files_sha256")->as_object().size(), 1U);
  const std::string spans = slurp(run_file("spans.jsonl"));
  EXPECT_NE(spans.find(R"("name":"stage.lint")"), std::string::npos);
  EXPECT_NE(spans.find("stage_error"), std::string::npos);
}

TEST_F(RecorderTest, SummaryHasTheStatedForm) {
  auto recorder = make();
  play_run(*recorder);
  recorder->stop();
  const std::string summary = slurp(run_file("logs_summary.txt"));
  EXPECT_NE(summary.find("EXPERIMENT RUN SUMMARY"), std::string::npos);
  EXPECT_NE(summary.find("Step 001: SUCCESS (duration: 2m 34s, retries: 0)"), std::string::npos);
  EXPECT_NE(summary.find("  - Note: Template-based generation (no LLM calls)"), std::string::npos);
  EXPECT_NE(summary.find("  - Tokens: 10 prompt, 5 completion, 15 total"), std::string::npos);
  EXPECT_NE(summary.find("SHA-256: "), std::string::npos);
  std::istringstream lines(summary);
  for (std::string line; std::getline(lines, line);) EXPECT_LE(line.size(), 80U) << line;
  EXPECT_LE(summary.size(), 10'240U);
}

TEST_F(RecorderTest, ArchiveVerifiesUntilAByteChanges) {
  auto recorder = make();
  play_run(*recorder);
  recorder->stop();
  ASSERT_EQ(facts_.size(), 1U);
  const auto& archived = std::get<model::RunArchived>(facts_[0]);
  const RunLayout layout(file("runs"), "review", kRunId);
  const ArchiveInfo recorded{file(archived.path), archived.size_bytes, archived.sha256};
  auto verified = verify_run(layout, recorded);
  ASSERT_TRUE(verified);
  EXPECT_TRUE(verified->ok) << (verified->problems.empty() ? "" : verified->problems[0]);
  EXPECT_GT(verified->files, 8);

  std::ofstream(run_file("logs/step_001/adapter.log"), std::ios::app) << "x";
  EXPECT_FALSE(verify_run(layout, recorded)->ok);
}

TEST_F(RecorderTest, VerifyReadsTheWholeOuterSummary) {
  auto recorder = make();
  play_run(*recorder);
  recorder->stop();
  const RunLayout layout(file("runs"), "review", kRunId);
  const auto& archived = std::get<model::RunArchived>(facts_.at(0));
  const ArchiveInfo recorded{file(archived.path), archived.size_bytes, archived.sha256};
  const std::string summary = slurp(run_file("logs_summary.txt"));
  std::string other_hash = summary;
  other_hash.replace(other_hash.find("SHA-256: ") + 9, 64, std::string(64, '0'));
  const std::string archived_only = summary.substr(0, summary.find("File:"));
  for (const std::string& text : {other_hash, summary + "forged\n", archived_only}) {
    platform::write_file_atomic(run_file("logs_summary.txt"), text).value();
    const auto verified = verify_run(layout, recorded);
    ASSERT_TRUE(verified);
    ASSERT_EQ(verified->problems.size(), 1U);
    EXPECT_NE(verified->problems[0].find("its ARCHIVE section is not what was recorded"),
              std::string::npos);
  }
  platform::write_file_atomic(run_file("logs_summary.txt"), summary).value();
  EXPECT_TRUE(verify_run(layout, recorded)->ok);
}

TEST_F(RecorderTest, VerifyDoesNotWaitForAPipe) {
  auto recorder = make();
  play_run(*recorder);
  recorder->stop();
  const RunLayout layout(file("runs"), "review", kRunId);
  const auto& archived = std::get<model::RunArchived>(facts_.at(0));
  const ArchiveInfo recorded{file(archived.path), archived.size_bytes, archived.sha256};
  fs::remove(run_file("metadata.json"));
  ASSERT_EQ(::mkfifo(run_file("metadata.json").c_str(), 0600), 0);
  const auto verified = verify_run(layout, recorded);
  ASSERT_TRUE(verified);
  ASSERT_EQ(verified->problems.size(), 1U);
  EXPECT_NE(verified->problems[0].find("is a pipe, not a regular file"), std::string::npos);
  fs::remove(run_file("run.tar.gz"));
  ASSERT_EQ(::mkfifo(run_file("run.tar.gz").c_str(), 0600), 0);
  const auto refused = verify_run(layout, recorded);
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message().find("run.tar.gz is a pipe"), std::string::npos);
}

TEST_F(RecorderTest, VerifySaysWhatEveryRunHas) {
  auto recorder = make();
  play_run(*recorder);
  recorder->stop();
  const RunLayout layout(file("runs"), "review", kRunId);
  fs::remove(run_file("manifest.json"));
  const auto made = archive_run(layout);
  ASSERT_TRUE(made);
  const auto verified = verify_run(layout, *made);
  ASSERT_EQ(verified->problems.size(), 1U);
  EXPECT_EQ(verified->problems[0], "manifest.json: not in the archive; every run has one");
}

TEST_F(RecorderTest, ArchivingAgainAfterACrashGivesTheSameArchive) {
  auto recorder = make();
  play_run(*recorder);
  recorder->stop();
  const RunLayout layout(file("runs"), "review", kRunId);
  // As if the run had ended a while ago: what is written again keeps the time that is archived.
  const std::string summary = run_file("logs_summary.txt");
  const auto earlier = std::filesystem::last_write_time(summary) - std::chrono::seconds(10);
  std::filesystem::last_write_time(summary, earlier);
  auto first = archive_run(layout);
  ASSERT_TRUE(first);
  EXPECT_EQ(std::filesystem::last_write_time(summary), earlier);
  auto again = archive_run(layout);
  ASSERT_TRUE(again);
  EXPECT_EQ(again->sha256, first->sha256);
}

TEST_F(RecorderTest, GoesOnAfterTheLastEventThatItWrote) {
  {
    auto recorder = make();
    recorder->event(event("run.started", kRunId, R"({"pipeline":"review"})"));
    recorder->stop();
  }
  auto recorder = make();
  EXPECT_EQ(recorder->position(), 1);
  seq_ = 0;  // the journal is replayed from its beginning
  play_run(*recorder);
  recorder->stop();
  const std::string log = slurp(run_file("logs/run.log"));
  EXPECT_EQ(log.find("run started"), log.rfind("run started"));
  EXPECT_TRUE(fs::exists(run_file("run.tar.gz")));
}

TEST_F(RecorderTest, ALineThatComesBeforeItsStepIsKept) {
  auto recorder = make();
  recorder->event(event("run.started", kRunId, R"({"pipeline":"review"})"));
  model::LogRecord log;
  log.at = kStart;
  log.message = "early";
  log.context = {kRunId, "review", "scan", 1, "adapter", "scout", "", ""};
  recorder->log(log);
  recorder->stop();
  EXPECT_NE(slurp(run_file("logs/step_001/adapter.log")).find("early"), std::string::npos);
}

TEST_F(RecorderTest, LinesWithoutARunGoToTheFleetLog) {
  auto recorder = make();
  model::LogRecord log;
  log.at = kStart;
  log.message = "hello";
  recorder->log(log);
  recorder->stop();
  EXPECT_NE(slurp(file("fleet.log")).find("hello"), std::string::npos);
}

}  // namespace
}  // namespace mainstay::runs
