#include "app/interrupt.h"

#include <signal.h>

#include <cerrno>
#include <ctime>

namespace mainstay::app {
namespace {

sigset_t take_signals() {
  sigset_t signals;
  ::sigemptyset(&signals);
  ::sigaddset(&signals, SIGINT);
  ::sigaddset(&signals, SIGTERM);
  ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  return signals;
}

}  // namespace

bool interrupted_within(Duration wait) {
  static const sigset_t kSignals = take_signals();
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(wait);
  const timespec limit{seconds.count(), (wait - seconds).count()};
  return ::sigtimedwait(&kSignals, nullptr, &limit) > 0;
}

}  // namespace mainstay::app
