// The simulated world's clock and future: what happens next, in order of time, then of planning.
// No thread, no real clock; chance comes from generators of its own, one per purpose, so that a
// change in the product does not reshuffle the faults.
#pragma once

#include <cstdint>
#include <functional>
#include <queue>
#include <string>
#include <vector>

#include "base/random.h"
#include "base/time.h"

namespace mainstay::sim {

class World {
 public:
  explicit World(std::uint64_t seed);

  Now now() const;
  Duration elapsed() const { return elapsed_; }

  /// Plans `action` for `delay` from now (at least one microsecond, so time always moves on).
  void after(Duration delay, std::function<void()> action);
  /// Lets the next planned thing happen; false when there is none before `end`.
  bool play_next(Duration end);

  /// Uniform between the two.
  Duration between(Duration least, Duration most);
  /// Exponentially distributed with this mean.
  Duration around(Duration mean);
  bool chance(double probability) { return faults.unit() < probability; }

  /// Adds to the rolling hash that two runs of one seed must share.
  void trace(std::string_view what);
  std::uint64_t trace_hash() const { return hash_; }

  base::Random faults;
  base::Random workload;

 private:
  struct Planned {
    Duration at;
    std::uint64_t order;
    std::function<void()> action;
    bool operator>(const Planned& other) const {
      return at != other.at ? at > other.at : order > other.order;
    }
  };

  Duration elapsed_{0};
  std::uint64_t next_order_ = 0;
  std::uint64_t hash_ = 14695981039346656037ULL;
  std::priority_queue<Planned, std::vector<Planned>, std::greater<>> planned_;
};

}  // namespace mainstay::sim
