#include "app/cli/interrupt.h"

#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <ctime>

namespace mainstay::app {
namespace {

constexpr int kSignals[] = {SIGINT, SIGTERM};

// A signal handler may only touch what is there already.
char last_words[512];
std::atomic<std::size_t> last_words_size = 0;

void say_and_end(int signal) {
  (void)!::write(STDERR_FILENO, last_words, last_words_size);
  ::_exit(128 + signal);  // of SIGINT: kExitInterrupted
}

sigset_t take_signals() {
  sigset_t signals;
  ::sigemptyset(&signals);
  for (const int signal : kSignals) ::sigaddset(&signals, signal);
  ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  return signals;
}

void handle(void (*handler)(int)) {
  for (const int signal : kSignals) {
    struct sigaction now {};
    if (::sigaction(signal, nullptr, &now) != 0 || now.sa_handler == SIG_IGN) continue;
    now.sa_handler = handler;
    ::sigaction(signal, &now, nullptr);
  }
}

}  // namespace

bool interrupted_within(Duration wait) {
  static const sigset_t kTaken = take_signals();
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(wait);
  const timespec limit{seconds.count(), (wait - seconds).count()};
  return ::sigtimedwait(&kTaken, nullptr, &limit) > 0;
}

SaidOnInterrupt::SaidOnInterrupt(const std::string& words) {
  say(words);
  handle(say_and_end);
}

void SaidOnInterrupt::say(const std::string& words) {
  const std::size_t size = std::min(words.size(), sizeof(last_words));
  last_words_size = 0;  // a signal in between says nothing rather than half of it
  std::memcpy(last_words, words.data(), size);
  last_words_size = size;
}

SaidOnInterrupt::~SaidOnInterrupt() { handle(SIG_DFL); }

}  // namespace mainstay::app
