#include "runs/recorder.h"

#include <fcntl.h>
#include <fmt/format.h>

#include <utility>

#include "platform/clock.h"
#include "platform/files/files.h"
#include "platform/loop/thread_name.h"

namespace mainstay::runs {
namespace {

constexpr std::size_t kBatch = 1024;
constexpr std::size_t kMaxEvents = 16 * 1024;

model::Sequence read_position(const std::string& path) {
  const auto text = platform::read_file(path, 64);
  if (!text) return 0;
  model::Sequence seq = 0;
  for (const char c : *text) {
    if (c < '0' || c > '9') break;
    seq = seq * 10 + (c - '0');
  }
  return seq;
}

}  // namespace

Recorder::Recorder(RecorderOptions options, RecorderPorts ports)
    : options_(std::move(options)),
      ports_(std::move(ports)),
      start_position_(read_position(options_.position_file)),
      written_(start_position_),
      folders_(options_, ports_, start_position_) {}

Recorder::~Recorder() { stop(); }

void Recorder::start() {
  thread_ = std::thread([this] { run(); });
}

void Recorder::stop() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  room_.notify_all();
  if (thread_.joinable()) thread_.join();
}

bool Recorder::drain(Duration patience) {
  std::unique_lock lock(mutex_);
  return idle_.wait_for(lock, patience, [this] { return queue_.empty() && !writing_; });
}

void Recorder::event(const model::Event& event) {
  std::unique_lock lock(mutex_);
  room_.wait(lock, [this] { return queue_.size() - telemetry_waiting_ < kMaxEvents || stopping_; });
  queue_.emplace_back(event);
  if (queue_.size() == 1) wake_.notify_one();
}

void Recorder::log(model::LogRecord record) {
  std::lock_guard lock(mutex_);
  if (telemetry_waiting_ >= options_.queue_limit) {
    ++dropped_;
    return;
  }
  ++telemetry_waiting_;
  queue_.emplace_back(std::move(record));
  if (queue_.size() == 1) wake_.notify_one();
}

void Recorder::span(model::SpanRecord record) {
  std::lock_guard lock(mutex_);
  if (telemetry_waiting_ >= options_.queue_limit) {
    ++dropped_;
    return;
  }
  ++telemetry_waiting_;
  queue_.emplace_back(std::move(record));
  if (queue_.size() == 1) wake_.notify_one();
}

std::int64_t Recorder::dropped() const {
  std::lock_guard lock(mutex_);
  return dropped_;
}

void Recorder::complete_ended(model::Sequence after) {
  {
    std::lock_guard lock(mutex_);
    complete_after_ = after;
  }
  wake_.notify_one();
}

void Recorder::run() {
  platform::name_this_thread("ms-recorder");
  std::vector<Entry> batch;
  while (take(batch)) {
    for (const Entry& entry : batch) {
      std::visit([this](const auto& item) { write(item); }, entry);
    }
    look_after_folders();
    note_dropped();
    if (!batch.empty()) keep_position();
  }
}

// Waits for something to do: entries, which it takes, or folders to look after. False: it is over.
bool Recorder::take(std::vector<Entry>& batch) {
  batch.clear();
  {
    std::unique_lock lock(mutex_);
    writing_ = false;
    if (queue_.empty()) idle_.notify_all();
    const auto has_work = [this] {
      return !queue_.empty() || stopping_ || (complete_after_ && *complete_after_ <= written_);
    };
    if (folders_.has_to_retry())
      wake_.wait_for(lock, options_.retry_interval, has_work);
    else
      wake_.wait(lock, has_work);
    writing_ = true;
    if (queue_.empty() && stopping_) {
      writing_ = false;
      return false;
    }
    while (!queue_.empty() && batch.size() < kBatch) {
      if (!std::holds_alternative<model::Event>(queue_.front())) --telemetry_waiting_;
      batch.push_back(std::move(queue_.front()));
      queue_.pop_front();
    }
  }
  room_.notify_all();
  return true;
}

void Recorder::look_after_folders() {
  bool complete = false;
  {
    std::lock_guard lock(mutex_);
    complete = complete_after_ && *complete_after_ <= written_;
    if (complete) complete_after_.reset();
  }
  if (complete) folders_.complete_ended();
  const Mono now = platform::mono_now();
  if (!folders_.has_to_retry() || now - retried_at_ < options_.retry_interval) return;
  folders_.retry();
  retried_at_ = platform::mono_now();
}

void Recorder::write(const model::Event& event) {
  if (event.seq <= written_) return;
  written_ = event.seq;
  folders_.write(event);
}

void Recorder::note_dropped() {
  const std::int64_t now_dropped = dropped();
  if (now_dropped == dropped_told_) return;
  folders_.note(model::LogLevel::WARNING,
                fmt::format("{} log lines and spans were dropped: the recorder's queue was full",
                            now_dropped - dropped_told_));
  dropped_told_ = now_dropped;
}

void Recorder::keep_position() {
  auto file = platform::open_file(options_.position_file, O_WRONLY | O_CREAT, 0600);
  if (!file) return;
  // Written in place: it is a hint, and the same or an earlier position is safe.
  (void)platform::write_all(file->get(), fmt::format("{:020}\n", written_), options_.position_file);
}

}  // namespace mainstay::runs
