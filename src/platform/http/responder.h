// How a handler answers: at once or later, from any thread, exactly once; with a response, or with
// a stream of server-sent events that stays open.
//
// A Responder is a small handle that may be copied; when the last copy goes without an answer, the
// client gets a 500. Answers to clients that are gone are dropped.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "base/time.h"
#include "platform/http/message.h"

namespace mainstay::platform {

class EventLoop;
class HttpConnection;
class HttpExchange;

struct EventStreamSettings {
  /// Bytes that wait for a slow client; more and it is cut off with a last `overflow` event.
  std::size_t max_pending_bytes = 1024UL * 1024;
  /// A comment is sent after this much silence, so that proxies keep the connection.
  Duration heartbeat = std::chrono::seconds(15);
};

/// The open body of a `text/event-stream`. Any thread may call.
class EventStream {
 public:
  EventStream(std::weak_ptr<HttpConnection> connection, EventLoop& loop, int lane,
              EventStreamSettings settings);

  /// Queues whole events (see append_event). false: the client is gone, cut off, or end() came.
  bool send(std::string_view events);
  /// Sends what is queued, then ends the body.
  void end();
  /// Called once, on an I/O thread, when the stream is over for whatever reason; at once when it
  /// is over already.
  void on_closed(std::function<void()> callback);

 private:
  friend class HttpConnection;
  struct Taken {
    std::string bytes;
    bool last = false;
    bool overflowed = false;
  };

  Taken take();
  void close();
  void wake();

  const std::weak_ptr<HttpConnection> connection_;
  EventLoop& loop_;
  const int lane_;
  const EventStreamSettings settings_;
  std::mutex mutex_;
  std::string pending_;
  bool ended_ = false;
  bool overflowed_ = false;
  bool closed_ = false;
  bool wake_posted_ = false;
  std::function<void()> on_closed_;
};

/// Appends one server-sent event; empty `id` or `kind` are left out, line ends in `data` make
/// several data lines.
void append_event(std::string& out, std::string_view id, std::string_view kind,
                  std::string_view data);

class Responder {
 public:
  explicit Responder(std::shared_ptr<HttpExchange> exchange) : exchange_(std::move(exchange)) {}

  /// false: it was answered before.
  bool send(HttpResponse response) const;
  /// Answers with status 200 and an open stream of events; nullptr: it was answered before.
  std::shared_ptr<EventStream> start_events(EventStreamSettings settings = {}) const;
  /// Called once, on an I/O thread, when the client goes away before it is answered.
  void on_gone(std::function<void()> callback) const;
  /// The client's address, for logs.
  std::string peer() const;

 private:
  std::shared_ptr<HttpExchange> exchange_;
};

using HttpHandler = std::function<void(HttpRequest, Responder)>;

}  // namespace mainstay::platform
