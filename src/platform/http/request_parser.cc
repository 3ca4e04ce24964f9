#include "platform/http/request_parser.h"

#include <algorithm>
#include <cstring>

#include "platform/loop/asio.h"
// Asio's choices come first.
#include <boost/beast/http/basic_parser.hpp>
#include <optional>

#include "base/assert.h"

namespace mainstay::platform {
namespace {

namespace beast = boost::beast;
using BeastError = beast::error_code;
using BeastView = beast::string_view;

constexpr std::size_t kMaxFields = 100;
/// The body's memory grows with what came, not with what was promised.
constexpr std::size_t kMaxReserve = 64UL * 1024;

std::string_view plain(BeastView view) { return {view.data(), view.size()}; }

bool is_token_start(char c) { return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z'); }

}  // namespace

/// Beast's parser, filling a request.
class RequestParser::Message final : public beast::http::basic_parser<true> {
 public:
  explicit Message(std::size_t max_body_bytes) { body_limit(max_body_bytes); }

  HttpRequest* request = nullptr;
  bool chunked = false;
  bool expects_continue = false;
  std::size_t content_lengths = 0;
  std::optional<Failure> refused;

 private:
  void refuse(int status, std::string_view reason, BeastError& failed) {
    refused = Failure{status, reason};
    failed = beast::http::error::bad_value;
  }

  void on_request_impl(beast::http::verb, BeastView method, BeastView target, int version,
                       BeastError& failed) override {
    request->method_ = plain(method);
    request->target_ = plain(target);
    request->version_ = version;
    const bool ascii = std::all_of(target.begin(), target.end(),
                                   [](char c) { return static_cast<unsigned char>(c) < 0x80; });
    if (!ascii || target.find('#') != BeastView::npos) {
      refuse(400, "the request target has a character that must be percent-encoded", failed);
    }
  }

  void on_response_impl(int, BeastView, int, BeastError&) override {}

  void on_field_impl(beast::http::field field, BeastView name, BeastView value,
                     BeastError& failed) override {
    if (request->fields_.size() >= kMaxFields) {
      return refuse(431, "more than 100 header fields", failed);
    }
    request->fields_.push_back({plain(name), plain(value)});
    if (field == beast::http::field::transfer_encoding) {
      chunked = true;
      if (!equal_ignoring_case(plain(value), "chunked")) {
        refuse(501, "the only transfer coding served is `chunked`", failed);
      }
    } else if (field == beast::http::field::content_length) {
      ++content_lengths;
      const bool digits =
          std::all_of(value.begin(), value.end(), [](char c) { return c >= '0' && c <= '9'; });
      if (content_lengths > 1 || !digits) {
        refuse(400, "Content-Length must be one decimal number, once", failed);
      }
    } else if (field == beast::http::field::expect) {
      expects_continue = equal_ignoring_case(plain(value), "100-continue");
      if (!expects_continue) refuse(417, "the only expectation served is 100-continue", failed);
    }
  }

  void on_header_impl(BeastError&) override {}
  void on_body_init_impl(const boost::optional<std::uint64_t>&, BeastError&) override {}

  // The body is read by RequestParser; Beast is given the head only.
  std::size_t on_body_impl(BeastView, BeastError&) override { return 0; }
  void on_chunk_header_impl(std::uint64_t, BeastView, BeastError&) override {}
  std::size_t on_chunk_body_impl(std::uint64_t, BeastView, BeastError&) override { return 0; }
  void on_finish_impl(BeastError&) override {}
};

namespace {

std::string_view reason_of(const BeastError& failed) {
  using beast::http::error;
  if (failed == error::bad_line_ending) return "a line does not end with CR LF";
  if (failed == error::bad_method) return "the method is not a token";
  if (failed == error::bad_target) return "the request target is not valid";
  if (failed == error::bad_version) return "the HTTP version is not 1.0 or 1.1";
  if (failed == error::bad_field) return "a header name is not a token";
  if (failed == error::bad_content_length || failed == error::multiple_content_length) {
    return "Content-Length is not valid here";
  }
  if (failed == error::bad_transfer_encoding) return "Transfer-Encoding is not valid here";
  return "a header value is not valid";
}

int status_of(const BeastError& failed) {
  using beast::http::error;
  if (failed == error::body_limit) return 413;
  if (failed == error::header_limit) return 431;
  return failed == error::bad_version ? 505 : 400;
}

}  // namespace

RequestParser::RequestParser(RequestLimits limits) : limits_(limits) {}
RequestParser::~RequestParser() = default;

RequestParser::State RequestParser::fail(int status, std::string_view reason) {
  failure_ = {status, reason};
  return state_ = State::failed;
}

HttpRequest RequestParser::take() {
  MS_ASSERT(state_ == State::complete, "take() before the request is complete");
  HttpRequest done = std::move(request_);
  request_ = HttpRequest();
  message_.reset();
  chunks_.reset();
  scanned_ = 0;
  content_length_ = 0;
  expects_continue_ = false;
  state_ = State::head;
  return done;
}

RequestParser::State RequestParser::feed(std::string_view input, std::size_t& consumed) {
  consumed = 0;
  if (state_ == State::head) return feed_head(input, consumed);
  if (state_ == State::body) return feed_body(input, consumed);
  return state_;
}

std::size_t RequestParser::find_head_end(std::string_view input) {
  while (scanned_ < input.size()) {
    const void* found = std::memchr(input.data() + scanned_, '\n', input.size() - scanned_);
    if (found == nullptr) break;
    const auto at = static_cast<std::size_t>(static_cast<const char*>(found) - input.data());
    if (at == 0 || input[at - 1] != '\r') {
      fail(400, "a line does not end with CR LF");
      return 0;
    }
    if (at >= 3 && input[at - 2] == '\n') return at + 1;
    if (at + 1 == input.size()) {  // what comes next decides; this line is looked at again
      scanned_ = at;
      return 0;
    }
    if (input[at + 1] == ' ' || input[at + 1] == '\t') {
      fail(400, "a folded header line");
      return 0;
    }
    scanned_ = at + 1;
  }
  if (scanned_ < input.size() && input.back() != '\n') scanned_ = input.size();
  return 0;
}

RequestParser::State RequestParser::feed_head(std::string_view input, std::size_t& consumed) {
  if (input.empty()) return state_;
  if (!is_token_start(input.front())) return fail(400, "the request does not begin with a method");
  const std::size_t end = find_head_end(input.substr(0, limits_.max_head_bytes));
  if (state_ == State::failed) return state_;
  if (end == 0) {
    if (input.size() >= limits_.max_head_bytes) {
      return fail(431, "the request line and header fields are too large");
    }
    return state_;
  }
  request_.head_.assign(input.begin(), input.begin() + static_cast<std::ptrdiff_t>(end));
  request_.fields_.reserve(8);
  message_ = std::make_unique<Message>(limits_.max_body_bytes);
  message_->request = &request_;
  message_->header_limit(static_cast<std::uint32_t>(limits_.max_head_bytes));
  BeastError failed;
  message_->put(asio::buffer(request_.head_.data(), end), failed);
  if (message_->refused) return fail(message_->refused->status, message_->refused->reason);
  if (failed) {
    const int status = status_of(failed);
    return fail(status, status == 413 ? "the body is over its limit" : reason_of(failed));
  }
  if (!message_->is_header_done()) return fail(400, "the head is not complete");
  consumed = end;
  return check_head();
}

bool RequestParser::take_absolute_target() {
  constexpr std::string_view kScheme = "http://";
  if (!request_.target_.starts_with(kScheme)) return false;
  const std::string_view rest = request_.target_.substr(kScheme.size());
  const std::size_t slash = rest.find('/');
  if (slash == std::string_view::npos) return false;
  request_.target_ = rest.substr(slash);
  return equal_ignoring_case(rest.substr(0, slash), request_.header("host").value_or(""));
}

RequestParser::State RequestParser::check_head() {
  const std::size_t hosts = request_.count("host");
  if (hosts > 1 || (hosts == 0 && request_.version_ == 11)) {
    return fail(400, "there must be one Host field");
  }
  if (!request_.target_.starts_with('/') && !take_absolute_target()) {
    return fail(400, "the request target must begin with /");
  }
  if (message_->chunked && message_->content_lengths > 0) {
    return fail(400, "Content-Length beside Transfer-Encoding");
  }
  if (message_->chunked && request_.version_ == 10) {
    return fail(400, "Transfer-Encoding in HTTP/1.0");
  }
  request_.keep_alive_ = message_->keep_alive();
  expects_continue_ = message_->expects_continue && request_.version_ == 11;
  if (message_->chunked) {
    chunks_.emplace(limits_.max_body_bytes);
    return state_ = State::body;
  }
  content_length_ = message_->content_length().value_or(0);
  if (content_length_ == 0) return state_ = State::complete;
  request_.body_.reserve(std::min(content_length_, kMaxReserve));
  return state_ = State::body;
}

RequestParser::State RequestParser::feed_body(std::string_view input, std::size_t& consumed) {
  if (chunks_) {
    switch (chunks_->decode(input, consumed, request_.body_)) {
      case ChunkDecoder::State::more:
        return state_;
      case ChunkDecoder::State::done:
        return state_ = State::complete;
      case ChunkDecoder::State::too_large:
        return fail(413, "the body is over its limit");
      case ChunkDecoder::State::bad:
        return fail(400, chunks_->reason());
    }
  }
  consumed = std::min(input.size(), content_length_ - request_.body_.size());
  request_.body_.append(input, 0, consumed);
  if (request_.body_.size() == content_length_) state_ = State::complete;
  return state_;
}

}  // namespace mainstay::platform
