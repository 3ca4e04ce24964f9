// The daemon: everything wired together for one project folder. This is the composition root; the
// order in start() is the order in which parts depend on each other, and they end in reverse.
//
// Threads: made, run and destroyed on one thread.
#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "api/api.h"
#include "app/daemon/api_backend.h"
#include "app/daemon/patient_task.h"
#include "app/daemon/project_config.h"
#include "app/daemon/row_reader.h"
#include "app/daemon/run_group.h"
#include "app/daemon/work_watch.h"
#include "app/project.h"
#include "bus/bus.h"
#include "bus/journal_reader.h"
#include "engine/loop.h"
#include "engine/row_writer.h"
#include "node/node.h"
#include "platform/files/file_lock.h"
#include "platform/loop/event_loop.h"
#include "platform/loop/signals.h"
#include "runs/recorder.h"
#include "store/store.h"
#include "telemetry/logger.h"

namespace mainstay::app {

class Daemon {
 public:
  /// `console`: log lines go to stderr too.
  Daemon(Project project, ProjectConfig config, bool console);
  ~Daemon();
  Daemon(const Daemon&) = delete;
  Daemon& operator=(const Daemon&) = delete;

  /// Starts every part, recovers, and starts the fleet. already_running before anything is touched.
  /// While the disk takes no commits the fleet is loaded later, and readiness says so till then.
  Result<void> start();
  /// Until the fleet was stopped by a signal or over the API; then ends everything. An error when
  /// the fleet could not be stopped, so that its agents were killed.
  Result<void> run();

 private:
  Result<void> open_data();
  Result<void> open_store();
  void make_recorder();
  Result<void> start_link();
  Result<void> start_node();
  Result<void> start_loop();
  Result<void> load_fleet();
  PatientTask::Options patient(std::string thread, std::string what);
  Result<void> start_api();
  Result<void> publish_address();
  Result<void> make_loop();
  Result<runs::RunDetails> run_details(model::RunId id);
  Result<void> events_of_run(model::RunId id,
                             const std::function<bool(const model::Event&)>& visit);
  void append_metrics(std::string& out) const;

  Result<void> stop_fleet();
  void request_end(bool now);
  void take_fact(model::Fact fact);
  void log_record(model::LogRecord record);
  Result<model::Payload> store_payload(std::string json);

  const Project project_;
  ProjectConfig config_;
  const bool console_;
  std::shared_ptr<telemetry::Redactor> redactor_ = std::make_shared<telemetry::Redactor>();
  std::unique_ptr<platform::SignalWatch> signals_;
  std::optional<platform::FileLock> lock_;
  std::unique_ptr<telemetry::LogOutput> log_output_;
  std::unique_ptr<telemetry::Logger> log_;
  std::string instance_;
  std::string token_;
  engine::RowWriter rows_{[this](const std::string& what) {
    log_->error("accepted twice", {{"code", "internal"}, {"reason", what}});
  }};
  std::unique_ptr<store::Store> store_;
  std::unique_ptr<bus::JournalReader> journal_;
  std::unique_ptr<bus::Bus> bus_;
  std::unique_ptr<RowReader> reader_;
  std::unique_ptr<runs::Recorder> recorder_;
  std::unique_ptr<bus::Subscription> recorder_events_;
  std::unique_ptr<WorkWatch> watch_;
  std::shared_ptr<node::LineGate> gate_;
  std::unique_ptr<node::LinkServer> link_;
  std::unique_ptr<node::Node> node_;
  std::unique_ptr<engine::Loop> loop_;
  /// The same, for the store's threads, which run before the loop is made.
  std::atomic<engine::Loop*> loop_for_store_ = nullptr;
  platform::EventLoop io_{"ms-io", 2};
  platform::EventLoop events_{"ms-events", 1};
  std::unique_ptr<ApiBackend> backend_;
  std::unique_ptr<api::Api> api_;
  std::unique_ptr<PatientTask> fleet_load_;
  std::unique_ptr<PatientTask> address_;
  RunGroup parts_;
  std::atomic<bool> ready_ = false;

  std::mutex mutex_;
  std::condition_variable ended_;
  bool end_requested_ = false;
  bool drain_requested_ = false;
};

}  // namespace mainstay::app
