// Writes the folder of every run while it happens, and completes and archives it at its end
// (RUN-1 to RUN-4). It only listens: to durable events, and to the logs and spans of agents.
//
// event(), log() and span() may be called from any thread; one thread of its own writes. Events are
// never dropped: event() waits while too many are queued. Logs and spans are dropped, when their
// bounded queue is full; the loss is counted and marked in the log of the fleet. What cannot be
// written is dealt with by RunFolders.
//
// After a restart of the daemon it goes on with the event after the last one it wrote (kept in a
// small position file), so feed it from the journal; an event that it has seen is ignored.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <variant>
#include <vector>

#include "base/time.h"
#include "runs/folders/run_folders.h"
#include "runs/recorder_types.h"

namespace mainstay::runs {

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

  /// Completes runs that ended before this start and have no recorded archive, as soon as the event
  /// `after` is written: what the journal still has to say of them comes first.
  void complete_ended(model::Sequence after);

  std::int64_t dropped() const;
  /// Lines and spans that could not be written where they belong.
  std::int64_t failed_writes() const { return folders_.failed_writes(); }
  /// Runs whose folder waits to be written.
  std::int64_t waiting_runs() const { return folders_.waiting(); }
  /// Why folders or the fleet's log cannot be written; empty: they can.
  std::string trouble() const { return folders_.trouble(); }

 private:
  using Entry = std::variant<model::Event, model::LogRecord, model::SpanRecord>;

  void run();
  void write(const model::Event& event);
  template <class Record>
  void write(const Record& record) {
    folders_.write(record);
  }
  bool take(std::vector<Entry>& batch);
  void look_after_folders();
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
  std::optional<model::Sequence> complete_after_;

  // The recorder's thread only.
  RunFolders folders_;
  Mono retried_at_{};
  std::thread thread_;
};

}  // namespace mainstay::runs
