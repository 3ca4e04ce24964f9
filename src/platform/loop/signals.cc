#include "platform/loop/signals.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>

#include <cerrno>
#include <csignal>

#include "platform/files/files.h"
#include "platform/loop/thread_name.h"

namespace mainstay::platform {

Result<std::unique_ptr<SignalWatch>> SignalWatch::make() {
  sigset_t set;
  ::sigemptyset(&set);
  for (int signal : {SIGTERM, SIGINT, SIGHUP}) ::sigaddset(&set, signal);
  if (int failed = ::pthread_sigmask(SIG_BLOCK, &set, nullptr); failed != 0) {
    return io_error("cannot block signals", "", failed);
  }
  ::signal(SIGPIPE, SIG_IGN);
  Fd signals(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!signals) return io_error("cannot watch signals", "", errno);
  Fd wake(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!wake) return io_error("cannot make an eventfd", "", errno);
  return std::unique_ptr<SignalWatch>(new SignalWatch(std::move(signals), std::move(wake)));
}

SignalWatch::~SignalWatch() { stop(); }

void SignalWatch::start(Calls calls) {
  calls_ = std::move(calls);
  thread_ = std::thread([this] { loop(); });
}

void SignalWatch::stop() {
  if (!thread_.joinable()) return;
  ::eventfd_write(wake_.get(), 1);
  thread_.join();
}

void SignalWatch::loop() {
  name_this_thread("signals");
  for (;;) {
    pollfd waits[2] = {{wake_.get(), POLLIN, 0}, {signals_.get(), POLLIN, 0}};
    if (::poll(waits, 2, -1) < 0) continue;  // EINTR
    if (waits[0].revents != 0) return;
    signalfd_siginfo info{};
    while (::read(signals_.get(), &info, sizeof info) == static_cast<ssize_t>(sizeof info)) {
      handle(static_cast<int>(info.ssi_signo));
    }
  }
}

void SignalWatch::handle(int signal) {
  if (signal == SIGHUP) {
    if (calls_.reload) calls_.reload();
    return;
  }
  const auto& call = asked_before_ ? calls_.stop_now : calls_.drain;
  asked_before_ = true;
  if (call) call();
}

}  // namespace mainstay::platform
