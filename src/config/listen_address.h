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
};

/// nullopt when it is none; no name is looked up.
std::optional<ListenAddress> parse_listen_address(std::string_view text);

}  // namespace mainstay::config
