#include <map>
#include <string>
#include <vector>

#include "api/routes/routes.h"
#include "api/schemas/schemas.h"
#include "platform/json/json_text.h"

namespace mainstay::api {
namespace {

using platform::JsonWriter;

void write_schema_ref(JsonWriter& json, std::string_view schema) {
  json.key("schema").begin_object();
  json.member("$ref", "#/components/schemas/" + std::string(schema)).end_object();
}

void write_parameters(JsonWriter& json, const Route& route) {
  json.key("parameters").begin_array();
  if (const std::size_t open = route.path.find('{'); open != std::string_view::npos) {
    const std::size_t close = route.path.find('}');
    json.begin_object().member("name", route.path.substr(open + 1, close - open - 1));
    json.member("in", "path").member("required", true);
    json.member_raw("schema", R"({"type":"string"})").end_object();
  }
  for (const Parameter& parameter : route.parameters) {
    json.begin_object().member("name", parameter.name).member("in", parameter.in);
    json.member("description", parameter.description).member_raw("schema", parameter.schema);
    json.end_object();
  }
  json.end_array();
}

void write_content(JsonWriter& json, std::string_view type, std::string_view schema) {
  json.key("content").begin_object().key(type).begin_object();
  if (!schema.empty()) write_schema_ref(json, schema);
  json.end_object().end_object();
}

void write_answer(JsonWriter& json, const Route& route, int status, std::string_view description) {
  json.key(std::to_string(status)).begin_object().member("description", description);
  write_content(json, route.content_type, route.response_schema);
  json.end_object();
}

void write_operation(JsonWriter& json, const Route& route) {
  json.begin_object().member("operationId", route.operation).member("summary", route.summary);
  write_parameters(json, route);
  if (!route.request_schema.empty()) {
    json.key("requestBody").begin_object();
    write_content(json, "application/json", route.request_schema);
    json.end_object();
  }
  json.key("responses").begin_object();
  write_answer(json, route, route.status, route.summary);
  if (route.repeat_status != 0) {
    write_answer(json, route, route.repeat_status,
                 "The Idempotency-Key came before: the first answer again, and nothing new");
  }
  json.key("default").begin_object().member("description", "What went wrong");
  write_content(json, "application/problem+json", "problem");
  json.end_object().end_object();
  json.key("security").begin_array();
  if (route.permission == Permission::operator_only) {
    json.begin_object().key("operator").begin_array().end_array().end_object();
  }
  json.end_array().end_object();
}

std::string lower(std::string_view method) {
  std::string out(method);
  for (char& c : out) c = static_cast<char>(c + ('a' - 'A'));
  return out;
}

}  // namespace

std::string openapi_json(std::string_view version) {
  std::map<std::string_view, std::vector<const Route*>> by_path;
  for (const Route& route : all_routes()) by_path[route.path].push_back(&route);
  std::string out;
  JsonWriter json(out);
  json.begin_object().member("openapi", "3.1.0");
  json.key("info").begin_object().member("title", "Mainstay").member("version", version);
  json.member("description", "Errors are RFC 9457 problem details; lists give next_cursor.");
  json.end_object().key("paths").begin_object();
  for (const auto& [path, routes] : by_path) {
    json.key(path).begin_object();
    for (const Route* route : routes) {
      json.key(lower(route->method));
      write_operation(json, *route);
    }
    json.end_object();
  }
  json.end_object().key("components").begin_object();
  json.key("securitySchemes").begin_object().key("operator").begin_object();
  json.member("type", "http").member("scheme", "bearer").end_object().end_object();
  json.member_raw("schemas",
                  "{" + std::string(work_schemas()) + "," + std::string(fleet_schemas()) + "}");
  json.end_object().end_object();
  return out;
}

}  // namespace mainstay::api
