#include "config/listen_address.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <system_error>
#include <vector>

namespace mainstay::config {
namespace {

/// An IPv6 address; an IPv4 address as the IPv6 address that stands for it (::ffff:a.b.c.d).
using Address = std::array<unsigned char, sizeof(in6_addr)>;

constexpr std::size_t kMappedPrefix = 12;

Address address_of(const std::string& host) {
  Address address{};
  if (::inet_pton(AF_INET, host.c_str(), &address[kMappedPrefix]) == 1) {
    address[10] = address[11] = 0xff;
  } else {
    ::inet_pton(AF_INET6, host.c_str(), address.data());
  }
  return address;
}

std::vector<Address> addresses_of(const std::string& host) {
  if (host == "localhost") return {address_of("127.0.0.1"), address_of("::1")};
  return {address_of(host)};
}

/// Whether listening on `one` takes `other` too.
bool includes(const Address& one, const Address& other) {
  static const Address kAny = address_of("::");
  static const Address kAnyV4 = address_of("0.0.0.0");
  if (one == other || one == kAny) return true;
  return one == kAnyV4 && std::equal(one.begin(), one.begin() + kMappedPrefix, other.begin());
}

bool is_ip(int family, const std::string& host) {
  std::array<unsigned char, sizeof(in6_addr)> bytes{};
  return ::inet_pton(family, host.c_str(), bytes.data()) == 1;
}

}  // namespace

bool ListenAddress::is_loopback() const {
  return host == "localhost" || host == "::1" || host.compare(0, 4, "127.") == 0;
}

bool ListenAddress::clashes_with(const ListenAddress& other) const {
  if (port == 0 || port != other.port) return false;
  for (const Address& mine : addresses_of(host)) {
    for (const Address& theirs : addresses_of(other.host)) {
      if (includes(mine, theirs) || includes(theirs, mine)) return true;
    }
  }
  return false;
}

std::optional<ListenAddress> parse_listen_address(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  const std::string_view digits = text.substr(colon + 1);
  ListenAddress address;
  const auto [end, error] =
      std::from_chars(digits.data(), digits.data() + digits.size(), address.port);
  if (error != std::errc() || end != digits.data() + digits.size()) return std::nullopt;
  const std::string_view host = text.substr(0, colon);
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') {
    address.host = host.substr(1, host.size() - 2);
    return is_ip(AF_INET6, address.host) ? std::optional(address) : std::nullopt;
  }
  address.host = host;
  if (host != "localhost" && !is_ip(AF_INET, address.host)) return std::nullopt;
  return address;
}

}  // namespace mainstay::config
