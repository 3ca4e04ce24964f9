// What the handlers share, and how they answer. Inner header of api.
#pragma once

#include <array>
#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "api/api.h"
#include "api/backend.h"
#include "api/gate.h"
#include "api/problem.h"
#include "api/routes/end_watch.h"
#include "api/routes/routes.h"
#include "api/routes/work_request.h"

namespace mainstay::api {

class ApiContext : public std::enable_shared_from_this<ApiContext> {
 public:
  ApiContext(platform::EventLoop& loop, Backend& to, ApiSettings with);

  /// Finds the route and serves it.
  void serve(platform::HttpRequest request, platform::Responder responder);
  RequestContext request_context(const Call& call) const;
  void count(const Route& route, int status);

  platform::EventLoop& loop;
  Backend& backend;
  const ApiSettings settings;
  Causes causes() const { return settings.debug ? Causes::told : Causes::hidden; }
  const Gate gate;
  const std::string openapi;
  const std::shared_ptr<EndWatch> ends;
  std::function<platform::HttpServerStats()> http_stats;

  /// Answers by route and class of status (2xx to 5xx).
  struct RouteCounts {
    std::array<std::atomic<std::uint64_t>, 4> by_class{};
  };
  std::vector<RouteCounts> counts;

  std::mutex metrics_mutex;
  std::vector<std::function<void(std::string&)>> more_metrics;
};

/// Every answer of a handler goes through these two, which also count it.
void reply(ApiContext& api, const CallPtr& call, int status, std::string json,
           std::vector<std::pair<std::string, std::string>> headers = {});
void reply_error(ApiContext& api, const CallPtr& call, const Error& error);

/// `{"done":true}`.
void reply_done(ApiContext& api, const CallPtr& call);

/// A query parameter that is a number; `fallback` when it is not there.
Result<std::int64_t> number_parameter(const Call& call, std::string_view name,
                                      std::int64_t fallback, std::int64_t min, std::int64_t max);
/// `?wait=30s`; zero when it is not there.
Result<Duration> wait_parameter(const Call& call);
/// The states of a comma-separated parameter.
template <class E>
Result<std::vector<E>> enum_parameter(const Call& call, std::string_view name);

/// The call's subject as an id; `not_found` when it cannot be one.
template <class Id>
Result<Id> subject_id(const Call& call, std::string_view what) {
  if (auto id = Id::from_text(call.subject)) return *id;
  return Error(Code::not_found, "there is no " + std::string(what) + " \"" + call.subject +
                                    "\"; an id looks like 0192f3c8-7b1a-7cc3-98c4-dc0c0c07398f")
      .with("id", call.subject);
}

}  // namespace mainstay::api
