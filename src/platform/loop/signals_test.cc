#include "platform/loop/signals.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

#include "platform/process/test_process.h"

namespace mainstay::platform {
namespace {

/// Runs a "daemon" in a child process (signal masks are per process), which writes a letter for
/// each call: d, n, r.
class SignalledProcess {
 public:
  SignalledProcess() {
    pid_ = ::fork();
    if (pid_ == 0) run();
    pipe_.writer.reset();
    EXPECT_EQ(next(), 'R');
  }
  ~SignalledProcess() {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  void send(int signal) { ::kill(pid_, signal); }
  /// The next letter; 0 when none comes.
  char next() {
    char letter = 0;
    if (!wait_readable(pipe_.reader.get())) return 0;
    return ::read(pipe_.reader.get(), &letter, 1) == 1 ? letter : '\0';
  }

 private:
  [[noreturn]] void run() {
    auto say = [this](char letter) {
      if (::write(pipe_.writer.get(), &letter, 1) != 1) ::_exit(2);
    };
    auto watch = SignalWatch::make();
    if (!watch) ::_exit(1);
    (*watch)->start({[&] { say('d'); }, [&] { say('n'); }, [&] { say('r'); }});
    say('R');
    for (;;) ::pause();
  }

  Pipe pipe_;
  pid_t pid_ = 0;
};

TEST(SignalWatch, B6FirstDrainsSecondEndsNow) {
  SignalledProcess daemon;
  daemon.send(SIGTERM);
  EXPECT_EQ(daemon.next(), 'd');
  daemon.send(SIGINT);
  EXPECT_EQ(daemon.next(), 'n');
  daemon.send(SIGTERM);
  EXPECT_EQ(daemon.next(), 'n');
}

TEST(SignalWatch, B6AStormOfHangupsIsAFewReloadsAndHarmsNothing) {
  SignalledProcess daemon;
  for (int i = 0; i < 1000; ++i) daemon.send(SIGHUP);
  daemon.send(SIGTERM);
  int reloads = 0;
  char letter = 0;
  // The order between different pending signals is the kernel's.
  bool drained = false;
  while (!drained || reloads == 0) {
    letter = daemon.next();
    ASSERT_NE(letter, '\0');
    ASSERT_NE(letter, 'n');
    if (letter == 'd') drained = true;
    if (letter == 'r') ++reloads;
  }
  EXPECT_LE(reloads, 1000);
  daemon.send(SIGPIPE);  // ignored
  daemon.send(SIGTERM);
  while ((letter = daemon.next()) == 'r') continue;
  EXPECT_EQ(letter, 'n');
}

TEST(SignalWatch, MakesNoCallAfterStop) {
  pid_t child = ::fork();
  if (child == 0) {
    auto watch = SignalWatch::make();
    if (!watch) ::_exit(1);
    (*watch)->start({[] { ::_exit(2); }, nullptr, nullptr});
    (*watch)->stop();
    (*watch)->stop();
    ::raise(SIGTERM);  // blocked: stays pending
    ::_exit(0);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

}  // namespace
}  // namespace mainstay::platform
