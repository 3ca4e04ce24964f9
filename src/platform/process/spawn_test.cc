#include "platform/process/spawn.h"

#include <gtest/gtest.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <thread>

#include "platform/files/test_dir.h"
#include "platform/process/test_process.h"

namespace mainstay::platform {
namespace {

using testing::Test;

/// Faults A1: every way to end is told apart.
TEST(Spawn, A1ExitIsRecordedWithItsCause) {
  EXPECT_EQ(run_to_end(shell("exit 0"))->exit.code, 0);
  EXPECT_EQ(run_to_end(shell("exit 37"))->exit.code, 37);
  auto killed = run_to_end(shell("kill -TERM $$"));
  EXPECT_EQ(killed->exit.signal, SIGTERM);
  EXPECT_FALSE(killed->exit.code.has_value());
  EXPECT_FALSE(killed->exit.core_dumped);
}

TEST(Spawn, A1CoreDumpIsRecorded) {
  TestDir dir;
  SpawnRequest request = shell("ulimit -c unlimited 2>/dev/null || exit 77; kill -SEGV $$");
  request.working_dir = dir.path();
  auto crashed = run_to_end(request);
  ASSERT_TRUE(crashed);
  if (crashed->exit.code == 77) GTEST_SKIP() << "core files are limited to 0 on this machine";
  EXPECT_EQ(crashed->exit.signal, SIGSEGV);
  auto pattern = read_file("/proc/sys/kernel/core_pattern", 4096);
  if (pattern && *pattern == "core\n") {
    EXPECT_TRUE(crashed->exit.core_dumped);
  }
}

/// Faults A13: descriptors 0 to 2 and no other, whatever this process has open.
TEST(Spawn, A13ChildSeesOnlyItsThreeDescriptors) {
  int leak_plain = ::open("/dev/null", O_RDONLY);  // without O_CLOEXEC, on purpose
  int leak_high = ::fcntl(leak_plain, F_DUPFD, 700);
  SpawnRequest request = shell("");
  request.argv = {"/usr/bin/python3", "-c",
                  "import fcntl\n"
                  "def is_open(fd):\n"
                  "    try: return fcntl.fcntl(fd, fcntl.F_GETFD) >= 0\n"
                  "    except OSError: return False\n"
                  "print([fd for fd in range(1024) if is_open(fd)])"};
  auto run = run_to_end(request);
  ASSERT_TRUE(run);
  EXPECT_EQ(run->output, "[0, 1, 2]\n");
  ::close(leak_plain);
  ::close(leak_high);
}

TEST(Spawn, A13ChildSeesOnlyTheEnvironmentGiven) {
  ::setenv("MAINSTAY_TEST_SECRET", "must not leak", 1);
  SpawnRequest request;
  request.argv = {"env"};
  request.environment = {"PATH=/usr/bin:/bin", "ONLY=this"};
  auto run = run_to_end(request);
  ::unsetenv("MAINSTAY_TEST_SECRET");
  ASSERT_TRUE(run);
  EXPECT_EQ(run->output, "PATH=/usr/bin:/bin\nONLY=this\n");
}

TEST(Spawn, SignalsAreResetAndTheSessionIsItsOwn) {
  struct sigaction ignore {};
  ignore.sa_handler = SIG_IGN;
  struct sigaction before {};
  ::sigaction(SIGPIPE, &ignore, &before);
  sigset_t mask;
  sigset_t mask_before;
  ::sigemptyset(&mask);
  ::sigaddset(&mask, SIGTERM);
  ::pthread_sigmask(SIG_BLOCK, &mask, &mask_before);
  auto run =
      run_to_end(shell("grep -E '^Sig(Blk|Ign)' /proc/self/status; "
                       "cut -d' ' -f1,6 /proc/$$/stat"));
  sigset_t mask_after;
  ::pthread_sigmask(SIG_SETMASK, &mask_before, &mask_after);
  ::sigaction(SIGPIPE, &before, nullptr);
  ASSERT_TRUE(run);
  EXPECT_TRUE(run->output.starts_with("SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n"))
      << run->output;
  EXPECT_EQ(::sigismember(&mask_after, SIGTERM), 1) << "the caller's mask was changed";
  EXPECT_EQ(::sigismember(&mask_after, SIGUSR1), 0) << "the caller's mask was changed";
  std::string pids = run->output.substr(run->output.find("SigIgn"));
  pids = pids.substr(pids.find('\n') + 1);
  EXPECT_EQ(pids.substr(0, pids.find(' ')) + "\n", pids.substr(pids.find(' ') + 1)) << pids;
}

TEST(Spawn, StandardStreamsMayBeAnyDescriptors) {
  // Descriptors that are themselves 0 to 2, crossed over.
  Pipe pipe;
  int saved = ::fcntl(1, F_DUPFD_CLOEXEC, 10);
  ASSERT_EQ(::dup2(pipe.writer.get(), 1), 1);
  SpawnRequest request = shell("echo to-stderr >&2");
  request.stderr_fd = 1;
  request.stdout_fd = 2;
  auto process = spawn(request);
  ::dup2(saved, 1);
  ::close(saved);
  ASSERT_TRUE(process);
  EXPECT_EQ(read_line(pipe.reader), "to-stderr");
  wait_exit(process->pidfd);
}

TEST(Spawn, FindsProgramsByPathAndBelowTheWorkingFolder) {
  TestDir dir;
  ASSERT_TRUE(make_dirs(dir / "bin"));
  ASSERT_TRUE(write_file_atomic(dir / "bin/hello", "#!/bin/sh\necho hello from $PWD\n", 0755));
  SpawnRequest request;
  request.working_dir = dir.path();
  request.argv = {"bin/hello"};
  EXPECT_EQ(run_to_end(request)->output, "hello from " + dir.path() + "\n");
  request.argv = {"hello"};
  request.environment = {"PATH=/nonexistent:bin"};
  EXPECT_EQ(run_to_end(request)->output, "hello from " + dir.path() + "\n");
}

class SpawnFailure : public Test {
 protected:
  /// The reason; the error is told before anything counts as started.
  StartFailure reason_of(const SpawnRequest& request) {
    auto process = spawn(request);
    if (process) {
      wait_exit(process->pidfd);
      ADD_FAILURE() << "it was started";
      return StartFailure::other;
    }
    EXPECT_EQ(process.error().code(), Code::process_start_failed);
    message_ = process.error().message();
    return start_failure(process.error());
  }
  std::string file(const std::string& name, const std::string& content, mode_t mode) {
    EXPECT_TRUE(write_file_atomic(dir_ / name, content, mode));
    return dir_ / name;
  }
  SpawnRequest command(std::vector<std::string> argv) {
    SpawnRequest request;
    request.argv = std::move(argv);
    request.environment = {"PATH=/usr/bin:/bin:" + dir_.path()};
    return request;
  }

  TestDir dir_;
  std::string message_;
};

/// Faults A14: each failure is its own error.
TEST_F(SpawnFailure, A14EachHasItsReason) {
  EXPECT_EQ(reason_of(command({"/nonexistent/agent"})), StartFailure::not_found);
  EXPECT_EQ(reason_of(command({"no-such-program-anywhere"})), StartFailure::not_found);
  EXPECT_NE(message_.find("PATH"), std::string::npos) << message_;
  EXPECT_EQ(reason_of(command({})), StartFailure::not_found);
  EXPECT_EQ(reason_of(command({file("plain", "text", 0644)})), StartFailure::not_executable);
  EXPECT_EQ(reason_of(command({"plain"})), StartFailure::not_executable);
  EXPECT_EQ(reason_of(command({dir_.path()})), StartFailure::not_executable);
  EXPECT_EQ(reason_of(command({file("rubbish",
                                    "\x7f"
                                    "ELF rubbish",
                                    0755)})),
            StartFailure::wrong_format);
  EXPECT_EQ(reason_of(command({file("empty", "", 0755)})), StartFailure::wrong_format);
  EXPECT_EQ(reason_of(command({file("shebang", "#! /no/such/shell -x\n", 0755)})),
            StartFailure::bad_interpreter);
  EXPECT_NE(message_.find("/no/such/shell"), std::string::npos) << message_;
  EXPECT_EQ(reason_of(command({file("windows", "#!/bin/sh\r\nexit 0\r\n", 0755)})),
            StartFailure::bad_interpreter);
  EXPECT_NE(message_.find("carriage return"), std::string::npos) << message_;
  EXPECT_EQ(reason_of(command({file("plainish", "#!" + (dir_ / "plain") + "\n", 0755)})),
            StartFailure::bad_interpreter);
  EXPECT_EQ(reason_of(command({file("circle", "#!" + (dir_ / "circle") + "\n", 0755)})),
            StartFailure::bad_interpreter);
  SpawnRequest nowhere = shell("exit 0");
  nowhere.working_dir = dir_ / "no-such-folder";
  EXPECT_EQ(reason_of(nowhere), StartFailure::working_dir);
}

TEST_F(SpawnFailure, A14WrongMachineIsWrongFormat) {
  auto program = read_file("/bin/true");
  ASSERT_TRUE(program);
  (*program)[18] = 0x08;  // e_machine: MIPS
  (*program)[19] = 0;
  EXPECT_EQ(reason_of(command({file("mips", *program, 0755)})), StartFailure::wrong_format);
}

TEST_F(SpawnFailure, A14TextBusyMayPassAndHugeArgumentsMayNot) {
  std::string path = file("busy", *read_file("/bin/true"), 0755);
  Fd writer(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
  EXPECT_EQ(reason_of(command({path})), StartFailure::text_busy);
  EXPECT_FALSE(is_permanent(StartFailure::text_busy));
  writer.reset();
  EXPECT_TRUE(run_to_end(command({path})));
  EXPECT_EQ(reason_of(command({"/bin/true", std::string(1 << 20, 'x')})),
            StartFailure::arguments_too_long);
  EXPECT_TRUE(is_permanent(StartFailure::arguments_too_long));
}

TEST(Spawn, LeavesNoZombieWhenItFails) {
  pid_t tester = ::fork();  // a process that has no other children
  if (tester == 0) {
    SpawnRequest request;
    request.argv = {"/nonexistent/x"};
    for (int i = 0; i < 50; ++i) {
      if (spawn(request)) ::_exit(1);
    }
    siginfo_t info{};
    bool no_child = ::waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) != 0 && errno == ECHILD;
    ::_exit(no_child ? 0 : 2);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(tester, &status, 0), tester);
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

/// A daemon killed with SIGKILL takes its command agents' processes with it.
TEST(Spawn, ChildDiesWithItsParent) {
  Pipe pipe;
  pid_t daemon = ::fork();
  if (daemon == 0) {
    SpawnRequest request = shell("echo $$; exec sleep 1000");
    request.stdout_fd = pipe.writer.get();
    request.die_with_thread = true;
    auto process = spawn(request);
    if (process) ::pause();
    ::_exit(1);
  }
  pipe.writer.reset();
  pid_t child = std::stoi(read_line(pipe.reader));
  auto identity = identify(child);
  ASSERT_TRUE(identity);
  auto pidfd = open_process(*identity);
  ASSERT_TRUE(pidfd);
  ::kill(daemon, SIGKILL);
  ::waitpid(daemon, nullptr, 0);
  EXPECT_TRUE(wait_readable(pidfd->get()));
  EXPECT_TRUE(has_ended(*pidfd));
}

TEST(Spawn, WorksFromManyThreadsAtOnce) {
  std::vector<std::thread> threads;
  std::atomic<int> good{0};
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&good] {
      for (int i = 0; i < 25; ++i) {
        auto run = run_to_end(shell("exit 5"));
        if (run && run->exit.code == 5) ++good;
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(good, 100);
}

}  // namespace
}  // namespace mainstay::platform
