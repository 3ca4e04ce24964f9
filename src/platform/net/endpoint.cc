#include "platform/net/endpoint.h"

#include <arpa/inet.h>

#include <charconv>

namespace mainstay::platform {
namespace {

Error bad_endpoint(std::string_view text, std::string_view why) {
  return Error(Code::invalid_argument, "\"" + std::string(text) +
                                           "\" is not an address: " + std::string(why) +
                                           "; expected IP:PORT such as 127.0.0.1:7000")
      .with("value", std::string(text));
}

}  // namespace

bool Endpoint::is_loopback() const {
  return is_ipv6 ? address == "::1" : address.starts_with("127.");
}

std::string Endpoint::to_text() const {
  return (is_ipv6 ? "[" + address + "]" : address) + ":" + std::to_string(port);
}

Result<Endpoint> parse_endpoint(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return bad_endpoint(text, "it has no port");
  std::string_view host = text.substr(0, colon);
  const std::string_view port = text.substr(colon + 1);
  Endpoint endpoint;
  const auto read = std::from_chars(port.data(), port.data() + port.size(), endpoint.port);
  if (port.empty() || read.ec != std::errc() || read.ptr != port.data() + port.size()) {
    return bad_endpoint(text, "the port is not a number from 0 to 65535");
  }
  endpoint.is_ipv6 = host.size() > 2 && host.front() == '[' && host.back() == ']';
  if (endpoint.is_ipv6) host = host.substr(1, host.size() - 2);
  const std::string name = host == "localhost" ? "127.0.0.1" : std::string(host);
  unsigned char raw[sizeof(in6_addr)];
  const int family = endpoint.is_ipv6 ? AF_INET6 : AF_INET;
  char canonical[INET6_ADDRSTRLEN];
  if (::inet_pton(family, name.c_str(), raw) != 1 ||
      ::inet_ntop(family, raw, canonical, sizeof(canonical)) == nullptr) {
    return bad_endpoint(text, "the part before the port is not an IP address");
  }
  endpoint.address = canonical;
  return endpoint;
}

}  // namespace mainstay::platform
