// A blocking HTTP/1.1 client for the command line and tools: one connection that is kept alive,
// every call with a deadline.
//
// A connection that the server closed between two calls is opened again once. One thread at a
// time. Fails: unavailable (nobody answers), deadline_exceeded, io_failed (the answer is not HTTP).
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "platform/fd.h"

namespace mainstay::platform {

struct HttpAnswer {
  int status = 0;
  /// Names in lower case.
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;

  std::string_view header(std::string_view lower_case_name) const;
};

struct HttpCall {
  std::string method = "GET";
  std::string target = "/";
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
  Duration deadline = std::chrono::seconds(30);
};

class HttpClient {
 public:
  /// `127.0.0.1:7000`; a name is looked up at each connect.
  explicit HttpClient(std::string address);

  Result<HttpAnswer> call(const HttpCall& call);

  /// For streams: gives each line of the body (without its end) as it comes, until `on_line` is
  /// false, the server ends, or nothing has come for the call's deadline (an error). An answer
  /// other than 200 is given back whole.
  Result<HttpAnswer> stream(const HttpCall& call,
                            const std::function<bool(std::string_view line)>& on_line);

 private:
  struct Head;

  Result<void> connect(Mono until);
  Result<void> send(const HttpCall& call, Mono until);
  Result<void> read_some(Mono until);
  Result<Head> read_head(Mono until);
  Result<std::string> read_body(const Head& head, Mono until);
  Result<HttpAnswer> exchange(const HttpCall& call, Mono until);
  Result<HttpAnswer> stream_lines(const HttpCall& call, Head head,
                                  const std::function<bool(std::string_view)>& on_line);

  std::string address_;
  Fd socket_;
  std::string received_;
};

}  // namespace mainstay::platform
