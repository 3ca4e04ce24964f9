#include "api/gate.h"

#include <algorithm>

#include "api/routes/routes.h"
#include "base/text.h"

namespace mainstay::api {
namespace {

/// `localhost:7000` → `localhost`, `[::1]:7000` → `[::1]`; empty when the port is not a number.
std::string_view without_port(std::string_view host) {
  const std::size_t bracket = host.find(']');
  const std::size_t colon = host.find(':', bracket == std::string_view::npos ? 0 : bracket);
  if (colon == std::string_view::npos) return host;
  const std::string_view port = host.substr(colon + 1);
  const bool digits =
      !port.empty() && port.size() <= 5 &&
      std::all_of(port.begin(), port.end(), [](char c) { return c >= '0' && c <= '9'; });
  return digits ? host.substr(0, colon) : std::string_view();
}

bool is_public(std::string_view path) {
  for (const Route& route : all_routes()) {
    if (route.permission == Permission::anyone && route.path == path) return true;
  }
  return false;
}

}  // namespace

Gate::Gate(std::string_view operator_token, std::vector<std::string> hosts)
    : operator_(operator_token), hosts_(std::move(hosts)) {
  hosts_.insert(hosts_.end(), {"localhost", "127.0.0.1", "[::1]"});
}

bool Gate::host_is_allowed(std::string_view host) const {
  const std::string_view name = without_port(host);
  return std::any_of(hosts_.begin(), hosts_.end(), [&](const std::string& allowed) {
    return platform::equal_ignoring_case(name, allowed);
  });
}

std::optional<Error> Gate::refuse(const platform::HttpRequest& request) const {
  const std::string_view host = request.header("host").value_or("");
  if (!host_is_allowed(host)) {
    return Error(Code::forbidden,
                 "Host \"" + base::excerpt(host, 100) + "\" is not one that this daemon serves")
        .with("host", base::excerpt(host, 100))
        .with_hint("call it as localhost, or name the host in the setting http.allowed_hosts");
  }
  if (const auto origin = request.header("origin"); origin) {
    const bool same =
        *origin == "http://" + std::string(host) || *origin == "https://" + std::string(host);
    if (!same) {
      return Error(Code::forbidden,
                   "a web page of \"" + base::excerpt(*origin, 100) + "\" may not use this daemon")
          .with("origin", base::excerpt(*origin, 100));
    }
  }
  if (is_public(request.path())) return std::nullopt;
  const auto header = request.header("authorization");
  const auto token = header ? security::bearer_token(*header) : std::nullopt;
  if (!token) return Error(Code::unauthenticated, "the request has no `Authorization: Bearer`");
  if (request.count("authorization") > 1 || !operator_.matches(*token)) {
    return Error(Code::unauthenticated, "the token is not valid here");
  }
  return std::nullopt;
}

}  // namespace mainstay::api
