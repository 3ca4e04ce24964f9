#include "api/context.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <utility>

#include "api/problem.h"
#include "base/text.h"
#include "work/trace_context.h"

namespace mainstay::api {
namespace {

constexpr Duration kMaxWait = std::chrono::seconds(60);

std::size_t index_of(const Route& route) {
  return static_cast<std::size_t>(&route - all_routes().data());
}

Error unknown_route(std::string_view method, std::string_view path) {
  return Error(Code::not_found, fmt::format("there is no route {} {}", base::excerpt(method, 20),
                                            base::excerpt(path, 200)))
      .with_hint("GET /openapi.json lists all routes");
}

/// Parameters that the route does not know are refused, as body fields are (fault J2).
std::optional<Error> check_parameters(const Route& route, const platform::QueryParameters& query) {
  std::vector<std::string> known;
  for (const Parameter& parameter : route.parameters) {
    if (parameter.in == "query") known.emplace_back(parameter.name);
  }
  for (const auto& [name, value] : query) {
    if (std::find(known.begin(), known.end(), name) != known.end()) continue;
    const auto near = base::nearest(name, known);
    return Error(Code::invalid_argument,
                 fmt::format("{} {} has no parameter \"{}\"{}", route.method, route.path,
                             base::excerpt(name, 80),
                             near ? fmt::format("; did you mean \"{}\"?", *near) : ""))
        .with("parameter", base::excerpt(name, 80));
  }
  return std::nullopt;
}

}  // namespace

ApiContext::ApiContext(platform::EventLoop& on, Backend& to, ApiSettings with)
    : loop(on),
      backend(to),
      settings(std::move(with)),
      gate(settings.operator_token, settings.allowed_hosts),
      openapi(openapi_json(settings.version)),
      ends(std::make_shared<EndWatch>(on, to)),
      counts(all_routes().size()) {}

void ApiContext::serve(platform::HttpRequest request, platform::Responder responder) {
  const RouteMatch match = match_route(request.method(), request.path());
  if (match.route == nullptr) {
    if (match.allowed.empty()) {
      responder.send(problem_response(unknown_route(request.method(), request.path())));
      return;
    }
    const Error error(Code::invalid_argument,
                      fmt::format("{} does not serve {}; it serves {}", request.path(),
                                  base::excerpt(request.method(), 20), match.allowed));
    platform::HttpResponse response = problem_response(error, 405);
    response.headers.emplace_back("Allow", match.allowed);
    responder.send(std::move(response));
    return;
  }
  auto subject = platform::percent_decode(match.subject);
  auto query = platform::parse_query(request.query());
  auto call = std::make_shared<Call>(Call{match.route, std::move(request), std::move(responder),
                                          subject.value_or(""),
                                          query.value_or(platform::QueryParameters()), "operator"});
  if (!subject || !query) {
    return reply_error(*this, call,
                       Error(Code::invalid_argument, "the path or query has a broken % escape"));
  }
  if (auto wrong = check_parameters(*match.route, call->query)) {
    return reply_error(*this, call, *wrong);
  }
  match.route->handler(*this, call);
}

RequestContext ApiContext::request_context(const Call& call) const {
  RequestContext context;
  context.phases = settings.phases;
  context.idempotency_key = call.request.header("idempotency-key").value_or("");
  const std::string_view trace = call.request.header("traceparent").value_or("");
  if (work::parse_trace_parent(trace)) context.trace_parent = trace;
  context.now = settings.wall();
  return context;
}

void ApiContext::count(const Route& route, int status) {
  const auto which = static_cast<std::size_t>(std::clamp(status / 100, 2, 5) - 2);
  counts[index_of(route)].by_class[which].fetch_add(1, std::memory_order_relaxed);
}

void reply(ApiContext& api, const CallPtr& call, int status, std::string json,
           std::vector<std::pair<std::string, std::string>> headers) {
  api.count(*call->route, status);
  platform::HttpResponse response;
  response.status = status;
  response.content_type = call->route->content_type;
  response.body = std::move(json);
  response.headers = std::move(headers);
  call->responder.send(std::move(response));
}

void reply_error(ApiContext& api, const CallPtr& call, const Error& error) {
  platform::HttpResponse response = problem_response(error, 0, api.causes());
  api.count(*call->route, response.status);
  call->responder.send(std::move(response));
}

void reply_done(ApiContext& api, const CallPtr& call) { reply(api, call, 200, R"({"done":true})"); }

Result<std::int64_t> number_parameter(const Call& call, std::string_view name,
                                      std::int64_t fallback, std::int64_t min, std::int64_t max) {
  const std::string_view text = call.parameter(name);
  if (text.empty()) return fallback;
  std::int64_t number = 0;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), number);
  if (read.ec == std::errc() && read.ptr == text.data() + text.size() && number >= min &&
      number <= max) {
    return number;
  }
  return Error(Code::invalid_argument,
               fmt::format("{}: expected a number from {} to {}, got \"{}\"", name, min, max,
                           base::excerpt(text, 80)))
      .with(std::string(name), base::excerpt(text, 80));
}

Result<Duration> wait_parameter(const Call& call) {
  const std::string_view text = call.parameter("wait");
  if (text.empty()) return Duration(0);
  if (const auto wait = base::parse_duration(text)) return std::min(*wait, kMaxWait);
  return Error(Code::invalid_argument,
               fmt::format("wait: expected a duration such as 30s, got \"{}\"",
                           base::excerpt(text, 80)))
      .with("wait", base::excerpt(text, 80));
}

template <class E>
Result<std::vector<E>> enum_parameter(const Call& call, std::string_view name) {
  std::vector<E> values;
  const std::string_view text = call.parameter(name);
  if (text.empty()) return values;
  for (const std::string_view part : base::split(text, ',')) {
    const auto value = base::parse_enum<E>(part);
    if (!value) {
      std::vector<std::string> names;
      for (const std::string_view known : base::enum_names<E>()) names.emplace_back(known);
      return Error(Code::invalid_argument,
                   fmt::format("{}: expected some of {}, got \"{}\"", name, base::join(names, ", "),
                               base::excerpt(part, 80)))
          .with(std::string(name), base::excerpt(part, 80));
    }
    values.push_back(*value);
  }
  return values;
}

template Result<std::vector<model::WorkState>> enum_parameter(const Call&, std::string_view);
template Result<std::vector<model::RunState>> enum_parameter(const Call&, std::string_view);
template Result<std::vector<model::AgentState>> enum_parameter(const Call&, std::string_view);
template Result<std::vector<model::LogLevel>> enum_parameter(const Call&, std::string_view);

}  // namespace mainstay::api
