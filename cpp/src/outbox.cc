#include "outbox.h"

#include <chrono>

namespace mainstay::agent_internal {
namespace {

constexpr std::size_t kMaxLogs = 20'000;
constexpr std::size_t kMaxLogBytes = std::size_t{8} << 20;
/// One message carries about this much; a larger result goes with little beside it.
constexpr std::size_t kMessageBytes = std::size_t{1} << 20;

std::size_t size_of(const v1::LogLine& line) {
  return line.message().size() + line.fields_json().size() + 128;
}

std::int64_t now_micros() {
  auto now = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::microseconds>(now).count();
}

}  // namespace

void Outbox::put_result(v1::AttemptResult result) {
  AttemptKey key(result.work_id(), result.epoch());
  progress_.erase(key);
  ready_.push_back(key);
  unacked_.insert_or_assign(std::move(key), std::move(result));
}

void Outbox::put_progress(const AttemptKey& key, double fraction, std::string message) {
  progress_[key] = {fraction, std::move(message)};
}

void Outbox::put_log(v1::LogLine line) {
  std::size_t bytes = size_of(line);
  if (logs_.size() >= kMaxLogs || log_bytes_ + bytes > kMaxLogBytes) {
    ++lost_logs_;
    return;
  }
  log_bytes_ += bytes;
  logs_.push_back(std::move(line));
}

void Outbox::acknowledge(const AttemptKey& key) { unacked_.erase(key); }

std::vector<AttemptKey> Outbox::unacknowledged() const {
  std::vector<AttemptKey> keys;
  for (const auto& [key, ignored] : unacked_) keys.push_back(key);
  return keys;
}

void Outbox::resend() {
  ready_.clear();
  for (const auto& [key, ignored] : unacked_) ready_.push_back(key);
}

bool Outbox::empty() const {
  return ready_.empty() && progress_.empty() && logs_.empty() && lost_logs_ == 0;
}

void Outbox::take(v1::AgentMessage& out) {
  std::size_t bytes = 0;
  take_logs(out, bytes);
  for (auto& [key, said] : progress_) {
    v1::Progress& progress = *out.add_progress();
    progress.set_work_id(key.first);
    progress.set_epoch(key.second);
    progress.set_fraction(said.first);
    progress.set_message(std::move(said.second));
  }
  progress_.clear();
  while (!ready_.empty() && bytes < kMessageBytes) {
    auto found = unacked_.find(ready_.front());
    ready_.pop_front();
    if (found == unacked_.end()) continue;
    bytes += found->second.output_json().size() + 256;
    *out.add_results() = found->second;
  }
}

void Outbox::take_logs(v1::AgentMessage& out, std::size_t& bytes) {
  while (!logs_.empty() && bytes < kMessageBytes) {
    std::size_t size = size_of(logs_.front());
    *out.add_logs() = std::move(logs_.front());
    logs_.pop_front();
    log_bytes_ -= size;
    bytes += size;
  }
  if (lost_logs_ == 0 || !logs_.empty()) return;
  v1::LogLine& line = *out.add_logs();
  line.set_unix_micros(now_micros());
  line.set_level("WARNING");
  line.set_message(std::to_string(lost_logs_) +
                   " log lines were lost: the queue to the daemon was full");
  lost_logs_ = 0;
}

}  // namespace mainstay::agent_internal
