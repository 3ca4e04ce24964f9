// What the connections of one HTTP server share. Inner header of platform/http.
#pragma once

#include <atomic>
#include <condition_variable>
#include <list>
#include <memory>
#include <mutex>
#include <vector>

#include "platform/http/server.h"

namespace mainstay::platform {

/// The connections of one lane of the event loop; that lane's thread only.
struct HttpLane {
  HttpLane(EventLoop& loop, int lane) : sweep(loop, lane) {}

  std::list<std::shared_ptr<HttpConnection>> connections;
  Timer sweep;
  bool sweeping = false;
};

struct HttpServerCore : std::enable_shared_from_this<HttpServerCore> {
  HttpServerCore(EventLoop& on, HttpServerSettings with, HttpServerHooks calls);

  HttpLane& lane(int index) { return *lanes[static_cast<std::size_t>(index)]; }
  HttpResponse refusal(int status, std::string_view reason) const;
  /// Takes room for bytes of a body; false when all bodies together would be too large.
  bool reserve_body(std::size_t bytes);
  void release_body(std::size_t bytes) { body_bytes.fetch_sub(bytes); }
  void on_closed();

  EventLoop& loop;
  const HttpServerSettings settings;
  const HttpServerHooks hooks;
  std::size_t max_connections = 0;
  Duration sweep_every{0};
  std::vector<std::unique_ptr<HttpLane>> lanes;
  std::atomic<bool> stopping{false};
  std::atomic<std::size_t> body_bytes{0};

  std::atomic<std::uint64_t> accepted{0};
  std::atomic<std::uint64_t> refused{0};
  std::atomic<std::uint64_t> requests{0};
  std::atomic<std::uint64_t> malformed{0};
  std::atomic<std::uint64_t> timed_out{0};
  std::atomic<std::uint64_t> event_streams{0};
  std::atomic<std::uint64_t> overflows{0};

  std::mutex mutex;
  std::condition_variable all_closed;
  std::size_t open = 0;  // under mutex
};

}  // namespace mainstay::platform
