#include <utility>

#include "platform/http/connection.h"
#include "platform/http/responder.h"

namespace mainstay::platform {

EventStream::EventStream(std::weak_ptr<HttpConnection> connection, EventLoop& loop, int lane,
                         EventStreamSettings settings)
    : connection_(std::move(connection)), loop_(loop), lane_(lane), settings_(settings) {}

bool EventStream::send(std::string_view events) {
  {
    const std::lock_guard lock(mutex_);
    if (closed_ || ended_) return false;
    if (pending_.size() + events.size() > settings_.max_pending_bytes) {
      append_event(pending_, "", "overflow",
                   R"({"reason":"the client reads too slowly; resume with Last-Event-ID"})");
      ended_ = overflowed_ = true;
    } else {
      pending_ += events;
    }
    if (std::exchange(wake_posted_, true)) return !ended_;
  }
  wake();
  return true;
}

void EventStream::end() {
  {
    const std::lock_guard lock(mutex_);
    if (closed_ || std::exchange(ended_, true) || std::exchange(wake_posted_, true)) return;
  }
  wake();
}

void EventStream::wake() {
  loop_.post(
      [connection = connection_] {
        if (const auto open = connection.lock()) open->pull_events();
      },
      lane_);
}

EventStream::Taken EventStream::take() {
  const std::lock_guard lock(mutex_);
  wake_posted_ = false;
  return {std::exchange(pending_, {}), ended_, std::exchange(overflowed_, false)};
}

void EventStream::close() {
  std::function<void()> callback;
  {
    const std::lock_guard lock(mutex_);
    if (std::exchange(closed_, true)) return;
    pending_ = {};
    callback = std::exchange(on_closed_, nullptr);
  }
  if (callback) callback();
}

void EventStream::on_closed(std::function<void()> callback) {
  {
    const std::lock_guard lock(mutex_);
    if (!closed_) {
      on_closed_ = std::move(callback);
      return;
    }
  }
  callback();
}

void append_event(std::string& out, std::string_view id, std::string_view kind,
                  std::string_view data) {
  const auto line = [&](std::string_view name, std::string_view value) {
    out += name;
    out += ": ";
    out += value;
    out += '\n';
  };
  if (!id.empty()) line("id", id);
  if (!kind.empty()) line("event", kind);
  while (true) {
    const std::size_t end = data.find_first_of("\r\n");
    line("data", data.substr(0, end));
    if (end == std::string_view::npos) break;
    const bool pair = data.substr(end).starts_with("\r\n");
    data = data.substr(end + (pair ? 2 : 1));
  }
  out += '\n';
}

bool Responder::send(HttpResponse response) const {
  if (!exchange_->claim()) return false;
  exchange_->connection().answer(exchange_->number(), std::move(response));
  return true;
}

std::shared_ptr<EventStream> Responder::start_events(EventStreamSettings settings) const {
  if (!exchange_->claim()) return nullptr;
  return exchange_->connection().start_events(exchange_->number(), settings);
}

void Responder::on_gone(std::function<void()> callback) const {
  exchange_->connection().watch_gone(exchange_->number(), std::move(callback));
}

std::string Responder::peer() const { return exchange_->connection().peer(); }

}  // namespace mainstay::platform
