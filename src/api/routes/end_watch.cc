#include "api/routes/end_watch.h"

#include <algorithm>
#include <utility>

namespace mainstay::api {
namespace {

/// Before subscribing again when the subscription ended.
constexpr Duration kRetry = std::chrono::milliseconds(50);

}  // namespace

EndWatch::Ticket::~Ticket() {
  if (const auto watch = watch_.lock()) watch->leave(subject_);
}

void EndWatch::Ticket::arm(Duration patience, std::function<void()> callback) {
  {
    const std::lock_guard lock(mutex_);
    if (!fired_) {
      callback_ = std::move(callback);
      timer_.after(patience, [weak = weak_from_this()] {
        if (const auto ticket = weak.lock()) ticket->fire();
      });
      return;
    }
  }
  callback();
}

void EndWatch::Ticket::fire() {
  std::function<void()> callback;
  {
    const std::lock_guard lock(mutex_);
    if (std::exchange(fired_, true)) return;
    callback = std::exchange(callback_, nullptr);
  }
  timer_.cancel();
  if (callback) callback();
}

EndWatch::EndWatch(platform::EventLoop& loop, Backend& backend)
    : loop_(loop), backend_(backend), retry_(loop) {}

void EndWatch::start() { subscribe(); }

void EndWatch::stop() {
  std::unique_ptr<Subscription> over;
  {
    const std::lock_guard lock(mutex_);
    stopped_ = true;
    over = std::move(subscription_);
  }
  over.reset();
  retry_.cancel();
  wake_all();
}

void EndWatch::subscribe() {
  EventFilter endings;
  endings.kinds = {"work.succeeded", "work.failed", "work.timed_out", "work.cancelled",
                   "run.finished"};
  auto made = backend_.subscribe(
      std::nullopt, endings,
      [weak = weak_from_this()](const model::Event& event) {
        if (const auto watch = weak.lock()) watch->on_event(event);
      },
      [weak = weak_from_this()](const Error&) {
        // Events may have been missed: whoever waits looks again. Not inside the callback, since a
        // subscription may not end there.
        const auto watch = weak.lock();
        if (!watch) return;
        watch->retry_.after(kRetry, [weak] {
          const auto again = weak.lock();
          if (!again) return;
          again->subscribe();
          again->wake_all();
        });
      });
  std::unique_ptr<Subscription> before;
  const std::lock_guard lock(mutex_);
  if (stopped_) {
    before = std::move(made);
  } else {
    before = std::exchange(subscription_, std::move(made));
  }
}

EndWatch::TicketPtr EndWatch::take(const std::string& subject) {
  auto ticket = std::make_shared<Ticket>(weak_from_this(), loop_, subject);
  const std::lock_guard lock(mutex_);
  tickets_[subject].push_back(ticket);
  return ticket;
}

/// A ticket of this subject is gone.
void EndWatch::leave(const std::string& subject) {
  const std::lock_guard lock(mutex_);
  const auto found = tickets_.find(subject);
  if (found == tickets_.end()) return;
  auto& tickets = found->second;
  tickets.erase(std::remove_if(tickets.begin(), tickets.end(),
                               [](const auto& ticket) { return ticket.expired(); }),
                tickets.end());
  if (tickets.empty()) tickets_.erase(found);
}

std::size_t EndWatch::waiting() const {
  const std::lock_guard lock(mutex_);
  return tickets_.size();
}

void EndWatch::on_event(const model::Event& event) {
  std::vector<std::weak_ptr<Ticket>> ended;
  {
    const std::lock_guard lock(mutex_);
    const auto found = tickets_.find(event.subject);
    if (found == tickets_.end()) return;
    ended = std::move(found->second);
    tickets_.erase(found);
  }
  for (const auto& weak : ended) {
    if (const auto ticket = weak.lock()) ticket->fire();
  }
}

void EndWatch::wake_all() {
  decltype(tickets_) all;
  {
    const std::lock_guard lock(mutex_);
    all.swap(tickets_);
  }
  for (const auto& [subject, tickets] : all) {
    for (const auto& weak : tickets) {
      if (const auto ticket = weak.lock()) ticket->fire();
    }
  }
}

}  // namespace mainstay::api
