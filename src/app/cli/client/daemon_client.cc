#include "app/cli/client/daemon_client.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <utility>

#include "base/text.h"
#include "platform/files/files.h"
#include "platform/net/endpoint.h"

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

// The daemon is there by its file and does not answer, or the connection broke: for the caller that
// is "not running".
Error as_not_running(Error error) {
  const bool lost = error.code() == Code::io_failed;
  if (!lost && error.code() != Code::not_running) return error;
  return Error(Code::not_running, "the daemon does not answer")
      .with_hint(lost ? "it went away while it was asked: what was asked for may be done or not"
                 : is_named_by_url()
                     ? "MAINSTAY_URL names it; without that, the daemon of the project folder is "
                       "asked"
                     : "what it said last: .mainstay/logs/daemon.log; `mainstay up --detach` "
                       "starts one")
      .caused_by(std::move(error));
}

// What goes into a header must not end it.
Result<void> check_header(std::string_view what, std::string_view value) {
  const bool plain = std::all_of(value.begin(), value.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte >= 0x20 && byte != 0x7f;
  });
  if (plain) return {};
  return Error(Code::invalid_argument,
               fmt::format("{}: expected text without control characters, got some", what));
}

Result<std::string> address_of_url(const std::string& url) {
  std::string address = url;
  if (address.starts_with("https://")) {
    return Error(Code::invalid_argument,
                 fmt::format("MAINSTAY_URL: there is no TLS in this version, "
                             "got \"{}\"; expected http://127.0.0.1:7000",
                             base::excerpt(url, 80)));
  }
  if (address.starts_with("http://")) address.erase(0, 7);
  if (address.ends_with('/')) address.pop_back();
  const auto known = platform::parse_endpoint(address);
  if (known) return address;
  return Error(Code::invalid_argument,
               fmt::format("MAINSTAY_URL: expected a URL such as http://127.0.0.1:7000, got \"{}\"",
                           base::excerpt(url, 80)))
      .caused_by(known.error());
}

Result<std::string> token_of(const Project& project) {
  const std::string path = project.data_file("operator.token");
  auto read = platform::read_file(path, 4096);
  if (read && !base::trim(*read).empty() && check_header("token", base::trim(*read))) {
    return std::string(base::trim(*read));
  }
  return Error(Code::unauthenticated,
               read ? path + ": holds no token" : std::string(read.error().message()))
      .with_hint(
          "end the daemon (`kill PID`) and start it again: it makes a new token; or set "
          "MAINSTAY_TOKEN");
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

Result<Answer> read_answer(std::string text) {
  auto json = platform::parse_json(text, {128, std::size_t{1} << 30});
  if (!json) return std::move(json).error();
  return Answer{std::move(text), *std::move(json)};
}

bool is_named_by_url() { return !environment("MAINSTAY_URL").empty(); }

DaemonClient::DaemonClient(std::string address, std::string token)
    : address_(address), http_(std::move(address)), token_(std::move(token)) {}

Result<DaemonClient> DaemonClient::connect(const std::string& project_option) {
  std::string token = environment("MAINSTAY_TOKEN");
  if (auto plain = check_header("MAINSTAY_TOKEN", token); !plain) return std::move(plain).error();
  if (const std::string url = environment("MAINSTAY_URL"); !url.empty()) {
    auto address = address_of_url(url);
    if (!address) return std::move(address).error();
    return DaemonClient(std::move(*address), std::move(token));
  }
  auto project = find_project(project_option);
  if (!project) return std::move(project).error();
  auto info = read_daemon_info(*project);
  if (!info) return std::move(info).error();
  if (!token.empty()) return DaemonClient(info->http_address, std::move(token));
  auto read = token_of(*project);
  if (!read) return std::move(read).error();
  return DaemonClient(info->http_address, std::move(*read));
}

Result<Answer> DaemonClient::exchange(platform::HttpCall call) {
  call.headers.emplace_back("Authorization", "Bearer " + token_);
  auto answer = http_.call(call);
  if (!answer) return as_not_running(std::move(answer).error());
  if (answer->status >= 300) return error_of_answer(*answer);
  return read_answer(answer->body.empty() ? "null" : std::move(answer->body));
}

Result<Answer> DaemonClient::get(const std::string& target, Duration deadline) {
  platform::HttpCall call;
  call.target = target;
  call.timeout = deadline;
  return exchange(std::move(call));
}

Result<Answer> DaemonClient::post(const std::string& target, std::string body,
                                  const std::string& idempotency_key, Duration deadline) {
  if (auto plain = check_header("--idempotency-key", idempotency_key); !plain) {
    return std::move(plain).error();
  }
  platform::HttpCall call;
  call.method = "POST";
  call.target = target;
  call.timeout = deadline;
  if (!body.empty()) {
    call.headers.emplace_back("Content-Type", "application/json");
    call.body = std::move(body);
  }
  if (!idempotency_key.empty()) call.headers.emplace_back("Idempotency-Key", idempotency_key);
  return exchange(std::move(call));
}

Result<Answer> DaemonClient::remove(const std::string& target, Duration deadline) {
  platform::HttpCall call;
  call.method = "DELETE";
  call.target = target;
  call.timeout = deadline;
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

bool DaemonClient::answers() {
  platform::HttpCall call;
  call.target = "/healthz";
  call.timeout = std::chrono::seconds(2);
  return http_.call(call).has_value();
}

bool DaemonClient::serves(const Project& project) const {
  if (!is_named_by_url()) return true;
  const auto info = read_daemon_info(project);
  return info && info->http_address == address_;
}

}  // namespace mainstay::app
