// Reads HTTP/1.1 requests from bytes as they come, with one strict reading (fault H1): what could
// be read in two ways is refused and the connection closed, so that no proxy in front and this
// server can disagree about where a request ends.
//
// Refused beyond what Boost.Beast's parser refuses: bare LF, folded headers, Content-Length beside
// Transfer-Encoding or twice, any coding but `chunked`, `chunked` in HTTP/1.0, a missing or second
// Host, targets with bytes outside of ASCII, more than 100 fields, long chunk extensions.
//
// One object serves a connection's requests one after the other. Threads: one at a time.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string_view>

#include "platform/http/chunk_decoder.h"
#include "platform/http/message.h"

namespace mainstay::platform {

struct RequestLimits {
  /// Request line and header fields.
  std::size_t max_head_bytes = 16UL * 1024;
  std::size_t max_body_bytes = 16UL * 1024 * 1024;
};

class RequestParser {
 public:
  enum class State {
    head,      ///< more bytes of the head are needed
    body,      ///< the head is there; feed again for the body
    complete,  ///< take() the request
    failed,    ///< see failure(); the connection cannot go on
  };
  struct Failure {
    int status = 400;
    std::string_view reason;
  };

  explicit RequestParser(RequestLimits limits);
  ~RequestParser();
  RequestParser(const RequestParser&) = delete;
  RequestParser& operator=(const RequestParser&) = delete;

  /// Reads from the front of `input`; `consumed` bytes are done with, the rest must come again,
  /// with more behind it. Returns as soon as the head is there, so that the caller can refuse
  /// before the body is read.
  State feed(std::string_view input, std::size_t& consumed);

  /// The request so far; its head is valid in states body and complete.
  const HttpRequest& request() const { return request_; }
  /// The client waits for `100 Continue` before it sends the body.
  bool expects_continue() const { return expects_continue_; }
  /// As declared; 0 when chunked.
  std::size_t content_length() const { return content_length_; }
  /// In state complete: gives the request away; the next one can be fed.
  HttpRequest take();
  const Failure& failure() const { return failure_; }

 private:
  class Message;

  State fail(int status, std::string_view reason);
  State feed_head(std::string_view input, std::size_t& consumed);
  State feed_body(std::string_view input, std::size_t& consumed);
  /// The end of the head in `input`; 0 when it is not there yet. Sets failure_.
  std::size_t find_head_end(std::string_view input);
  State check_head();
  bool take_absolute_target();

  RequestLimits limits_;
  std::unique_ptr<Message> message_;
  std::optional<ChunkDecoder> chunks_;
  HttpRequest request_;
  State state_ = State::head;
  Failure failure_;
  std::size_t scanned_ = 0;
  std::size_t content_length_ = 0;
  bool expects_continue_ = false;
};

}  // namespace mainstay::platform
