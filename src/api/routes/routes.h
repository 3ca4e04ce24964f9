// Every route of the HTTP API as data: what it is called, what it takes and gives, who may use it,
// and which function serves it. /openapi.json is made of this table, so it cannot lie about which
// routes there are.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "platform/http/server.h"

namespace mainstay::api {

class ApiContext;

enum class Permission { anyone, operator_only };

struct Parameter {
  std::string_view name;
  /// `query` or `header`; path parameters follow from the path.
  std::string_view in;
  /// JSON Schema.
  std::string_view schema;
  std::string_view description;
};

struct Route;

/// A request that found its route.
struct Call {
  const Route* route = nullptr;
  platform::HttpRequest request;
  platform::Responder responder;
  /// The path's parameter, decoded; empty when it has none.
  std::string subject;
  platform::QueryParameters query;
  std::string principal;

  /// A query parameter; empty when it is not there.
  std::string_view parameter(std::string_view name) const;
};
using CallPtr = std::shared_ptr<Call>;
using RouteHandler = void (*)(ApiContext&, const CallPtr&);

struct Route {
  std::string_view method;
  /// `/v1/work/{id}:cancel`; at most one parameter, which fills its segment up to a ':'.
  std::string_view path;
  std::string_view operation;
  std::string_view summary;
  Permission permission = Permission::operator_only;
  std::span<const Parameter> parameters;
  /// Names in components/schemas; empty: none.
  std::string_view request_schema;
  std::string_view response_schema;
  int status = 200;
  std::string_view content_type = "application/json";
  RouteHandler handler = nullptr;
  /// When the Idempotency-Key came before: the first answer again; 0: it takes no key.
  int repeat_status = 0;
};

std::span<const Route> all_routes();

struct RouteMatch {
  /// nullptr: no route has this path, or none with this method.
  const Route* route = nullptr;
  /// Still percent-encoded.
  std::string_view subject;
  /// Methods that this path has; empty: there is no such path.
  std::string allowed;
};
/// HEAD is served as GET.
RouteMatch match_route(std::string_view method, std::string_view path);

/// The OpenAPI 3.1 document of all routes.
std::string openapi_json(std::string_view version);

}  // namespace mainstay::api
