// A thread's own loop over descriptors and timers (epoll): what the node watches its processes
// with. No third-party loop: a pidfd, a pipe and a timer are all it needs.
//
// Threads: run(), watch(), unwatch(), after() and cancel() belong to the thread that runs the loop
// (watch and after may also be called before run). post() and stop() may come from any thread.
// Callbacks run on the loop's thread, one at a time; they may watch, unwatch and cancel anything,
// themselves included. Level-triggered: a callback that leaves something unread is called again.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "base/timer_queue.h"
#include "platform/files/fd.h"

namespace mainstay::platform {

class Reactor {
 public:
  using WatchId = std::uint64_t;
  using TimerId = std::uint64_t;
  /// Argument: EPOLLIN, EPOLLOUT, EPOLLHUP, … as epoll gave them.
  using OnReady = std::function<void(std::uint32_t events)>;

  static Result<std::unique_ptr<Reactor>> make();

  /// Until stop(); what was posted before stop() is still run.
  void run();
  void stop();
  /// Runs `task` on the loop's thread, in order of posting.
  void post(std::function<void()> task);

  /// The descriptor must stay open until unwatch().
  Result<WatchId> watch(int fd, std::uint32_t events, OnReady on_ready);
  /// Its callback is not called again. 0 and unknown ids are ignored.
  void unwatch(WatchId id);

  TimerId after(Duration delay, std::function<void()> task);
  /// 0 and unknown ids are ignored.
  void cancel(TimerId id);

 private:
  struct Watch {
    int fd;
    OnReady on_ready;
  };

  Reactor(Fd epoll, Fd wake) : epoll_(std::move(epoll)), wake_(std::move(wake)) {}
  int wait_time() const;
  void run_posted();
  void run_timers();
  void wake();

  Fd epoll_;
  Fd wake_;
  std::uint64_t next_id_ = 1;
  /// Shared, so that a callback may unwatch itself.
  std::map<WatchId, std::shared_ptr<Watch>> watches_;
  base::TimerQueue<TimerId> timers_;
  std::map<TimerId, std::function<void()>> timer_tasks_;

  std::mutex mutex_;  ///< guards the two below
  std::vector<std::function<void()>> posted_;
  bool stopping_ = false;
};

}  // namespace mainstay::platform
