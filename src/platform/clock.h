// The machine's clocks. Only I/O code asks them; decisions are given a Now. Any thread.
#pragma once

#include "base/time.h"

namespace mainstay::platform {

inline Mono mono_now() { return std::chrono::steady_clock::now(); }

inline Wall wall_now() {
  return std::chrono::time_point_cast<std::chrono::microseconds>(std::chrono::system_clock::now());
}

/// Both clocks, read one after the other.
inline Now system_now() { return {mono_now(), wall_now()}; }

}  // namespace mainstay::platform
