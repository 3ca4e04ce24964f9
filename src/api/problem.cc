#include "api/problem.h"

#include <utility>

#include "base/text.h"
#include "platform/json/json.h"

namespace mainstay::api {
namespace {

using platform::JsonWriter;

Code code_of_refusal(int status) {
  switch (status) {
    case 413:
      return Code::payload_too_large;
    case 501:
    case 505:
      return Code::not_supported;
    case 503:
      return Code::unavailable;
    default:
      return Code::invalid_argument;
  }
}

Code code_of_status(int status) {
  switch (status) {
    case 401:
      return Code::unauthenticated;
    case 403:
      return Code::forbidden;
    case 404:
      return Code::not_found;
    case 409:
      return Code::conflict;
    case 413:
      return Code::payload_too_large;
    case 429:
      return Code::overloaded;
    case 503:
      return Code::unavailable;
    default:
      return status < 500 ? Code::invalid_argument : Code::internal;
  }
}

void write_fields(JsonWriter& json, const Error& error) {
  json.key("fields").begin_object();
  for (const auto& [name, value] : error.fields()) json.member(name, value);
  json.end_object();
}

void write_causes(JsonWriter& json, const Error& error) {
  if (error.cause() == nullptr) return;
  json.key("causes").begin_array();
  for (const Error* cause = error.cause(); cause != nullptr; cause = cause->cause()) {
    json.begin_object();
    json.member("code", cause->code_name()).member("detail", cause->message());
    write_fields(json, *cause);
    json.end_object();
  }
  json.end_array();
}

}  // namespace

std::string problem_json(const Error& error, int status, Causes causes) {
  const base::CodeInfo& info = base::code_info(error.code());
  std::string out;
  JsonWriter json(out);
  json.begin_object();
  json.member("type", "docs/errors/" + std::string(info.name) + ".md");
  json.member("title", info.title);
  json.member("status", status == 0 ? info.http_status : status);
  json.member("detail", error.message());
  json.member("code", info.name);
  json.member("retryable", info.retryable);
  json.member("hint", error.hint());
  write_fields(json, error);
  if (causes == Causes::told) write_causes(json, error);
  json.end_object();
  return out;
}

platform::HttpResponse problem_response(const Error& error, int status, Causes causes) {
  platform::HttpResponse response;
  response.status = status == 0 ? base::code_info(error.code()).http_status : status;
  response.content_type = kProblemType;
  response.body = problem_json(error, status, causes);
  if (response.status == 429 || response.status == 503) {
    const bool slow = error.code() == Code::storage_full || error.code() == Code::storage_failed;
    response.headers.emplace_back("Retry-After", slow ? "5" : "1");
  }
  if (response.status == 401) response.headers.emplace_back("WWW-Authenticate", "Bearer");
  return response;
}

platform::HttpResponse refusal_response(int status, std::string_view reason) {
  platform::HttpResponse response =
      problem_response(Error(code_of_refusal(status), std::string(reason)), status);
  response.headers.clear();  // the server adds Retry-After itself
  return response;
}

Error error_from_problem(int status, std::string_view body) {
  const auto json = platform::parse_json_object(body);
  if (!json) {
    return Error(code_of_status(status), "the daemon answered with HTTP status " +
                                             std::to_string(status) + ": " +
                                             base::excerpt(body, 200));
  }
  const auto text = [&](const char* name) {
    const platform::Json* value = json->if_contains(name);
    return value != nullptr && value->is_string()
               ? std::string(value->get_string().data(), value->get_string().size())
               : std::string();
  };
  const auto code = base::code_from_name(text("code"));
  const std::string detail = text("detail");
  Error error(code.value_or(code_of_status(status)),
              detail.empty() ? "HTTP status " + std::to_string(status) : detail);
  if (const std::string hint = text("hint"); !hint.empty()) {
    error = std::move(error).with_hint(hint);
  }
  const platform::Json* fields = json->if_contains("fields");
  if (fields == nullptr || !fields->is_object()) return error;
  for (const auto& field : fields->get_object()) {
    if (!field.value().is_string()) continue;
    const auto& value = field.value().get_string();
    error = std::move(error).with(std::string(field.key().data(), field.key().size()),
                                  std::string(value.data(), value.size()));
  }
  return error;
}

}  // namespace mainstay::api
