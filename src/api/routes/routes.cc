#include "api/routes/routes.h"

#include <array>

#include "api/routes/handlers.h"

namespace mainstay::api {
namespace {

constexpr std::string_view kText = R"({"type": "string"})";
constexpr std::string_view kLimit =
    R"({"type": "integer", "minimum": 1, "maximum": 1000, "default": 50})";
constexpr std::string_view kDuration = R"({"$ref": "#/components/schemas/duration"})";

constexpr Parameter kKey{"Idempotency-Key", "header", R"({"type": "string", "maxLength": 255})",
                         "The same key with the same body gives the first answer again; with "
                         "another body 409"};
constexpr Parameter kTrace{"traceparent", "header", kText, "W3C trace context of the caller"};
constexpr Parameter kWait{"wait", "query", kDuration,
                          "Answer when it has ended, or after this time, up to 60s"};
constexpr Parameter kState{"state", "query", kText, "States, separated by commas"};
constexpr Parameter kLimitParameter{"limit", "query", kLimit, "At most so many, newest first"};
constexpr Parameter kCursor{"cursor", "query", kText, "next_cursor of the page before"};
constexpr Parameter kCapability{"capability", "query", kText, "Only those of this capability"};

constexpr std::array kSubmitParameters{kKey, kTrace};
constexpr std::array kBatchParameters{kTrace};
constexpr std::array kWaitParameters{kWait};
constexpr std::array kWorkListParameters{kState, kCapability,
                                         Parameter{"run", "query", kText, "Only items of this run"},
                                         kLimitParameter, kCursor};
constexpr std::array kRunListParameters{
    kState, Parameter{"pipeline", "query", kText, "Only runs of this pipeline"}, kLimitParameter,
    kCursor};
constexpr std::array kAgentListParameters{
    Parameter{"name", "query", kText, "Only the agent of this name"}, kCapability,
    Parameter{"label", "query", kText, "key=value; may come several times, all must fit"},
    Parameter{"health", "query", kText, "Agent states, separated by commas"}};
constexpr std::array kEventParameters{
    Parameter{"after", "query", R"({"type": "integer", "minimum": 0})",
              "Events after this sequence; without it only new ones"},
    Parameter{"Last-Event-ID", "header", R"({"type": "integer"})", "As `after`, sent by browsers"},
    Parameter{"kinds", "query", kText, "Kinds or families (`work.*`), separated by commas"},
    Parameter{"subject", "query", kText, "Only events of this agent, item or run"}};
constexpr std::array kLogParameters{
    Parameter{"run", "query", kText, "Of this run; else of the fleet"},
    Parameter{"component", "query", kText, "orchestrator, adapter, metrics, …"},
    Parameter{"agent", "query", kText, "Only lines of this agent"},
    Parameter{"level", "query", kText, "This level and above: DEBUG, INFO, WARNING, …"},
    Parameter{"lines", "query", R"({"type": "integer", "minimum": 1, "maximum": 10000})",
              "The newest so many"},
    Parameter{"follow", "query", R"({"type": "boolean"})",
              "Then each new one, as events `log` whose data is an item of `lines`"}};

constexpr auto kOperator = Permission::operator_only;
constexpr std::string_view kJsonType = "application/json";
constexpr std::string_view kEventsType = "text/event-stream";

const std::array kRoutes{
    Route{"GET",
          "/healthz",
          "get_healthz",
          "The daemon answers",
          Permission::anyone,
          {},
          "",
          "health",
          200,
          kJsonType,
          get_healthz},
    Route{"GET",
          "/readyz",
          "get_readyz",
          "The daemon takes work",
          Permission::anyone,
          {},
          "",
          "health",
          200,
          kJsonType,
          get_readyz},
    Route{"GET",
          "/metrics",
          "get_metrics",
          "Counters and gauges for Prometheus",
          kOperator,
          {},
          "",
          "",
          200,
          "text/plain; version=0.0.4",
          get_metrics},
    Route{"GET",
          "/openapi.json",
          "get_openapi",
          "This document",
          kOperator,
          {},
          "",
          "",
          200,
          kJsonType,
          get_openapi},
    Route{"GET",
          "/v1/version",
          "get_version",
          "Version and commit of the daemon",
          kOperator,
          {},
          "",
          "version",
          200,
          kJsonType,
          get_version},
    Route{"POST", "/v1/work", "submit_work", "Submit one work item; durable when answered",
          kOperator, kSubmitParameters, "work_request", "work_accepted", 201, kJsonType,
          submit_work, 200},
    Route{"GET", "/v1/work", "list_work", "Work items, newest first", kOperator,
          kWorkListParameters, "", "work_list", 200, kJsonType, list_work},
    Route{"POST", "/v1/work:batch", "submit_batch",
          "Submit several items; all are checked before any is accepted", kOperator,
          kBatchParameters, "work_batch_request", "work_batch_answer", 200, kJsonType,
          submit_batch},
    Route{"GET", "/v1/work/{id}", "get_work", "One work item", kOperator, kWaitParameters, "",
          "work", 200, kJsonType, get_work},
    Route{"POST",
          "/v1/work/{id}:cancel",
          "cancel_work",
          "Cancel a work item",
          kOperator,
          {},
          "cancel_request",
          "done",
          200,
          kJsonType,
          cancel_work},
    Route{"GET",
          "/v1/work/{id}/attempts",
          "list_attempts",
          "The attempts at a work item",
          kOperator,
          {},
          "",
          "attempt_list",
          200,
          kJsonType,
          list_attempts},
    Route{"POST", "/v1/runs", "start_run", "Start a run of a pipeline; durable when answered",
          kOperator, kSubmitParameters, "run_request", "run_accepted", 201, kJsonType, start_run,
          200},
    Route{"GET", "/v1/runs", "list_runs", "Runs, newest first", kOperator, kRunListParameters, "",
          "run_list", 200, kJsonType, list_runs},
    Route{"GET", "/v1/runs/{id}", "get_run", "One run with its steps", kOperator, kWaitParameters,
          "", "run", 200, kJsonType, get_run},
    Route{"POST",
          "/v1/runs/{id}:cancel",
          "cancel_run",
          "Cancel a run",
          kOperator,
          {},
          "cancel_request",
          "done",
          200,
          kJsonType,
          cancel_run},
    Route{"GET", "/v1/agents", "list_agents", "Agents and where they stand", kOperator,
          kAgentListParameters, "", "agent_list", 200, kJsonType, list_agents},
    Route{"POST",
          "/v1/agents",
          "register_agent",
          "Register an agent that Mainstay does not start, or replace it",
          kOperator,
          {},
          "agent_request",
          "agent",
          201,
          kJsonType,
          register_agent},
    Route{"GET",
          "/v1/agents/{name}",
          "get_agent",
          "One agent",
          kOperator,
          {},
          "",
          "agent",
          200,
          kJsonType,
          get_agent},
    Route{"DELETE",
          "/v1/agents/{name}",
          "remove_agent",
          "Deregister an external agent",
          kOperator,
          {},
          "",
          "done",
          200,
          kJsonType,
          remove_agent},
    Route{"POST",
          "/v1/agents/{name}:renew",
          "renew_agent",
          "Renew an external agent's lease",
          kOperator,
          {},
          "renew_request",
          "done",
          200,
          kJsonType,
          renew_agent},
    Route{"GET",
          "/v1/fleet",
          "get_fleet",
          "The fleet at a glance",
          kOperator,
          {},
          "",
          "fleet",
          200,
          kJsonType,
          get_fleet},
    Route{"POST",
          "/v1/fleet:down",
          "stop_fleet",
          "Drain and stop every agent, then the daemon; answers when the agents are gone",
          kOperator,
          {},
          "",
          "done",
          200,
          kJsonType,
          stop_fleet},
    Route{"GET",
          "/v1/pipelines",
          "list_pipelines",
          "The pipelines of the fleet file",
          kOperator,
          {},
          "",
          "pipeline_list",
          200,
          kJsonType,
          list_pipelines},
    Route{"GET", "/v1/events", "stream_events", "Events as they become durable", kOperator,
          kEventParameters, "", "event", 200, kEventsType, stream_events},
    Route{"GET", "/v1/logs", "read_logs", "The newest log lines", kOperator, kLogParameters, "",
          "log_lines", 200, kJsonType, read_logs},
};

/// Whether `path` is of the form `pattern`; `subject` becomes what stands for its parameter.
bool fits(std::string_view pattern, std::string_view path, std::string_view& subject) {
  const std::size_t open = pattern.find('{');
  if (open == std::string_view::npos) return pattern == path;
  if (path.size() <= open || path.substr(0, open) != pattern.substr(0, open)) return false;
  const std::string_view after = pattern.substr(pattern.find('}') + 1);
  const std::string_view rest = path.substr(open);
  const std::size_t end = rest.find_first_of("/:");
  const std::string_view value = rest.substr(0, end);
  const std::string_view behind =
      end == std::string_view::npos ? std::string_view() : rest.substr(end);
  if (value.empty() || behind != after) return false;
  subject = value;
  return true;
}

}  // namespace

std::string_view Call::parameter(std::string_view name) const {
  for (const auto& [key, value] : query) {
    if (key == name) return value;
  }
  return {};
}

std::span<const Route> all_routes() { return kRoutes; }

RouteMatch match_route(std::string_view method, std::string_view path) {
  if (method == "HEAD") method = "GET";
  RouteMatch match;
  for (const Route& route : kRoutes) {
    std::string_view subject;
    if (!fits(route.path, path, subject)) continue;
    if (route.method == method) return {&route, subject, {}};
    match.allowed += (match.allowed.empty() ? "" : ", ") + std::string(route.method);
    if (route.method == "GET") match.allowed += ", HEAD";
  }
  return match;
}

}  // namespace mainstay::api
