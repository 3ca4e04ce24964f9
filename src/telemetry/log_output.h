// The way of log records to their sinks: one bounded queue with a thread of its own, so that no
// caller ever waits for a disk or a terminal. A record that finds the queue full is lost, counted,
// and a line in its place says how many.
//
// Lifetime: open until close() or the destructor; sinks go with it. Threads: write() from any; it
// takes a lock for moments only. Nothing fails towards callers: trouble of sinks is counted.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "base/time.h"
#include "model/log_record.h"
#include "telemetry/log_sink.h"
#include "telemetry/redactor.h"

namespace mainstay::telemetry {

struct LogOutputOptions {
  /// Records that may wait.
  std::size_t capacity = 65'536;
  /// Less severe ones are not taken.
  model::LogLevel level = model::LogLevel::INFO;
  /// The wall clock, for the output's own lines.
  std::function<Wall()> now{};
};

struct LogCounters {
  std::uint64_t written = 0;
  /// Not taken: the queue was full, or the output closed.
  std::uint64_t lost = 0;
  /// Batches that a sink could not write.
  std::uint64_t sink_failures = 0;
  std::size_t waiting = 0;
};

class LogOutput {
 public:
  LogOutput(LogOutputOptions options, std::shared_ptr<const Redactor> redactor,
            std::vector<std::unique_ptr<LogSink>> sinks);
  /// Writes what waits, for at most a second.
  ~LogOutput();
  LogOutput(const LogOutput&) = delete;
  LogOutput& operator=(const LogOutput&) = delete;

  bool takes(model::LogLevel level) const {
    return level >= level_.load(std::memory_order_relaxed);
  }
  void set_level(model::LogLevel level) { level_.store(level, std::memory_order_relaxed); }
  Wall now() const { return options_.now(); }

  /// As it is: below the level it is not taken, secrets are redacted, nothing else is touched.
  void write(model::LogRecord record);
  /// Waits until what was taken before is with the sinks; false when that took too long.
  bool flush(Duration patience);
  /// Takes no more, writes what waits for at most `patience`, ends the thread.
  bool close(Duration patience);

  LogCounters counters() const;

 private:
  void run();
  void deliver(std::vector<model::LogRecord>& batch, std::uint64_t lost_before);

  const LogOutputOptions options_;
  const std::shared_ptr<const Redactor> redactor_;
  const std::vector<std::unique_ptr<LogSink>> sinks_;  // the thread's
  std::atomic<model::LogLevel> level_;
  std::atomic<std::uint64_t> sink_failures_ = 0;

  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::condition_variable delivered_;
  std::vector<model::LogRecord> queue_;
  std::uint64_t taken_ = 0;
  std::uint64_t written_ = 0;
  std::uint64_t lost_ = 0;
  std::uint64_t lost_unmarked_ = 0;
  bool idle_ = false;  // the thread waits: a producer must wake it
  bool closing_ = false;
  bool abandon_ = false;  // patience is over: what waits is lost

  std::thread thread_;
};

}  // namespace mainstay::telemetry
