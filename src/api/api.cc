#include "api/api.h"

#include <utility>

#include "api/context.h"
#include "api/problem.h"

namespace mainstay::api {

Api::Api(platform::EventLoop& loop, Backend& backend, ApiSettings settings)
    : context_(std::make_shared<ApiContext>(loop, backend, std::move(settings))) {
  platform::HttpServerHooks hooks;
  hooks.handler = [context = context_](platform::HttpRequest request,
                                       platform::Responder responder) {
    context->serve(std::move(request), std::move(responder));
  };
  hooks.admit = [context = context_](
                    const platform::HttpRequest& request) -> std::optional<platform::HttpResponse> {
    if (const auto refused = context->gate.refuse(request)) return problem_response(*refused);
    return std::nullopt;
  };
  hooks.refusal = refusal_response;
  server_ = std::make_unique<platform::HttpServer>(loop, context_->settings.http, hooks);
  context_->http_stats = [server = server_.get()] { return server->stats(); };
}

Api::~Api() { stop(Duration(0)); }

Result<void> Api::start() {
  context_->ends->start();
  auto started = server_->start();
  if (started || started.error().code() != Code::environment_invalid) return started;
  return Error(std::move(started).error())
      .with_hint(
          "another fleet may use it: set http.listen to another port, or to port 0 for any "
          "free one");
}

std::string Api::address() const { return server_->address(); }

void Api::stop(Duration grace) {
  context_->ends->stop();
  server_->stop(grace);
}

void Api::add_metrics(std::function<void(std::string&)> append) {
  const std::lock_guard lock(context_->metrics_mutex);
  context_->more_metrics.push_back(std::move(append));
}

}  // namespace mainstay::api
