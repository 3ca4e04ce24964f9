// `HOST:PORT` to listen on: an IPv4 address, an IPv6 address in brackets, or `localhost`.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace mainstay::config {

struct ListenAddress {
  /// Without brackets.
  std::string host;
  /// 0: a free port is taken.
  std::uint16_t port = 0;

  /// Only this machine can reach it.
  bool is_loopback() const;
  /// Both cannot be listened on at a time: the same port on an address that the two share. 0.0.0.0
  /// and [::] are every address, localhost is 127.0.0.1 and [::1]. Port 0 clashes with none.
  bool clashes_with(const ListenAddress& other) const;
};

/// nullopt when it is none; no name is looked up.
std::optional<ListenAddress> parse_listen_address(std::string_view text);

}  // namespace mainstay::config
