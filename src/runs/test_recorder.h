// For tests of the recorder: one run of two steps, on real files.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <condition_variable>
#include <filesystem>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "platform/files/files.h"
#include "platform/files/test_dir.h"
#include "runs/folders/run_archive.h"
#include "runs/recorder.h"

namespace mainstay::runs {
namespace fs = std::filesystem;

inline constexpr const char* kRunId = "0192f3c8-7b1a-7cc3-98c4-dc0c0c07398f";
inline const Wall kStart = base::wall_from_micros(1'790'000'000'000'000);

inline std::string slurp(const std::string& path) {
  auto text = platform::read_file(path);
  return text ? *text : "(" + text.error().message() + ")";
}

class RecorderTest : public ::testing::Test {
 protected:
  RecorderTest() {
    auto pipeline = std::make_shared<model::PipelineSpec>();
    pipeline->name = "review";
    pipeline->version = 3;
    auto spec = std::make_shared<model::RunSpec>();
    spec->id = *model::RunId::from_text(kRunId);
    spec->pipeline = pipeline;
    spec->input = model::Payload::of(R"({"path":"."})");
    spec->trace_parent = "00-11111111111111111111111111111111-2222222222222222-01";
    spec->created_at = kStart;
    details_.spec = spec;
    model::StepStatus scan;
    scan.stage = "scan";
    scan.number = 1;
    scan.state = model::StepState::succeeded;
    scan.items_total = scan.items_done = 1;
    scan.started_at = kStart;
    scan.finished_at = kStart + std::chrono::seconds(154);
    model::StepStatus lint = scan;
    lint.stage = "lint";
    lint.number = 2;
    lint.state = model::StepState::degraded;
    lint.error = model::WorkError{model::FailureKind::error, "handler_failed",
                                  "cppcheck is not installed", true, ""};
    lint.usage.prompt_tokens = 10;
    lint.usage.completion_tokens = 5;
    lint.usage.llm_requests = 1;
    details_.steps = {scan, lint};
    platform::write_file_atomic(file("fleet.yaml"), "fleet: x\n").value();
  }

  std::string file(const std::string& name) const { return dir_.path() + "/" + name; }

  std::unique_ptr<Recorder> make() {
    RecorderOptions options;
    options.project_folder = dir_.path();
    options.runs_root = file("runs");
    options.fleet_log = file("fleet.log");
    options.position_file = file("position");
    options.fleet_name = "x";
    options.manifest_files = {"fleet.yaml", "absent.yaml"};
    options.framework = "mainstay test";
    options.retry_interval = retry_interval_;
    RecorderPorts ports;
    ports.details = [this](model::RunId) { return Result<RunDetails>(details()); };
    ports.fact = [this](model::Fact fact) {
      std::lock_guard lock(mutex_);
      facts_.push_back(std::move(fact));
      archived_.notify_all();
    };
    ports.wall_clock = [] { return kStart; };
    ports.events = [this](model::RunId, const std::function<bool(const model::Event&)>& visit) {
      std::unique_lock lock(mutex_);
      const auto journal = journal_;
      lock.unlock();
      for (const model::Event& each : journal) {
        if (!visit(each)) break;
      }
      return Result<void>();
    };
    ports.unarchived = [] {
      return Result<std::vector<model::RunId>>(std::vector{*model::RunId::from_text(kRunId)});
    };
    ports.trouble = [this](const std::string& reason) {
      std::lock_guard lock(mutex_);
      troubles_.push_back(reason);
    };
    auto recorder = std::make_unique<Recorder>(options, std::move(ports));
    recorder->start();
    return recorder;
  }

  model::Event event(const std::string& kind, const std::string& subject, std::string body) {
    model::Event made{++seq_, kStart, kind, subject, std::move(body)};
    std::lock_guard lock(mutex_);
    journal_.push_back(made);
    return made;
  }

  void play_run(Recorder& recorder) {
    recorder.event(event("run.started", kRunId, R"({"pipeline":"review"})"));
    recorder.event(
        event("step.started", kRunId, R"({"pipeline":"review","stage":"scan","step":1})"));
    model::LogRecord log;
    log.at = kStart;
    log.message = "reading";
    log.fields = R"({"path":"a.cc"})";
    log.context = {kRunId, "review", "scan", 1, "adapter", "scout", "", ""};
    recorder.log(log);
    log.level = model::LogLevel::WARNING;
    log.context.component = "../../escape";
    recorder.log(log);
    recorder.event(event("agent.exited", "scout", R"({"reason":"signal 9"})"));
    recorder.event(event("step.finished", kRunId,
                         R"({"pipeline":"review","stage":"scan","step":1,"state":"succeeded"})"));
    end_run(model::RunState::degraded);
    recorder.event(event("run.finished", kRunId, R"({"pipeline":"review","state":"degraded"})"));
  }

  /// The recorder asks from its own thread.
  RunDetails details() {
    std::lock_guard lock(mutex_);
    return details_;
  }

  void end_run(model::RunState state) {
    std::lock_guard lock(mutex_);
    details_.status.state = state;
    details_.status.finished_at = kStart + std::chrono::seconds(160);
  }

  /// Waits for the archive; false: it did not come.
  bool wait_for_archive() {
    std::unique_lock lock(mutex_);
    return archived_.wait_for(lock, std::chrono::seconds(60), [this] { return !facts_.empty(); });
  }

  /// What verify has to say against the archive that was recorded last.
  std::vector<std::string> problems() {
    std::lock_guard lock(mutex_);
    if (facts_.empty()) return {"nothing was archived"};
    const auto& archived = std::get<model::RunArchived>(facts_.back());
    const auto verified = verify_run(RunLayout(file("runs"), "review", kRunId),
                                     {file(archived.path), archived.size_bytes, archived.sha256});
    return verified ? verified->problems : std::vector{verified.error().message()};
  }

  std::string run_file(const std::string& name) const {
    return file("runs/review/" + std::string(kRunId) + "/" + name);
  }

  platform::TestDir dir_;
  std::mutex mutex_;
  RunDetails details_;
  std::condition_variable archived_;
  std::vector<model::Fact> facts_;
  std::vector<model::Event> journal_;
  std::vector<std::string> troubles_;
  Duration retry_interval_ = std::chrono::hours(1);
  model::Sequence seq_ = 0;
};

}  // namespace mainstay::runs
