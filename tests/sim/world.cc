#include "sim/world.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace mainstay::sim {
namespace {

const Wall kEpoch = base::wall_from_micros(1'790'000'000'000'000);
// Away from zero, so that "long ago" can be computed.
constexpr Duration kBoot = std::chrono::hours(1);

}  // namespace

World::World(std::uint64_t seed) : faults(seed * 2 + 0x1001), workload(seed * 2 + 0x2002) {}

Now World::now() const {
  return {Mono{} + kBoot + elapsed_,
          kEpoch + std::chrono::duration_cast<std::chrono::microseconds>(elapsed_)};
}

void World::after(Duration delay, std::function<void()> action) {
  const Duration least = std::chrono::microseconds(1);
  planned_.push({elapsed_ + std::max(delay, least), next_order_++, std::move(action)});
}

bool World::play_next(Duration end) {
  if (planned_.empty() || planned_.top().at > end) {
    elapsed_ = std::max(elapsed_, end);
    return false;
  }
  auto action = std::move(const_cast<Planned&>(planned_.top()).action);
  elapsed_ = planned_.top().at;
  planned_.pop();
  action();
  return true;
}

Duration World::between(Duration least, Duration most) {
  const auto span = static_cast<std::uint64_t>((most - least).count());
  return least + Duration(static_cast<std::int64_t>(faults.below(span + 1)));
}

Duration World::around(Duration mean) {
  const double factor = -std::log(1.0 - faults.unit());
  return Duration(static_cast<std::int64_t>(static_cast<double>(mean.count()) * factor));
}

void World::trace(std::string_view what) {
  // FNV-1a, 64 bits.
  const auto add = [this](unsigned char byte) { hash_ = (hash_ ^ byte) * 1099511628211ULL; };
  for (const char c : what) add(static_cast<unsigned char>(c));
  const auto at = static_cast<std::uint64_t>(elapsed_.count());
  for (unsigned shift = 0; shift < 64; shift += 8) add(static_cast<unsigned char>(at >> shift));
}

}  // namespace mainstay::sim
