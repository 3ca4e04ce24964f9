#include "node/process/tree_killer.h"

#include <algorithm>

#include "base/text.h"
#include "platform/clock.h"

namespace mainstay::node {
namespace {

constexpr Duration kLongestPause = std::chrono::milliseconds(50);
constexpr Duration kPauseWhenStuck = std::chrono::seconds(1);

std::string pids_of(const std::vector<platform::ProcessIdentity>& processes) {
  std::vector<std::string> pids;
  for (const auto& process : processes) pids.push_back(std::to_string(process.pid));
  return base::join(pids, ", ");
}

}  // namespace

void TreeKiller::start() {
  began_ = platform::mono_now();
  round();
}

void TreeKiller::round() {
  timer_ = 0;
  if (tree_.kill_round()) {
    auto empty = std::move(calls_.empty);
    empty();  // may destroy this
    return;
  }
  bool stuck = platform::mono_now() - began_ >= kStuckAfter;
  if (stuck && !std::exchange(told_stuck_, true) && calls_.stuck) {
    calls_.stuck(pids_of(tree_.members()));
  }
  timer_ = reactor_.after(stuck ? kPauseWhenStuck : pause_, [this] { round(); });
  pause_ = std::min(pause_ * 2, kLongestPause);
}

}  // namespace mainstay::node
