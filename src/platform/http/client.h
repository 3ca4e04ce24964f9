// A small blocking HTTP/1.1 client for the command line, tests and benchmarks. It speaks to a
// daemon on an IP address; it follows no redirects and knows no proxies.
//
// Every call ends by its deadline. One thread at a time per object. Fails with `not_running` when
// nothing answers at the address, `deadline_exceeded`, or `io_failed` (the answer broke off, or is
// not HTTP).
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "base/time.h"

namespace mainstay::platform {

using HttpHeaders = std::vector<std::pair<std::string, std::string>>;

struct HttpCall {
  std::string method = "GET";
  /// Path and query.
  std::string target = "/";
  HttpHeaders headers = {};
  std::string body = {};
  /// For the whole call; a stream may stay open longer than this between its pieces, never silent.
  Duration timeout = std::chrono::seconds(10);
};

struct HttpReply {
  int status = 0;
  HttpHeaders headers = {};
  std::string body = {};

  /// The first header of this name, whatever its case.
  std::optional<std::string_view> header(std::string_view name) const;
};

/// One event of a text/event-stream.
struct ServerEvent {
  std::string id;
  std::string kind;
  std::string data;
};

/// Keeps its connection between calls. A request whose kept connection was closed in the meantime
/// is sent once more on a new one, if repeating it does no harm (GET, HEAD, DELETE, or a request
/// with an Idempotency-Key).
class HttpClient {
 public:
  /// `127.0.0.1:7000`.
  explicit HttpClient(std::string address);
  ~HttpClient();
  HttpClient(HttpClient&&) noexcept;
  HttpClient& operator=(HttpClient&&) noexcept;

  Result<HttpReply> call(const HttpCall& call);

  /// Reads a stream of events until it ends or `on_event` returns false. When the status is not
  /// 200 the reply has the body; else it is empty. `call.timeout` bounds the wait for the head and
  /// then each silence, heartbeats included.
  Result<HttpReply> events(const HttpCall& call,
                           const std::function<bool(const ServerEvent&)>& on_event);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// One call on a connection of its own.
Result<HttpReply> http_call(const std::string& address, const HttpCall& call);

}  // namespace mainstay::platform
