#include "platform/http/server.h"

#include <sys/resource.h>

#include <algorithm>
#include <utility>

#include "platform/clock.h"
#include "platform/http/connection.h"
#include "platform/http/server_core.h"
#include "platform/net/endpoint.h"
#include "platform/net/tcp_listener.h"

namespace mainstay::platform {
namespace {

constexpr Duration kFinestSweep = std::chrono::milliseconds(5);
constexpr Duration kCoarsestSweep = std::chrono::milliseconds(500);
/// Connections looked at, oldest first, for one to close in favour of a new one.
constexpr int kEvictionLook = 64;

std::size_t connection_cap(const HttpServerSettings& settings) {
  rlimit files{};
  if (::getrlimit(RLIMIT_NOFILE, &files) != 0 || files.rlim_cur == RLIM_INFINITY) {
    return settings.max_connections;
  }
  const auto all = static_cast<std::size_t>(files.rlim_cur);
  const std::size_t left = all > 2 * settings.fd_headroom ? all - settings.fd_headroom : all / 2;
  return std::max<std::size_t>(1, std::min(settings.max_connections, left));
}

void sweep_lane(const std::shared_ptr<HttpServerCore>& core, int index) {
  HttpLane& lane = core->lane(index);
  lane.sweeping = !lane.connections.empty();
  if (!lane.sweeping) return;
  const Mono now = mono_now();
  for (auto next = lane.connections.begin(); next != lane.connections.end();) {
    const auto connection = *next++;  // closing takes it out of the list
    connection->sweep(now);
  }
  lane.sweep.after(core->sweep_every, [weak = core->weak_from_this(), index] {
    if (const auto alive = weak.lock()) sweep_lane(alive, index);
  });
}

/// The oldest connections come first; one that waits for its client gives way.
bool close_an_idle_one(HttpLane& lane) {
  int looked = 0;
  for (const auto& connection : lane.connections) {
    if (++looked > kEvictionLook) return false;
    if (!connection->is_idle()) continue;
    const auto keep = connection;
    keep->close();
    return true;
  }
  return false;
}

void on_stream(const std::shared_ptr<HttpServerCore>& core, std::unique_ptr<Stream> stream,
               int index) {
  HttpLane& lane = core->lane(index);
  std::size_t open = 0;
  {
    const std::lock_guard lock(core->mutex);
    open = core->open++;
  }
  core->accepted.fetch_add(1, std::memory_order_relaxed);
  const bool full = open >= core->max_connections && !close_an_idle_one(lane);
  auto connection = std::make_shared<HttpConnection>(core, std::move(stream), index);
  lane.connections.push_back(connection);
  connection->start(std::prev(lane.connections.end()));
  if (full || core->stopping) {
    core->refused.fetch_add(1, std::memory_order_relaxed);
    connection->refuse(503, "too many connections");
  }
  if (!lane.sweeping) sweep_lane(core, index);
}

}  // namespace

HttpServerCore::HttpServerCore(EventLoop& on, HttpServerSettings with, HttpServerHooks calls)
    : loop(on), settings(std::move(with)), hooks(std::move(calls)) {
  max_connections = connection_cap(settings);
  const Duration shortest =
      std::min({settings.header_timeout, settings.idle_timeout, settings.body_idle_timeout,
                settings.write_timeout, settings.events.heartbeat});
  sweep_every = std::clamp(shortest / 4, kFinestSweep, kCoarsestSweep);
  for (int i = 0; i < loop.lanes(); ++i) lanes.push_back(std::make_unique<HttpLane>(loop, i));
}

HttpResponse HttpServerCore::refusal(int status, std::string_view reason) const {
  HttpResponse response;
  if (hooks.refusal) {
    response = hooks.refusal(status, reason);
  } else {
    response.status = status;
    response.content_type = "text/plain";
    response.body = std::string(reason) + "\n";
  }
  if (status == 503) response.headers.emplace_back("Retry-After", "1");
  return response;
}

bool HttpServerCore::reserve_body(std::size_t bytes) {
  if (body_bytes.fetch_add(bytes) + bytes <= settings.max_bodies_bytes) return true;
  body_bytes.fetch_sub(bytes);
  return false;
}

void HttpServerCore::on_closed() {
  const std::lock_guard lock(mutex);
  if (--open == 0) all_closed.notify_all();
}

HttpServer::HttpServer(EventLoop& loop, HttpServerSettings settings, HttpServerHooks hooks)
    : core_(std::make_shared<HttpServerCore>(loop, std::move(settings), std::move(hooks))) {}

HttpServer::~HttpServer() { stop(Duration(0)); }

Result<void> HttpServer::start() {
  auto endpoint = parse_endpoint(core_->settings.listen);
  if (!endpoint) return std::move(endpoint).error();
  TcpListener::Callbacks calls;
  calls.on_stream = [core = core_](std::unique_ptr<Stream> stream, int lane) {
    on_stream(core, std::move(stream), lane);
  };
  calls.on_trouble = [core = core_](const Error& trouble) {
    core->refused.fetch_add(1, std::memory_order_relaxed);
    if (core->hooks.on_trouble) core->hooks.on_trouble(trouble);
  };
  const HttpResponse refusal = core_->refusal(503, "no file descriptor is left");
  append_response_head(calls.refusal, refusal, refusal.body.size(), false);
  calls.refusal += refusal.body;
  auto listener = TcpListener::open(core_->loop, *endpoint, std::move(calls));
  if (!listener) return std::move(listener).error();
  listener_ = std::move(*listener);
  listener_->start();
  return {};
}

std::string HttpServer::address() const {
  return listener_ ? listener_->local().to_text() : core_->settings.listen;
}

int HttpServer::port() const { return listener_ ? listener_->local().port : 0; }

void HttpServer::close_connections(bool all) {
  for (int i = 0; i < core_->loop.lanes(); ++i) {
    core_->loop.post(
        [core = core_, i, all] {
          HttpLane& lane = core->lane(i);
          for (auto next = lane.connections.begin(); next != lane.connections.end();) {
            const auto connection = *next++;
            connection->stop(all);
          }
        },
        i);
  }
}

void HttpServer::stop(Duration grace) {
  if (!listener_) return;
  core_->stopping = true;
  listener_->close();
  close_connections(false);
  const auto none_open = [this] { return core_->open == 0; };
  std::unique_lock lock(core_->mutex);
  if (!core_->all_closed.wait_for(lock, grace, none_open)) {
    lock.unlock();
    close_connections(true);
    lock.lock();
    // Bounded, in case the event loop has stopped before.
    core_->all_closed.wait_for(lock, std::chrono::seconds(1), none_open);
  }
  lock.unlock();
  listener_.reset();
}

HttpServerStats HttpServer::stats() const {
  HttpServerStats now;
  now.accepted = core_->accepted;
  now.refused = core_->refused;
  now.requests = core_->requests;
  now.malformed = core_->malformed;
  now.timed_out = core_->timed_out;
  now.event_streams = core_->event_streams;
  now.overflows = core_->overflows;
  const std::lock_guard lock(core_->mutex);
  now.open = core_->open;
  return now;
}

}  // namespace mainstay::platform
