#include "app/daemon_client.h"

#include <fmt/format.h>

#include <cstdlib>
#include <utility>

#include "base/text.h"
#include "platform/files.h"

namespace mainstay::app {
namespace {

using platform::Json;
using platform::JsonObject;

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

std::string text_of(const JsonObject& object, std::string_view key) {
  const Json* value = object.if_contains(key);
  return value != nullptr && value->is_string() ? std::string(value->get_string()) : "";
}

// The daemon is there by its file and does not answer: for the caller that is "not running".
Error as_not_running(Error error) {
  if (error.code() != Code::not_running) return error;
  return Error(Code::not_running, "the daemon does not answer").caused_by(std::move(error));
}

}  // namespace

Error error_of_answer(const platform::HttpReply& answer) {
  const auto object = platform::parse_json_object(answer.body);
  if (!object) {
    return Error(Code::internal,
                 fmt::format("the daemon answered {} without an explanation", answer.status));
  }
  const auto code = base::code_from_name(text_of(*object, "code"));
  Error error = Error(code.value_or(Code::internal), text_of(*object, "detail"))
                    .with_hint(text_of(*object, "hint"));
  if (const Json* causes = object->if_contains("causes"); causes != nullptr && causes->is_array()) {
    for (const Json& cause : causes->get_array()) {
      if (!cause.is_object()) continue;
      error =
          std::move(error).caused_by(Error(Code::internal, text_of(cause.get_object(), "detail")));
      break;
    }
  }
  return error;
}

DaemonClient::DaemonClient(std::string address, std::string token)
    : http_(std::move(address)), token_(std::move(token)) {}

Result<DaemonClient> DaemonClient::connect(const std::string& project_option) {
  std::string url = environment("MAINSTAY_URL");
  if (!url.empty()) {
    if (url.starts_with("http://")) url.erase(0, 7);
    if (url.ends_with('/')) url.pop_back();
    return DaemonClient(url, environment("MAINSTAY_TOKEN"));
  }
  auto project = find_project(project_option);
  if (!project) return std::move(project).error();
  auto info = read_daemon_info(*project);
  if (!info) return std::move(info).error();
  std::string token = environment("MAINSTAY_TOKEN");
  if (token.empty()) {
    auto read = platform::read_file(project->data_file("operator.token"), 4096);
    if (!read) return std::move(read).error();
    token = std::string(base::trim(*read));
  }
  return DaemonClient(info->http_address, token);
}

Result<Json> DaemonClient::exchange(platform::HttpCall call) {
  call.headers.emplace_back("Authorization", "Bearer " + token_);
  auto answer = http_.call(call);
  if (!answer) return as_not_running(std::move(answer).error());
  if (answer->status >= 300) return error_of_answer(*answer);
  if (answer->body.empty()) return Json(nullptr);
  return platform::parse_json(answer->body, {128, std::size_t{1} << 30});
}

Result<Json> DaemonClient::get(const std::string& target, Duration deadline) {
  platform::HttpCall call;
  call.target = target;
  call.timeout = deadline;
  return exchange(std::move(call));
}

Result<Json> DaemonClient::post(const std::string& target, const Json& body,
                                const std::string& idempotency_key, Duration deadline) {
  platform::HttpCall call;
  call.method = "POST";
  call.target = target;
  call.timeout = deadline;
  if (!body.is_null()) {
    call.headers.emplace_back("Content-Type", "application/json");
    call.body = platform::to_text(body);
  }
  if (!idempotency_key.empty()) call.headers.emplace_back("Idempotency-Key", idempotency_key);
  return exchange(std::move(call));
}

Result<void> DaemonClient::events(const std::string& target,
                                  const std::function<bool(std::string_view)>& on_data) {
  platform::HttpCall call;
  call.target = target;
  call.headers.emplace_back("Authorization", "Bearer " + token_);
  call.timeout = std::chrono::seconds(90);  // the daemon sends a comment more often
  auto answer =
      http_.events(call, [&](const platform::ServerEvent& event) { return on_data(event.data); });
  if (!answer) return as_not_running(std::move(answer).error());
  if (answer->status >= 300) return error_of_answer(*answer);
  return {};
}

bool DaemonClient::is_ready() {
  platform::HttpCall call;
  call.target = "/readyz";
  call.timeout = std::chrono::seconds(2);
  auto answer = http_.call(call);
  return answer && answer->status == 200;
}

}  // namespace mainstay::app
