#include "app/daemon/work_watch.h"

#include <algorithm>

#include "platform/loop/thread_name.h"

namespace mainstay::app {

Result<void> WorkWatch::start(bus::Bus& bus) {
  bus::SubscriptionOptions options;
  options.name = "work-watch";
  options.topics = {"work.succeeded", "work.failed", "work.timed_out", "work.cancelled"};
  options.capacity = 65'536;
  bus::Handler handler;
  handler.event = [this](const model::Event& event) {
    if (const auto id = model::WorkId::from_text(event.subject)) look(*id);
    return bus::Delivery::taken;
  };
  auto subscribed = bus.subscribe(std::move(options), std::move(handler));
  if (!subscribed) return std::move(subscribed).error();
  events_ = std::move(*subscribed);
  thread_ = std::thread([this] { run(); });
  return {};
}

void WorkWatch::stop() {
  events_.reset();
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void WorkWatch::watch(model::WorkId id, OnEnd on_end) {
  {
    std::lock_guard lock(mutex_);
    waiting_[id].push_back(std::move(on_end));
  }
  // After the entry is there: an end in between is seen by one of the two looks, or both.
  look(id);
}

std::size_t WorkWatch::waiting() const {
  std::lock_guard lock(mutex_);
  return waiting_.size();
}

void WorkWatch::look(model::WorkId id) {
  {
    std::lock_guard lock(mutex_);
    if (!waiting_.contains(id)) return;
    to_look_at_.push_back(id);
    if (to_look_at_.size() > 1) return;  // it is awake, or about to be
  }
  wake_.notify_one();
}

void WorkWatch::run() {
  platform::name_this_thread("ms-work-watch");
  Ids unread;
  Duration delay = kRetryMin;
  while (true) {
    std::unique_lock lock(mutex_);
    if (unread.empty()) {
      delay = kRetryMin;
      wake_.wait(lock, [this] { return stopping_ || !to_look_at_.empty(); });
    } else {
      // New ones come along with the next pass: they would meet the same trouble.
      wake_.wait_for(lock, delay, [this] { return stopping_; });
      delay = std::min(delay * 2, kRetryMax);
    }
    if (stopping_) return;
    Ids ids = std::exchange(unread, {});
    ids.insert(ids.end(), to_look_at_.begin(), to_look_at_.end());
    to_look_at_.clear();
    lock.unlock();
    std::sort(ids.begin(), ids.end());
    ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
    unread = pass(ids);
  }
}

WorkWatch::Ids WorkWatch::pass(const Ids& ids) {
  if (!connect()) return ids;
  Ids unread;
  for (const model::WorkId& id : ids) {
    auto record = ends_->find(id, &blobs_);
    if (!record) {
      unread.push_back(id);
    } else if (*record) {
      tell(**record);
    }
  }
  return unread;
}

Result<void> WorkWatch::connect() {
  if (ends_) return {};
  auto opened = open_reader_();
  if (!opened) return std::move(opened).error();
  db_ = std::move(*opened);
  auto ends = work::WorkEnds::prepare(*db_);
  if (!ends) return std::move(ends).error();
  ends_ = std::move(*ends);
  return {};
}

void WorkWatch::tell(const work::WorkRecord& record) {
  std::vector<OnEnd> ready;
  {
    std::lock_guard lock(mutex_);
    auto found = waiting_.find(record.spec->id);
    if (found == waiting_.end()) return;
    ready = std::move(found->second);
    waiting_.erase(found);
  }
  for (const OnEnd& on_end : ready) on_end(record);
}

}  // namespace mainstay::app
