// Writes the folder of every run while it happens, and completes and archives it at its end
// (RUN-1 to RUN-4). It only listens: to durable events, and to the logs and spans of agents.
//
// event(), log() and span() may be called from any thread; one thread of its own writes. Events are
// never dropped: event() waits while too many are queued. Logs and spans are dropped, when their
// bounded queue is full; the loss is counted and marked in the log of the fleet.
//
// After a restart of the daemon it goes on with the event after the last one it wrote (kept in a
// small position file), so feed it from the journal; an event that it has seen is ignored.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <variant>
#include <vector>

#include "base/result.h"
#include "model/event.h"
#include "model/input.h"
#include "model/log_record.h"
#include "model/run.h"
#include "runs/run_files.h"

namespace mainstay::runs {

/// What rows know of a run.
struct RunDetails {
  std::shared_ptr<const model::RunSpec> spec;
  model::RunStatus status;
  std::vector<model::StepStatus> steps;
  /// Models that were called, sorted.
  std::vector<std::string> models;
};

struct RecorderOptions {
  std::string project_folder;
  /// The folder `runs`.
  std::string runs_root;
  /// Where lines without a run go.
  std::string fleet_log;
  /// Where the sequence of the last recorded event is kept.
  std::string position_file;
  std::string fleet_name;
  /// Files whose hashes the manifest keeps, under the project folder: the fleet file, scripts.
  std::vector<std::string> manifest_files;
  /// `mainstay 0.1.0`.
  std::string framework;
  /// Prefix of span attributes: `<prefix>.stage` (WRK-9).
  std::string span_prefix = "mainstay";
  /// Log lines and spans waiting to be written.
  std::size_t queue_limit = 100'000;
};

struct RecorderPorts {
  /// Reads a run from the store; blocking.
  std::function<Result<RunDetails>(model::RunId)> details;
  /// Tells the control loop that the archive is there.
  std::function<void(model::Fact)> fact;
  std::function<Wall()> wall_clock;
};

class Recorder {
 public:
  Recorder(RecorderOptions options, RecorderPorts ports);
  ~Recorder();
  Recorder(const Recorder&) = delete;
  Recorder& operator=(const Recorder&) = delete;

  /// Sequence of the last recorded event; events after it are wanted.
  model::Sequence position() const { return start_position_; }

  void start();
  /// Waits until what was queued before is written; false when that took too long.
  bool drain(Duration patience);
  /// Writes what is queued, then ends the thread.
  void stop();

  void event(const model::Event& event);
  void log(model::LogRecord record);
  void span(model::SpanRecord record);

  std::int64_t dropped() const;

 private:
  using Entry = std::variant<model::Event, model::LogRecord, model::SpanRecord>;

  void run();
  void write(const model::Event& event);
  void write(const model::LogRecord& record);
  void write(const model::SpanRecord& record);
  void begin_run(const std::string& run_id);
  void end_run(const std::string& run_id);
  void write_agent_event(const model::Event& event);
  void write_line(const model::LogRecord& record);
  RunFiles* files_of(const std::string& run_id, const std::string& pipeline);
  void note_dropped();
  void keep_position();

  RecorderOptions options_;
  RecorderPorts ports_;
  model::Sequence start_position_ = 0;
  model::Sequence written_ = 0;

  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::condition_variable room_;
  std::condition_variable idle_;
  std::deque<Entry> queue_;
  std::size_t telemetry_waiting_ = 0;
  std::int64_t dropped_ = 0;
  std::int64_t dropped_told_ = 0;
  bool writing_ = false;
  bool stopping_ = false;

  struct LiveRun {
    std::string pipeline;
    std::unique_ptr<RunFiles> files;
    std::map<std::string, int> steps;  // stage -> step number, of those that run now
  };
  std::map<std::string, LiveRun> live_;  // the recorder's thread only
  platform::Fd fleet_log_;
  std::thread thread_;
};

}  // namespace mainstay::runs
