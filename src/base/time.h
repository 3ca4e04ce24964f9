// The two clocks, as types, so that they cannot be mixed up.
//
// Mono orders and measures everything inside; it is only comparable within one boot of the daemon.
// Wall is for ids, schedules and people, and what rows keep. Decisions never read a clock: they
// are given a Now.
#pragma once

#include <chrono>
#include <cstdint>

namespace mainstay::base {

using Duration = std::chrono::nanoseconds;
using Mono = std::chrono::steady_clock::time_point;
using Wall = std::chrono::sys_time<std::chrono::microseconds>;

/// The moment at which a step happens, on both clocks.
struct Now {
  Mono mono{};
  Wall wall{};
};

inline std::int64_t to_micros(Wall wall) { return wall.time_since_epoch().count(); }
inline Wall wall_from_micros(std::int64_t micros) {
  return Wall{std::chrono::microseconds{micros}};
}
inline std::int64_t to_millis(Duration d) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(d).count();
}

}  // namespace mainstay::base

namespace mainstay {
using base::Duration;
using base::Mono;
using base::Now;
using base::Wall;
}  // namespace mainstay
