// Addresses as settings write them: `127.0.0.1:7000`, `[::1]:7000`, `localhost:0`. No name is
// looked up: `localhost` is 127.0.0.1, anything else must be an IP address. Any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace mainstay::platform {

struct Endpoint {
  /// In the canonical form of inet_ntop(3), without brackets.
  std::string address;
  std::uint16_t port = 0;
  bool is_ipv6 = false;

  bool is_loopback() const;
  /// As parse_endpoint reads it back.
  std::string to_text() const;
};

/// `invalid_argument`, with the text and what would be right.
Result<Endpoint> parse_endpoint(std::string_view text);

}  // namespace mainstay::platform
