#include "app/daemon/log_followers.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "platform/loop/thread_name.h"

namespace mainstay::app {
namespace {

constexpr auto kInterval = std::chrono::milliseconds(200);

}  // namespace

struct LogFollowers::Entry {
  Entry(std::string place, runs::LogFilter filter, std::size_t count, OnLine callback)
      : tail(std::move(place), std::move(filter)), lines(count), on_line(std::move(callback)) {}

  void look() {
    std::lock_guard lock(mutex);
    if (ended) return;
    for (const std::string& line : started ? tail.poll() : tail.last(lines)) on_line(line);
    started = true;
  }
  void end() {
    std::lock_guard lock(mutex);
    ended = true;
  }

  std::mutex mutex;
  runs::LogTail tail;
  std::size_t lines;
  OnLine on_line;
  bool started = false;
  bool ended = false;
};

LogFollowers::LogFollowers() : thread_([this] { run(); }) {}

LogFollowers::~LogFollowers() { stop(); }

void LogFollowers::stop() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
}

std::shared_ptr<void> LogFollowers::follow(std::string place, runs::LogFilter filter,
                                           std::size_t lines, OnLine on_line) {
  auto entry =
      std::make_shared<Entry>(std::move(place), std::move(filter), lines, std::move(on_line));
  {
    std::lock_guard lock(mutex_);
    entries_.push_back(entry);
  }
  wake_.notify_all();
  return {entry.get(), [this, entry](void*) {
            entry->end();
            std::lock_guard lock(mutex_);
            std::erase(entries_, entry);
          }};
}

void LogFollowers::run() {
  platform::name_this_thread("ms-log-tail");
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    const auto entries = entries_;
    lock.unlock();
    for (const auto& entry : entries) entry->look();
    lock.lock();
    if (entries_.empty())
      wake_.wait(lock, [this] { return !entries_.empty() || stopping_; });
    else
      wake_.wait_for(lock, kInterval, [this] { return stopping_; });
  }
}

std::shared_ptr<void> LateFollower::handle_of(std::shared_ptr<LateFollower> follower) {
  void* const place = follower.get();
  return {place, [follower = std::move(follower)](void*) { follower->end(); }};
}

void LateFollower::found(LogFollowers& followers, Result<std::string> place) {
  std::lock_guard lock(mutex_);
  if (ended_) return;
  if (!place) return on_end_(place.error());
  follower_ = followers.follow(std::move(*place), filter_, lines_, on_line_);
}

void LateFollower::end() {
  std::shared_ptr<void> follower;
  {
    std::lock_guard lock(mutex_);
    ended_ = true;
    follower.swap(follower_);
  }
  follower.reset();  // waits for a line under way, which must not wait for us
}

}  // namespace mainstay::app
