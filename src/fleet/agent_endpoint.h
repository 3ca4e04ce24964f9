// Where a registered agent says that it is reached. Mainstay hands it to who asks for the agent, so
// it must be something that one can call. Pure.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace mainstay::fleet {

constexpr std::size_t kMaxEndpointBytes = 2048;

/// What is wrong with it, and what would be right; "" when nothing is. Right are a URL with a host
/// (`http://10.0.0.5:8000/a2a`), HOST:PORT as gRPC has it, and `unix:/PATH`.
std::string endpoint_problem(std::string_view endpoint);

}  // namespace mainstay::fleet
