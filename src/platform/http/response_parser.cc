#include "platform/http/response_parser.h"

#include <algorithm>
#include <limits>

#include "platform/loop/asio.h"
// Asio's choices come first.
#include <boost/beast/http/basic_parser.hpp>

#include "platform/http/chunk_decoder.h"
#include "platform/http/message.h"

namespace mainstay::platform {
namespace {

namespace beast = boost::beast;
using BeastError = beast::error_code;
using BeastView = beast::string_view;

constexpr std::size_t kMaxHead = 64UL * 1024;

}  // namespace

class ResponseParser::Message final : public beast::http::basic_parser<false> {
 public:
  HttpReply* reply = nullptr;

 private:
  void on_request_impl(beast::http::verb, BeastView, BeastView, int, BeastError&) override {}
  void on_response_impl(int status, BeastView, int, BeastError&) override {
    reply->status = status;
  }
  void on_field_impl(beast::http::field, BeastView name, BeastView value, BeastError&) override {
    reply->headers.emplace_back(std::string(name.data(), name.size()),
                                std::string(value.data(), value.size()));
  }
  void on_header_impl(BeastError&) override {}
  // The body is read by ResponseParser; Beast is given the head only.
  void on_body_init_impl(const boost::optional<std::uint64_t>&, BeastError&) override {}
  std::size_t on_body_impl(BeastView, BeastError&) override { return 0; }
  void on_chunk_header_impl(std::uint64_t, BeastView, BeastError&) override {}
  std::size_t on_chunk_body_impl(std::uint64_t, BeastView, BeastError&) override { return 0; }
  void on_finish_impl(BeastError&) override {}
};

ResponseParser::ResponseParser(bool head_only) : head_only_(head_only) {}
ResponseParser::~ResponseParser() = default;

ResponseParser::State ResponseParser::feed(std::string& input, std::string& body) {
  while (!has_head_) {
    const State state = take_head(input);
    if (state != State::complete) return state;
    if (head_.status / 100 != 1) break;
    head_ = {};  // 100 Continue and its like come before the answer
    has_head_ = false;
  }
  return take_body(input, body);
}

ResponseParser::State ResponseParser::take_head(std::string& input) {
  const std::size_t end = input.find("\r\n\r\n");
  if (end == std::string::npos) return input.size() > kMaxHead ? State::bad : State::more;
  Message message;
  message.reply = &head_;
  message.header_limit(static_cast<std::uint32_t>(kMaxHead));
  message.body_limit(std::numeric_limits<std::uint64_t>::max());
  message.skip(head_only_);
  BeastError failed;
  message.put(asio::buffer(input.data(), end + 4), failed);
  if (failed || !message.is_header_done()) return State::bad;
  input.erase(0, end + 4);
  has_head_ = true;
  keep_alive_ = message.keep_alive();
  const bool no_body = head_only_ || head_.status == 204 || head_.status == 304;
  if (message.chunked() && !no_body) {
    chunks_ = std::make_unique<ChunkDecoder>(std::numeric_limits<std::size_t>::max() / 2);
  } else if (!no_body) {
    const auto length = message.content_length();
    until_close_ = !length.has_value();
    left_ = length ? static_cast<std::size_t>(*length) : 0;
  }
  return State::complete;
}

ResponseParser::State ResponseParser::take_body(std::string& input, std::string& body) {
  if (chunks_) {
    std::size_t consumed = 0;
    const auto state = chunks_->decode(input, consumed, body);
    input.erase(0, consumed);
    if (state == ChunkDecoder::State::more) return State::more;
    return state == ChunkDecoder::State::done ? State::complete : State::bad;
  }
  const std::size_t taken = until_close_ ? input.size() : std::min(left_, input.size());
  body.append(input, 0, taken);
  input.erase(0, taken);
  if (!until_close_) left_ -= taken;
  return until_close_ || left_ > 0 ? State::more : State::complete;
}

ResponseParser::State ResponseParser::feed_end() {
  return has_head_ && until_close_ ? State::complete : State::bad;
}

}  // namespace mainstay::platform
