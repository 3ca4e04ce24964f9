#include "platform/process/identity.h"

#include <gtest/gtest.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include <csignal>

#include "base/time.h"
#include "platform/process/pidfd.h"
#include "platform/process/test_process.h"

namespace mainstay::platform {
namespace {

TEST(Identity, ReadsAStatLineWithABadName) {
  auto entry =
      parse_proc_stat("77 (a) b (c)) S 1 70 60 0 -1 4194304 1 2 3 4 5 6 7 8 20 0 3 0 123456 1 2 3");
  ASSERT_TRUE(entry);
  EXPECT_EQ(entry->pid, 77);
  EXPECT_EQ(entry->state, 'S');
  EXPECT_EQ(entry->parent, 1);
  EXPECT_EQ(entry->group, 70);
  EXPECT_EQ(entry->session, 60);
  EXPECT_EQ(entry->threads, 3U);
  EXPECT_EQ(entry->start_ticks, 123456U);
  EXPECT_FALSE(parse_proc_stat(""));
  EXPECT_FALSE(parse_proc_stat("77 (x) S 1 2"));
  EXPECT_FALSE(parse_proc_stat("x (x) S 1 70 60 0 -1 4 1 2 3 4 5 6 7 8 20 0 1 0 12 1"));
}

/// Faults A9, invariant 6: a PID whose start time or boot is another's is never signalled.
TEST(Identity, A9AnotherProcessOfThatPidIsNeverSignalled) {
  auto process = spawn(shell("exec sleep 1000"));
  ASSERT_TRUE(process);
  ProcessIdentity earlier = process->identity;
  earlier.start_ticks -= 1;
  ProcessIdentity before_boot = process->identity;
  before_boot.boot_id = "another boot";
  EXPECT_FALSE(send_signal(earlier, SIGKILL));
  EXPECT_FALSE(send_signal(before_boot, SIGKILL));
  EXPECT_FALSE(send_signal(ProcessIdentity{}, SIGKILL));
  EXPECT_FALSE(send_signal(ProcessIdentity{-1, 0, boot_id()}, SIGKILL));
  EXPECT_FALSE(is_alive(earlier));
  EXPECT_FALSE(open_process(earlier));
  EXPECT_FALSE(has_ended(process->pidfd));
  EXPECT_TRUE(is_alive(process->identity));
  EXPECT_TRUE(send_signal(process->identity, SIGKILL));
  EXPECT_EQ(wait_exit(process->pidfd)->signal, SIGKILL);
  EXPECT_FALSE(is_alive(process->identity));
  EXPECT_FALSE(send_signal(process->pidfd, SIGKILL));
}

/// A pidfd outlives its number: a signal after the exit goes nowhere, never to a later process.
TEST(Identity, A9PidfdOfADeadProcessHitsNobody) {
  auto process = spawn(shell("exit 0"));
  ASSERT_TRUE(process);
  ASSERT_TRUE(wait_exit(process->pidfd));
  EXPECT_FALSE(send_signal(process->pidfd, 0));
}

TEST(Identity, ReadsTheEnvironmentOfAnotherProcess) {
  Pipe pipe;
  // Says when it runs: in the middle of an exec the kernel shows no environment.
  SpawnRequest request = shell("echo ready; read never");
  request.environment.push_back("MAINSTAY_START_ID=abc");
  request.stdin_fd = pipe.reader.get();
  Pipe said;
  request.stdout_fd = said.writer.get();
  auto process = spawn(request);
  ASSERT_TRUE(process);
  ASSERT_EQ(read_line(said.reader), "ready");
  pid_t pid = process->identity.pid;
  EXPECT_EQ(environment_value(pid, "MAINSTAY_START_ID"), "abc");
  EXPECT_EQ(environment_value(pid, "MAINSTAY_START"), std::nullopt);
  EXPECT_TRUE(environment_has(pid, "MAINSTAY_START_ID=abc"));
  EXPECT_FALSE(environment_has(pid, "MAINSTAY_START_ID=ab"));
  send_signal(process->pidfd, SIGKILL);
  wait_exit(process->pidfd);
}

TEST(Reaping, A8OrphansAreReapedAndOthersChildrenAreNot) {
  ASSERT_TRUE(become_subreaper());
  // Our child, which leaves an orphan in its session that dies after it.
  Pipe pipe;
  SpawnRequest request =
      shell("exec 3<&0; (read gone <&3; echo orphan-ends) & echo started; exit 0");
  Pipe hold;
  request.stdin_fd = hold.reader.get();
  request.stdout_fd = pipe.writer.get();
  auto process = spawn(request);
  ASSERT_TRUE(process);
  pipe.writer.reset();
  EXPECT_EQ(read_line(pipe.reader), "started");
  ASSERT_TRUE(wait_readable(process->pidfd.get()));
  // A child of another part of this program, a zombie in our own session.
  pid_t foreign = ::fork();
  if (foreign == 0) ::_exit(9);
  siginfo_t info{};
  ASSERT_EQ(::waitid(P_PID, static_cast<id_t>(foreign), &info, WEXITED | WNOWAIT), 0);
  hold.writer.reset();  // now the orphan ends
  auto is_started = [&](pid_t pid) { return pid == process->identity.pid; };
  EXPECT_EQ(read_line(pipe.reader), "orphan-ends");
  EXPECT_EQ(read_line(pipe.reader), "");  // end of file: the orphan is gone
  auto orphan_is_there = [&] {
    for (const auto& entry : list_processes()) {
      if (entry.session == process->identity.pid && entry.pid != process->identity.pid) return true;
    }
    return false;
  };
  for (Mono until = std::chrono::steady_clock::now() + std::chrono::seconds(10);
       orphan_is_there() && std::chrono::steady_clock::now() < until;) {
    reap_orphans(is_started);  // a moment passes between its last close and its end
  }
  EXPECT_FALSE(orphan_is_there());
  EXPECT_EQ(wait_exit(process->pidfd)->code, 0) << "the started process was reaped by the way";
  int status = 0;
  EXPECT_EQ(::waitpid(foreign, &status, WNOHANG), foreign) << "another's child was reaped";
  EXPECT_EQ(WEXITSTATUS(status), 9);
  ::prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0);
}

}  // namespace
}  // namespace mainstay::platform
