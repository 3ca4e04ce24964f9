// Reads one HTTP/1.1 response from bytes as they come; the body is handed out in pieces. Strict in
// framing like the request parser. Pure.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "platform/http/client.h"

namespace mainstay::platform {

class ResponseParser {
 public:
  enum class State { more, complete, bad };

  /// `head_only`: the answer to HEAD has no body, whatever it declares.
  explicit ResponseParser(bool head_only);
  ~ResponseParser();

  /// Takes bytes off the front of `input`. Body bytes are appended to `body`.
  State feed(std::string& input, std::string& body);
  /// The server closed the connection: complete when the body has no declared end.
  State feed_end();

  bool has_head() const { return has_head_; }
  const HttpReply& head() const { return head_; }
  bool keep_alive() const { return keep_alive_; }

 private:
  class Message;
  State take_head(std::string& input);
  State take_body(std::string& input, std::string& body);

  const bool head_only_;
  HttpReply head_;
  bool has_head_ = false;
  bool keep_alive_ = false;
  bool until_close_ = false;
  std::size_t left_ = 0;
  std::unique_ptr<class ChunkDecoder> chunks_;
};

}  // namespace mainstay::platform
