// The HTTP API: parses, authenticates, turns a request into one command or query of the Backend,
// and answers. It decides nothing.
//
// Lifetime: the event loop and the Backend outlive it, and stop() comes before either goes. Made,
// started and stopped on one thread that is not an I/O thread.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "api/backend.h"
#include "platform/http/server.h"
#include "platform/loop/event_loop.h"

namespace mainstay::api {

struct ApiSettings {
  std::string version;
  std::string commit;
  std::string operator_token;
  /// Names under which the API may be called, besides localhost and loopback addresses.
  std::vector<std::string> allowed_hosts;
  /// The setting work.phases.
  std::vector<std::string> phases;
  /// The setting debug: problems tell their causes.
  bool debug = false;
  /// The clock of `deadline` checks.
  std::function<Wall()> wall;
  platform::HttpServerSettings http;
};

class ApiContext;

class Api {
 public:
  Api(platform::EventLoop& loop, Backend& backend, ApiSettings settings);
  ~Api();
  Api(const Api&) = delete;
  Api& operator=(const Api&) = delete;

  /// Binds and serves. `environment_invalid` when the address cannot be used.
  Result<void> start();
  /// The real address, `127.0.0.1:40123`.
  std::string address() const;
  /// Answers waiting requests with what there is, ends streams, then as HttpServer::stop.
  void stop(Duration grace);

  /// More samples for /metrics, in Prometheus text; called for each scrape on an I/O thread.
  void add_metrics(std::function<void(std::string&)> append);

 private:
  std::shared_ptr<ApiContext> context_;
  std::unique_ptr<platform::HttpServer> server_;
};

}  // namespace mainstay::api
