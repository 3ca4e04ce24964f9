#include "app/daemon/work_watch.h"

#include <utility>

namespace mainstay::app {

Result<void> WorkWatch::start(bus::Bus& bus) {
  bus::SubscriptionOptions options;
  options.name = "work-watch";
  options.topics = {"work.succeeded", "work.failed", "work.timed_out", "work.cancelled"};
  options.capacity = 65'536;
  bus::Handler handler;
  handler.event = [this](const model::Event& event) {
    const auto id = model::WorkId::from_text(event.subject);
    bool wanted = false;
    if (id) {
      std::lock_guard lock(mutex_);
      wanted = waiting_.contains(*id);
    }
    if (wanted) look(*id);
    return bus::Delivery::taken;
  };
  auto subscribed = bus.subscribe(std::move(options), std::move(handler));
  if (!subscribed) return std::move(subscribed).error();
  events_ = std::move(*subscribed);
  return {};
}

void WorkWatch::watch(model::WorkId id, OnEnd on_end) {
  {
    std::lock_guard lock(mutex_);
    waiting_[id].push_back(std::move(on_end));
  }
  // After the entry is there: an end in between is seen by one of the two looks, or both.
  look(id);
}

void WorkWatch::look(model::WorkId id) {
  reader_.read<work::WorkRecord>(
      [this, id](platform::SqliteConnection& db) {
        return work::find_work(db, id, &store_.blobs());
      },
      [this, id](Result<work::WorkRecord> record) {
        if (!record || !model::is_terminal(record->status.state)) return;
        std::vector<OnEnd> ready;
        {
          std::lock_guard lock(mutex_);
          auto found = waiting_.find(id);
          if (found == waiting_.end()) return;
          ready = std::move(found->second);
          waiting_.erase(found);
        }
        for (const OnEnd& on_end : ready) on_end(*record);
      });
}

}  // namespace mainstay::app
