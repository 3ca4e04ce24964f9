#include "platform/http/connection.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "platform/clock.h"
#include "platform/loop/asio.h"

namespace mainstay::platform {
namespace {

constexpr std::size_t kSmallBuffer = 2UL * 1024;
constexpr std::size_t kLargeBuffer = 64UL * 1024;
/// Answers to pipelined requests wait in memory up to here; then no further request is read.
constexpr std::size_t kMaxUnsent = 256UL * 1024;
/// How long a closed connection is read for the client's sake: an answer that is followed by a
/// reset may never be seen.
constexpr Duration kLinger = std::chrono::seconds(2);
constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";

void append_chunk(std::string& out, std::string_view bytes) {
  constexpr std::string_view kHex = "0123456789abcdef";
  char digits[16];
  std::size_t at = sizeof(digits);
  for (std::size_t size = bytes.size(); size > 0; size >>= 4U) digits[--at] = kHex[size & 0xFU];
  out.append(digits + at, sizeof(digits) - at);
  out += "\r\n";
  out += bytes;
  out += "\r\n";
}

}  // namespace

HttpExchange::~HttpExchange() {
  if (claim()) connection_->answer(number_, {.status = 500, .content_type = "text/plain"});
}

HttpConnection::HttpConnection(std::shared_ptr<HttpServerCore> core, std::unique_ptr<Stream> stream,
                               int lane)
    : core_(std::move(core)),
      stream_(std::move(stream)),
      lane_(lane),
      peer_(stream_->peer()),
      parser_(core_->settings.limits),
      phase_since_(mono_now()),
      last_read_(phase_since_),
      last_write_(phase_since_),
      in_(kSmallBuffer) {}

HttpConnection::~HttpConnection() = default;

void HttpConnection::start(std::list<std::shared_ptr<HttpConnection>>::iterator place) {
  place_ = place;
  read_more();
}

void HttpConnection::enter(Phase phase) {
  phase_ = phase;
  phase_since_ = mono_now();
}

bool HttpConnection::is_idle() const {
  return phase_ == Phase::idle || phase_ == Phase::head || phase_ == Phase::lingering;
}

// ---- reading ----------------------------------------------------------------------------------

/// Room behind end_; bytes are moved only while no read is under way.
void HttpConnection::make_room() {
  if (begin_ == end_) {
    begin_ = end_ = 0;
    const bool bulk = phase_ == Phase::body && parser_.content_length() >= kSmallBuffer;
    if (bulk && in_.size() < kLargeBuffer) in_.resize(kLargeBuffer);
    if (!bulk && in_.size() > kSmallBuffer) std::vector<char>(kSmallBuffer).swap(in_);
  } else if (end_ == in_.size() && begin_ > 0) {
    std::memmove(in_.data(), in_.data() + begin_, end_ - begin_);
    end_ -= begin_;
    begin_ = 0;
  }
  if (end_ == in_.size() && phase_ == Phase::head) {
    in_.resize(std::min(in_.size() * 2, core_->settings.limits.max_head_bytes + 1));
  }
}

void HttpConnection::read_more() {
  if (reading_ || eof_ || phase_ == Phase::closed) return;
  if (phase_ == Phase::lingering || phase_ == Phase::events) begin_ = end_ = 0;  // not for us
  make_room();
  if (end_ == in_.size()) return;  // pipelined requests fill it; read again when one is done
  reading_ = true;
  stream_->read_some(in_.data() + end_, in_.size() - end_, shared_from_this());
}

void HttpConnection::on_read(std::size_t bytes, bool open) {
  reading_ = false;
  if (phase_ == Phase::closed) return;
  last_read_ = mono_now();
  if (!open) {
    eof_ = true;
    return client_left();
  }
  end_ += bytes;
  if (phase_ == Phase::lingering || phase_ == Phase::events) return read_more();
  process();
}

/// The client sends nothing more. It may still read answers to what it sent; a stream of events and
/// a half-sent request are over.
void HttpConnection::client_left() {
  if (phase_ == Phase::events || phase_ == Phase::lingering) return close();
  if (phase_ != Phase::handling) return process();
  if (auto gone = std::exchange(on_gone_, nullptr)) gone();
}

void HttpConnection::process() {
  if (processing_) return;
  processing_ = true;
  while (process_some()) {
  }
  processing_ = false;
  if (phase_ == Phase::closed) return;
  // After the last whole request of a client that sends nothing more.
  if (eof_ && is_between() && out_.size() <= kMaxUnsent) close_after_flush_ = true;
  flush();
  read_more();
}

bool HttpConnection::is_between() const {
  return phase_ == Phase::idle || phase_ == Phase::head || phase_ == Phase::body;
}

bool HttpConnection::process_some() {
  if (!is_between() || close_after_flush_ || begin_ == end_ || out_.size() > kMaxUnsent)
    return false;
  if (phase_ == Phase::idle) enter(Phase::head);
  std::size_t consumed = 0;
  const auto before = phase_;
  const auto state = parser_.feed({in_.data() + begin_, end_ - begin_}, consumed);
  begin_ += consumed;
  if (before == Phase::body && !track_body(consumed)) {
    refuse(503, "too many large requests at once");
    return false;
  }
  switch (state) {
    case RequestParser::State::head:
      return false;
    case RequestParser::State::body:
      return before == Phase::head ? on_head() : consumed > 0;
    case RequestParser::State::complete:
      dispatch();
      return true;
    case RequestParser::State::failed:
      break;
  }
  core_->malformed.fetch_add(1, std::memory_order_relaxed);
  refuse(parser_.failure().status, parser_.failure().reason);
  return false;
}

/// The head of a request with a body is there.
bool HttpConnection::on_head() {
  if (core_->hooks.admit) {
    if (auto refused = core_->hooks.admit(parser_.request())) {
      refused->close = true;
      append_response_head(out_, *refused, refused->body.size(), false);
      out_ += refused->body;
      close_after_flush_ = true;
      return false;
    }
  }
  enter(Phase::body);
  body_received_ = 0;
  if (!track_body(0)) {
    refuse(503, "too many large requests at once");
    return false;
  }
  if (parser_.expects_continue() && begin_ == end_) out_ += kContinue;
  return true;
}

/// Accounts for body bytes: all that was declared at once, a chunked body as it comes.
bool HttpConnection::track_body(std::size_t bytes) {
  body_received_ += bytes;
  const std::size_t wanted = std::max(parser_.content_length(), body_received_);
  if (wanted <= body_reserved_) return true;
  if (!core_->reserve_body(wanted - body_reserved_)) return false;
  body_reserved_ = wanted;
  return true;
}

void HttpConnection::dispatch() {
  const bool had_body = phase_ == Phase::body;
  HttpRequest request = parser_.take();
  core_->requests.fetch_add(1, std::memory_order_relaxed);
  first_request_ = false;
  version_ = request.version();
  keep_alive_ = request.keep_alive() && version_ == 11;
  head_only_ = request.method() == "HEAD";
  ++number_;
  enter(Phase::handling);
  if (!had_body && core_->hooks.admit) {
    if (auto refused = core_->hooks.admit(request)) {
      return answer_here(number_, std::move(*refused));
    }
  }
  core_->hooks.handler(std::move(request),
                       Responder(std::make_shared<HttpExchange>(shared_from_this(), number_)));
}

// ---- answering --------------------------------------------------------------------------------

void HttpConnection::answer(std::uint64_t number, HttpResponse response) {
  if (core_->loop.on_lane(lane_)) return answer_here(number, std::move(response));
  asio::post(core_->loop.context(lane_),
             [self = shared_from_this(), number, response = std::move(response)]() mutable {
               self->answer_here(number, std::move(response));
             });
}

void HttpConnection::answer_here(std::uint64_t number, HttpResponse response) {
  if (phase_ != Phase::handling || number != number_) return;
  const bool keep = keep_alive_ && !response.close && !close_after_flush_ && !core_->stopping;
  append_response_head(out_, response, response.body.size(), keep);
  if (!head_only_) out_ += response.body;
  finish_answer(keep);
  process();
}

void HttpConnection::finish_answer(bool keep_alive) {
  core_->release_body(std::exchange(body_reserved_, 0));
  on_gone_ = nullptr;
  if (!keep_alive) close_after_flush_ = true;
  enter(Phase::idle);
}

void HttpConnection::refuse(int status, std::string_view reason) {
  HttpResponse response = core_->refusal(status, reason);
  append_response_head(out_, response, response.body.size(), false);
  out_ += response.body;
  close_after_flush_ = true;
  if (!processing_) flush();
}

void HttpConnection::watch_gone(std::uint64_t number, std::function<void()> callback) {
  if (!core_->loop.on_lane(lane_)) {
    return core_->loop.post(
        [self = shared_from_this(), number, call = std::move(callback)]() mutable {
          self->watch_gone(number, std::move(call));
        },
        lane_);
  }
  if (phase_ == Phase::handling && number == number_ && !eof_) {
    on_gone_ = std::move(callback);
  } else if (phase_ == Phase::closed || eof_) {
    callback();
  }
}

void HttpConnection::flush() {
  if (write_under_way_ || phase_ == Phase::closed) return;
  if (out_.empty()) return after_flush();
  writing_.clear();
  writing_.swap(out_);
  sent_ = 0;
  write_under_way_ = true;
  last_write_ = mono_now();
  stream_->write_some(writing_.data(), writing_.size(), shared_from_this());
}

void HttpConnection::on_written(std::size_t bytes, bool open) {
  write_under_way_ = false;
  if (phase_ == Phase::closed) return;
  if (!open) return close();
  last_write_ = mono_now();
  sent_ += bytes;
  if (sent_ < writing_.size()) {
    write_under_way_ = true;
    stream_->write_some(writing_.data() + sent_, writing_.size() - sent_, shared_from_this());
    return;
  }
  if (writing_.capacity() > kLargeBuffer) std::string().swap(writing_);
  if (phase_ == Phase::events) pull_events();
  if (phase_ == Phase::closed) return;
  if (begin_ != end_) return process();
  flush();
}

/// Everything is written.
void HttpConnection::after_flush() {
  if (!close_after_flush_ || phase_ == Phase::lingering || phase_ == Phase::handling ||
      phase_ == Phase::events) {
    return;
  }
  if (eof_) return close();
  stream_->shutdown_write();
  enter(Phase::lingering);
  read_more();
}

// ---- events -----------------------------------------------------------------------------------

std::shared_ptr<EventStream> HttpConnection::start_events(std::uint64_t number,
                                                          EventStreamSettings settings) {
  auto events = std::make_shared<EventStream>(weak_from_this(), core_->loop, lane_, settings);
  if (core_->loop.on_lane(lane_)) {
    begin_events(number, events);
  } else {
    core_->loop.post(
        [self = shared_from_this(), number, events] { self->begin_events(number, events); }, lane_);
  }
  return events;
}

void HttpConnection::begin_events(std::uint64_t number, std::shared_ptr<EventStream> events) {
  if (phase_ != Phase::handling || number != number_ || eof_) return events->close();
  core_->event_streams.fetch_add(1, std::memory_order_relaxed);
  on_gone_ = nullptr;
  HttpResponse head{.content_type = "text/event-stream"};
  head.headers = {{"Cache-Control", "no-store"}, {"X-Accel-Buffering", "no"}};
  if (version_ == 11) head.headers.emplace_back("Transfer-Encoding", "chunked");
  append_response_head(out_, head, std::nullopt, keep_alive_ && !core_->stopping);
  enter(Phase::events);
  events_ = std::move(events);
  if (head_only_ || core_->stopping) events_->end();
  pull_events();
  flush();
  read_more();
}

void HttpConnection::pull_events() {
  if (phase_ != Phase::events || write_under_way_) return;
  auto [bytes, last, overflowed] = events_->take();
  if (overflowed) core_->overflows.fetch_add(1, std::memory_order_relaxed);
  if (!bytes.empty() && !head_only_) {
    if (version_ == 11) {
      append_chunk(out_, bytes);
    } else {
      out_ += bytes;
    }
  }
  if (last) {
    if (version_ == 11 && !head_only_) out_ += "0\r\n\r\n";
    std::exchange(events_, nullptr)->close();
    finish_answer(keep_alive_ && !overflowed && !core_->stopping);
  }
  flush();
}

// ---- limits and the end -----------------------------------------------------------------------

bool HttpConnection::body_is_slow(Mono now) const {
  const HttpServerSettings& with = core_->settings;
  if (now - last_read_ > with.body_idle_timeout) return true;
  const Duration taken = now - phase_since_;
  if (taken <= with.body_idle_timeout) return false;
  const auto millis = static_cast<std::size_t>(base::to_millis(taken));
  return body_received_ < with.min_body_bytes_per_s * millis / 1000;
}

void HttpConnection::sweep(Mono now) {
  const HttpServerSettings& with = core_->settings;
  if (write_under_way_) {
    if (now - last_write_ > with.write_timeout) {
      core_->timed_out.fetch_add(1, std::memory_order_relaxed);
      close();
    }
    return;
  }
  const Duration age = now - phase_since_;
  bool late = false;
  switch (phase_) {
    case Phase::idle:
      if (age > (first_request_ ? with.header_timeout : with.idle_timeout)) close();
      return;
    case Phase::lingering:
      if (age > kLinger) close();
      return;
    case Phase::events:
      if (now - last_write_ > events_->settings_.heartbeat) events_->send(":\n\n");
      return;
    case Phase::head:
      late = age > with.header_timeout;
      break;
    case Phase::body:
      late = body_is_slow(now);
      break;
    case Phase::handling:
    case Phase::closed:
      return;
  }
  if (!late || close_after_flush_) return;
  core_->timed_out.fetch_add(1, std::memory_order_relaxed);
  refuse(408, "the request came too slowly");
}

void HttpConnection::stop(bool now) {
  if (now || is_idle()) return close();
  if (phase_ == Phase::events) events_->end();
}

void HttpConnection::close() {
  if (phase_ == Phase::closed) return;
  const auto self = shared_from_this();
  const Phase before = std::exchange(phase_, Phase::closed);
  stream_->close();
  core_->release_body(std::exchange(body_reserved_, 0));
  core_->lane(lane_).connections.erase(place_);
  if (events_) std::exchange(events_, nullptr)->close();
  auto gone = std::exchange(on_gone_, nullptr);
  if (gone && before == Phase::handling) gone();
  core_->on_closed();
}

}  // namespace mainstay::platform
