// Ends a process tree without blocking the node's loop: round after round until nothing lives.
// Says when nothing does, never before: a copy that still runs must not be taken for gone.
#pragma once

#include <functional>
#include <string>

#include "base/time.h"
#include "platform/loop/reactor.h"
#include "platform/process/process_tree.h"

namespace mainstay::node {

class TreeKiller {
 public:
  struct Calls {
    /// Nothing lives any more. The killer may be destroyed by it.
    std::function<void()> empty;
    /// Once, when the tree withstands SIGKILL for kStuckAfter (uninterruptible, faults A10);
    /// rounds go on.
    std::function<void(std::string survivors)> stuck;
  };
  static constexpr Duration kStuckAfter = std::chrono::seconds(5);

  TreeKiller(platform::Reactor& reactor, platform::ProcessTree& tree, Calls calls)
      : reactor_(reactor), tree_(tree), calls_(std::move(calls)) {}
  ~TreeKiller() { reactor_.cancel(timer_); }
  TreeKiller(const TreeKiller&) = delete;
  TreeKiller& operator=(const TreeKiller&) = delete;

  /// The first round is made at once; `empty` may be called before this returns.
  void start();

 private:
  void round();

  platform::Reactor& reactor_;
  platform::ProcessTree& tree_;
  Calls calls_;
  platform::Reactor::TimerId timer_ = 0;
  Duration pause_ = std::chrono::milliseconds(1);
  Mono began_{};
  bool told_stuck_ = false;
};

}  // namespace mainstay::node
