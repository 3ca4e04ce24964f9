#include "node/output/line_gate.h"

#include <algorithm>
#include <chrono>
#include <utility>

namespace mainstay::node {

RateBucket::RateBucket(std::uint64_t rate, std::uint64_t burst)
    : rate_(static_cast<double>(rate)), burst_(static_cast<double>(burst)), level_(burst_) {}

bool RateBucket::has(std::uint64_t amount, Mono now) {
  if (rate_ <= 0) return true;
  const Mono before = filled_at_.value_or(now);
  const double seconds = std::max(0.0, std::chrono::duration<double>(now - before).count());
  level_ = std::min(burst_, level_ + seconds * rate_);
  filled_at_ = std::max(before, now);
  // What is larger than the bucket passes when it is full.
  return level_ >= std::min(static_cast<double>(amount), burst_);
}

void RateBucket::take(std::uint64_t amount) {
  if (rate_ > 0) level_ -= static_cast<double>(amount);
}

AgentGate::AgentGate(const LineLimits& limits)
    : lines_(limits.lines, limits.lines * LineLimits::kBurst),
      bytes_(limits.bytes, limits.bytes * LineLimits::kBurst) {}

bool AgentGate::admit(std::size_t bytes, Mono now) {
  // Both are asked, so that both are refilled; neither pays for a line that the other refuses.
  const bool enough_lines = lines_.has(1, now);
  const bool enough_bytes = bytes_.has(bytes, now);
  if (!enough_lines || !enough_bytes) {
    ++dropped_;
    return false;
  }
  lines_.take(1);
  bytes_.take(bytes);
  return true;
}

std::uint64_t AgentGate::take_dropped() { return std::exchange(dropped_, 0); }

bool LineGate::admit(const model::AgentName& agent, std::size_t bytes, Mono now) {
  if (limits_.lines == 0 && limits_.bytes == 0) return true;
  const std::lock_guard lock(mutex_);
  const bool admitted = agents_.try_emplace(agent, limits_).first->second.admit(bytes, now);
  if (!admitted) {
    any_dropped_ = true;
    total_.fetch_add(1, std::memory_order_relaxed);
  }
  return admitted;
}

std::vector<LineGate::Dropped> LineGate::take_dropped() {
  const std::lock_guard lock(mutex_);
  std::vector<Dropped> all;
  if (!std::exchange(any_dropped_, false)) return all;
  for (auto& [agent, gate] : agents_) {
    if (const std::uint64_t lines = gate.take_dropped(); lines > 0) all.push_back({agent, lines});
  }
  return all;
}

}  // namespace mainstay::node
