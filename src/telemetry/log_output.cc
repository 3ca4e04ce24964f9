#include "telemetry/log_output.h"

#include <fmt/format.h>

#include <chrono>
#include <utility>

#include "platform/clock.h"
#include "platform/loop/thread_name.h"

namespace mainstay::telemetry {
namespace {

constexpr Duration kCloseDefault = std::chrono::seconds(1);

LogOutputOptions with_clock(LogOutputOptions options) {
  if (!options.now) options.now = platform::wall_now;
  return options;
}

}  // namespace

LogOutput::LogOutput(LogOutputOptions options, std::shared_ptr<const Redactor> redactor,
                     std::vector<std::unique_ptr<LogSink>> sinks)
    : options_(with_clock(std::move(options))),
      redactor_(std::move(redactor)),
      sinks_(std::move(sinks)),
      level_(options_.level),
      thread_([this] { run(); }) {}

LogOutput::~LogOutput() { close(kCloseDefault); }

void LogOutput::write(model::LogRecord record) {
  if (!takes(record.level)) return;
  bool wake = false;
  {
    const std::lock_guard lock(mutex_);
    if (closing_ || queue_.size() >= options_.capacity) {
      ++lost_;
      ++lost_unmarked_;
      return;
    }
    queue_.push_back(std::move(record));
    ++taken_;
    wake = std::exchange(idle_, false);
  }
  if (wake) wake_.notify_one();
}

bool LogOutput::flush(Duration patience) {
  std::unique_lock lock(mutex_);
  const std::uint64_t upto = taken_;
  return delivered_.wait_for(lock, patience, [&] { return written_ >= upto; });
}

bool LogOutput::close(Duration patience) {
  std::unique_lock lock(mutex_);
  if (!thread_.joinable()) return queue_.empty();
  closing_ = true;
  idle_ = false;
  wake_.notify_one();
  const bool complete = delivered_.wait_for(lock, patience, [&] { return written_ == taken_; });
  abandon_ = !complete;
  lock.unlock();
  // One write of one batch at most is still under way.
  thread_.join();
  return complete;
}

LogCounters LogOutput::counters() const {
  const std::lock_guard lock(mutex_);
  return {written_, lost_, sink_failures_.load(), queue_.size()};
}

void LogOutput::run() {
  platform::name_this_thread("ms-log");
  std::vector<model::LogRecord> batch;
  for (;;) {
    std::uint64_t lost_before = 0;
    {
      std::unique_lock lock(mutex_);
      while (queue_.empty() && !closing_) {
        idle_ = true;
        wake_.wait(lock, [&] { return !idle_; });
      }
      if (queue_.empty() || abandon_) {
        lost_ += queue_.size();
        return;
      }
      batch.swap(queue_);
      lost_before = std::exchange(lost_unmarked_, 0);
    }
    const std::size_t count = batch.size();
    deliver(batch, lost_before);
    batch.clear();
    {
      const std::lock_guard lock(mutex_);
      written_ += count;
    }
    delivered_.notify_all();
  }
}

void LogOutput::deliver(std::vector<model::LogRecord>& batch, std::uint64_t lost_before) {
  if (redactor_) {
    for (model::LogRecord& record : batch) redactor_->redact_in(record);
  }
  if (lost_before > 0) {
    // Behind the batch: the losses came when the queue was full of it.
    model::LogRecord mark;
    mark.at = options_.now();
    mark.level = model::LogLevel::WARNING;
    mark.message = fmt::format("{} log records were lost here: the queue was full", lost_before);
    mark.fields = fmt::format(R"({{"lost":{}}})", lost_before);
    mark.context.component = "telemetry";
    batch.push_back(std::move(mark));
  }
  for (const auto& sink : sinks_) {
    if (!sink->write(batch)) ++sink_failures_;
  }
}

}  // namespace mainstay::telemetry
