// The HTTP/1.1 server: strict, bounded in bytes, time and connections (faults H1, G4, C9).
//
// Requests of a connection are handled in order, one at a time; pipelined ones wait. A handler runs
// on an I/O thread and must not block; it may answer later through its Responder.
//
// Lifetime: made, started and stopped on one thread, not an I/O thread. After stop() no handler
// runs. The event loop must outlive it.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/result.h"
#include "base/time.h"
#include "platform/http/request_parser.h"
#include "platform/http/responder.h"
#include "platform/loop/event_loop.h"

namespace mainstay::platform {

struct HttpServerSettings {
  std::string listen = "127.0.0.1:7000";
  RequestLimits limits = {};
  /// Of all bodies in memory together; more is answered 503 before it is read.
  std::size_t max_bodies_bytes = 256UL * 1024 * 1024;
  /// From a request's first byte (or from connecting) to the end of its head.
  Duration header_timeout = std::chrono::seconds(10);
  /// Between requests.
  Duration idle_timeout = std::chrono::seconds(60);
  /// Between two pieces of a body.
  Duration body_idle_timeout = std::chrono::seconds(10);
  /// A body that took longer than body_idle_timeout must have come at least this fast.
  std::size_t min_body_bytes_per_s = 1024;
  /// A client that takes nothing of its answer for this long is cut off.
  Duration write_timeout = std::chrono::seconds(30);
  std::size_t max_connections = 4096;
  /// Descriptors left for files, agents and the database.
  std::size_t fd_headroom = 128;
  EventStreamSettings events = {};
};

struct HttpServerStats {
  std::uint64_t accepted = 0;
  /// Connections turned away: the cap, or no descriptor.
  std::uint64_t refused = 0;
  std::uint64_t open = 0;
  std::uint64_t requests = 0;
  std::uint64_t malformed = 0;
  std::uint64_t timed_out = 0;
  std::uint64_t event_streams = 0;
  /// Slow readers of event streams that were cut off.
  std::uint64_t overflows = 0;
};

struct HttpServerHooks {
  HttpHandler handler;
  /// Looks at the head before the body is read; an answer refuses the request. May be empty.
  std::function<std::optional<HttpResponse>(const HttpRequest&)> admit;
  /// The answer to what the server itself refuses. May be empty: plain text.
  std::function<HttpResponse(int status, std::string_view reason)> refusal;
  /// Accepting connections failed and backs off. May be empty.
  std::function<void(const Error&)> on_trouble;
};

struct HttpServerCore;
class TcpListener;

class HttpServer {
 public:
  HttpServer(EventLoop& loop, HttpServerSettings settings, HttpServerHooks hooks);
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  /// Binds and serves. `invalid_argument` or `environment_invalid` (address in use).
  Result<void> start();
  /// The real address, `127.0.0.1:40123`; after start().
  std::string address() const;
  int port() const;
  /// Accepts nothing more; ends streams and idle connections; gives requests under way `grace` to
  /// be answered, then cuts them off.
  void stop(Duration grace);
  HttpServerStats stats() const;

 private:
  void close_connections(bool all);

  std::shared_ptr<HttpServerCore> core_;
  std::unique_ptr<TcpListener> listener_;
};

}  // namespace mainstay::platform
