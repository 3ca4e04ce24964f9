// The version that this library tells the daemon.
#pragma once

namespace mainstay::agent_internal {

/// Of this library; the same as the daemon's it was made with.
constexpr char kVersion[] = "0.1.0";

}  // namespace mainstay::agent_internal
