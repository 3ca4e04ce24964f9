// The I/O pool: threads that wait for sockets and timers and run callbacks. A callback must not
// block and must not throw.
//
// The pool has lanes. A lane is one thread; what belongs to a lane (a connection, a timer) runs
// only there, one callback at a time, in the order posted. So objects of one lane need no lock.
//
// Lifetime: outlives everything that runs on it; stop() ends and joins the threads, after which
// callbacks that are left are destroyed without running. Any thread may post.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "base/result.h"
#include "base/time.h"

namespace boost::asio {
class io_context;
}  // namespace boost::asio

namespace mainstay::platform {

class EventLoop {
 public:
  /// The threads are called `name-0`, `name-1`, …
  explicit EventLoop(std::string name = "io", int lanes = 1);
  ~EventLoop();
  EventLoop(const EventLoop&) = delete;
  EventLoop& operator=(const EventLoop&) = delete;

  /// Starts the threads. Once. Fails when the system gives no thread.
  Result<void> start();
  /// Ends the threads after the callbacks that run now, and joins them. May be called again. Not
  /// from a callback.
  void stop();

  /// Runs `task` on the lane, after what was posted there before.
  void post(std::function<void()> task, int lane = 0);

  int lanes() const { return static_cast<int>(contexts_.size()); }
  /// A lane for something new, in turn.
  int next_lane() { return static_cast<int>(turn_.fetch_add(1) % contexts_.size()); }
  /// True on the thread of that lane.
  bool on_lane(int lane) const;
  boost::asio::io_context& context(int lane);

 private:
  class Context;
  std::string name_;
  std::vector<std::unique_ptr<Context>> contexts_;
  std::vector<std::thread> threads_;
  std::atomic<std::size_t> turn_{0};
};

/// One callback at a later time. Any thread may call; the callback runs on the timer's lane. After
/// cancel(), after() or the destructor, called on that lane, an older callback does not run; called
/// on another thread, it may be running just then.
class Timer {
 public:
  explicit Timer(EventLoop& loop, int lane = 0);
  ~Timer();
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;

  /// Replaces what was set before.
  void after(Duration delay, std::function<void()> callback);
  void cancel();

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace mainstay::platform
