// One process that the node started or adopted, with all that came of it, from start to end: it is
// over when its main process has ended AND nothing of its tree lives.
//
// Lives on the node's loop thread.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/result.h"
#include "base/time.h"
#include "model/fleet.h"
#include "node/process/tree_killer.h"
#include "platform/loop/reactor.h"
#include "platform/process/pidfd.h"
#include "platform/process/process_tree.h"

namespace mainstay::node {

model::ProcessIdentity to_model(const platform::ProcessIdentity& identity);
platform::ProcessIdentity from_model(const model::ProcessIdentity& identity);

class SupervisedProcess {
 public:
  struct Calls {
    /// All of it is gone. Called once, from the loop; the object may be destroyed by it.
    std::function<void(model::ExitStatus)> gone;
    /// What is left of it withstands SIGKILL.
    std::function<void(std::string survivors)> stuck;
  };

  SupervisedProcess(platform::Reactor& reactor, platform::Fd pidfd, platform::ProcessTree tree,
                    Calls calls);
  ~SupervisedProcess();
  SupervisedProcess(const SupervisedProcess&) = delete;
  SupervisedProcess& operator=(const SupervisedProcess&) = delete;

  /// Begins to watch for the end.
  Result<void> watch();
  /// SIGTERM to the main process, SIGKILL to the whole tree after the grace. Again: an earlier end
  /// of the grace counts.
  void stop(Duration grace);
  /// SIGKILL to the whole tree.
  void kill();
  /// Ends it here and now, blocking up to `limit`; `gone` is not called.
  platform::KillReport kill_and_wait(Duration limit);

  const platform::ProcessIdentity& identity() const { return tree_.root(); }
  platform::ProcessTree& tree() { return tree_; }

 private:
  void main_ended();
  void all_gone();

  platform::Reactor& reactor_;
  platform::Fd pidfd_;
  platform::ProcessTree tree_;
  Calls calls_;
  std::int64_t earlier_memory_kills_ = 0;
  platform::Reactor::WatchId watch_ = 0;
  platform::Reactor::TimerId grace_timer_ = 0;
  std::optional<Mono> grace_until_;
  std::optional<platform::ProcessExit> exit_;
  /// While it is being killed, or its rest is.
  std::unique_ptr<TreeKiller> killer_;
};

}  // namespace mainstay::node
