// How many log lines of an agent are kept: so many a second, and so many bytes. An agent that
// floods costs its own lines, not the disk. What is dropped is counted and marked, never silent.
//
// RateBucket and AgentGate are pure; LineGate is thread-safe (the node's loop and the link's
// threads take lines through one). Nothing fails.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/time.h"
#include "model/ids.h"

namespace mainstay::node {

/// What one agent may write a second; 0: without limit. Ten times as much at once.
struct LineLimits {
  std::uint64_t lines = 1000;
  std::uint64_t bytes = std::uint64_t{1} << 20;

  static constexpr std::uint64_t kBurst = 10;
};

/// A token bucket: full at first, refilled evenly, never above its burst.
class RateBucket {
 public:
  /// rate: tokens a second, 0: without limit. burst: what it holds at most.
  RateBucket(std::uint64_t rate, std::uint64_t burst);
  bool has(std::uint64_t amount, Mono now);
  /// More than it has may be taken; the debt is paid before it gives again.
  void take(std::uint64_t amount);

 private:
  double rate_;
  double burst_;
  double level_;
  std::optional<Mono> filled_at_;
};

/// One agent's two buckets, and what they refused.
class AgentGate {
 public:
  explicit AgentGate(const LineLimits& limits);
  /// false: the line is dropped, and counted here.
  bool admit(std::size_t bytes, Mono now);
  std::uint64_t take_dropped();

 private:
  RateBucket lines_;
  RateBucket bytes_;
  std::uint64_t dropped_ = 0;
};

class LineGate {
 public:
  struct Dropped {
    model::AgentName agent;
    std::uint64_t lines = 0;
  };

  explicit LineGate(LineLimits limits) : limits_(limits) {}

  bool admit(const model::AgentName& agent, std::size_t bytes, Mono now);
  /// What was dropped since the last call, by agent; none for most calls.
  std::vector<Dropped> take_dropped();
  std::uint64_t dropped_total() const { return total_.load(std::memory_order_relaxed); }

 private:
  const LineLimits limits_;
  std::atomic<std::uint64_t> total_{0};
  std::mutex mutex_;
  std::map<model::AgentName, AgentGate> agents_;
  /// Some agent has dropped lines that were not taken yet.
  bool any_dropped_ = false;
};

}  // namespace mainstay::node
