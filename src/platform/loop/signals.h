// Signals to the daemon as calls on a thread of their own (faults B6): the first SIGTERM or SIGINT
// asks for a drain, any later one for an end now; SIGHUP asks for a reload, and a storm of them
// becomes a few calls. SIGPIPE is ignored: a peer that is gone is an error of the write.
//
// Make it in main() before any other thread: it blocks these signals for this thread and for all
// that come after. Processes started by spawn() get a clean mask.
#pragma once

#include <functional>
#include <memory>
#include <thread>

#include "base/result.h"
#include "platform/files/fd.h"

namespace mainstay::platform {

class SignalWatch {
 public:
  /// Called on the watch's own thread; must not block long.
  struct Calls {
    std::function<void()> drain;
    std::function<void()> stop_now;
    std::function<void()> reload;
  };

  /// Blocks the signals; none is lost between this and start().
  static Result<std::unique_ptr<SignalWatch>> make();
  ~SignalWatch();

  void start(Calls calls);
  /// No call is made after it returns. Idempotent.
  void stop();

 private:
  SignalWatch(Fd signals, Fd wake) : signals_(std::move(signals)), wake_(std::move(wake)) {}
  void loop();
  void handle(int signal);

  Fd signals_;
  Fd wake_;
  Calls calls_;
  bool asked_before_ = false;
  std::thread thread_;
};

}  // namespace mainstay::platform
