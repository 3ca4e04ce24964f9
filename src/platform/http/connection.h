// One client connection of the HTTP server: reads requests, hands them to the handler in order,
// writes the answers, and keeps the limits. Inner header of platform/http.
//
// Threads: its lane only, but for the calls marked "any thread".
#pragma once

#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <string>
#include <vector>

#include "platform/http/request_parser.h"
#include "platform/http/responder.h"
#include "platform/http/server_core.h"
#include "platform/net/stream.h"

namespace mainstay::platform {

class HttpConnection final : public StreamUser,
                             public std::enable_shared_from_this<HttpConnection> {
 public:
  HttpConnection(std::shared_ptr<HttpServerCore> core, std::unique_ptr<Stream> stream, int lane);
  ~HttpConnection() override;

  void start(std::list<std::shared_ptr<HttpConnection>>::iterator place);
  /// Checks the deadlines.
  void sweep(Mono now);
  /// The server stops: nothing more after what is under way; `now`: not even that.
  void stop(bool now);
  /// Waits for a request: may be closed to make room.
  bool is_idle() const;
  void close();
  /// Answers with the server's own refusal, then closes.
  void refuse(int status, std::string_view reason);

  /// Any thread; `number` names the request. Dropped when that is over.
  void answer(std::uint64_t number, HttpResponse response);
  void watch_gone(std::uint64_t number, std::function<void()> callback);
  std::shared_ptr<EventStream> start_events(std::uint64_t number, EventStreamSettings settings);
  const std::string& peer() const { return peer_; }

  /// The stream has something to send.
  void pull_events();

  void on_read(std::size_t bytes, bool open) override;
  void on_written(std::size_t bytes, bool open) override;

 private:
  enum class Phase { idle, head, body, handling, events, lingering, closed };

  void enter(Phase phase);
  void process();
  /// One turn of process(); false when there is nothing more to do now.
  bool process_some();
  /// Reading a request, or waiting for one.
  bool is_between() const;
  bool on_head();
  void dispatch();
  void read_more();
  void make_room();
  void flush();
  void after_flush();
  void finish_answer(bool keep_alive);
  void answer_here(std::uint64_t number, HttpResponse response);
  void begin_events(std::uint64_t number, std::shared_ptr<EventStream> events);
  void client_left();
  bool track_body(std::size_t bytes);
  bool body_is_slow(Mono now) const;

  const std::shared_ptr<HttpServerCore> core_;
  const std::unique_ptr<Stream> stream_;
  const int lane_;
  const std::string peer_;
  std::list<std::shared_ptr<HttpConnection>>::iterator place_;

  RequestParser parser_;
  Phase phase_ = Phase::idle;
  Mono phase_since_;
  Mono last_read_;
  Mono last_write_;

  std::vector<char> in_;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
  bool reading_ = false;
  bool eof_ = false;

  std::string out_;
  std::string writing_;
  std::size_t sent_ = 0;
  bool write_under_way_ = false;
  bool close_after_flush_ = false;
  bool processing_ = false;

  // The request under way.
  std::uint64_t number_ = 0;
  int version_ = 11;
  bool keep_alive_ = true;
  bool head_only_ = false;
  bool first_request_ = true;
  std::size_t body_reserved_ = 0;
  std::size_t body_received_ = 0;
  std::function<void()> on_gone_;
  std::shared_ptr<EventStream> events_;
};

/// One request and its one answer; shared by the copies of a Responder.
class HttpExchange {
 public:
  HttpExchange(std::shared_ptr<HttpConnection> connection, std::uint64_t number)
      : connection_(std::move(connection)), number_(number) {}
  ~HttpExchange();
  HttpExchange(const HttpExchange&) = delete;
  HttpExchange& operator=(const HttpExchange&) = delete;

  /// True for the first caller only.
  bool claim() { return !answered_.exchange(true); }
  HttpConnection& connection() const { return *connection_; }
  std::uint64_t number() const { return number_; }

 private:
  const std::shared_ptr<HttpConnection> connection_;
  const std::uint64_t number_;
  std::atomic<bool> answered_{false};
};

}  // namespace mainstay::platform
