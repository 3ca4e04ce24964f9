#include "node/process/process_agents.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <unistd.h>

#include <csignal>

#include "base/text.h"
#include "node/test_node.h"
#include "platform/crypto.h"
#include "platform/process/spawn.h"

namespace mainstay::node {
namespace {

using model::ProcessExited;
using model::ProcessStarted;
using model::ProcessStartFailed;
using std::chrono::milliseconds;
using std::chrono::seconds;

class ProcessAgentsTest : public testing::Test {
 protected:
  ProcessStarted start(TestNode& node, std::shared_ptr<const model::AgentSpec> spec,
                       model::Incarnation incarnation = 1) {
    node.apply(model::StartProcess{"stub", incarnation, std::move(spec)});
    auto started = node.wait_for<ProcessStarted>();
    if (!started) {
      ADD_FAILURE() << "it did not start";
      return {};
    }
    EXPECT_EQ(started->incarnation, incarnation);
    return *started;
  }

  platform::TestDir dir_;
};

/// Faults A1: the exit is told once, with its cause.
TEST_F(ProcessAgentsTest, A1ExitIsToldOnceWithItsCause) {
  TestNode node(dir_.path());
  start(node, shell_agent("exit 0"), 1);
  auto exited = node.wait_for<ProcessExited>();
  ASSERT_TRUE(exited);
  EXPECT_TRUE(exited->status.clean());
  EXPECT_TRUE(node.link.forgot("stub", 1));
  start(node, shell_agent("exit 37"), 2);
  EXPECT_EQ(node.wait_for<ProcessExited>()->status.code, 37);
  start(node, shell_agent("kill -9 $$"), 3);
  auto killed = node.wait_for<ProcessExited>();
  EXPECT_EQ(killed->status.signal, SIGKILL);
  EXPECT_FALSE(killed->status.out_of_memory);
  EXPECT_EQ(killed->incarnation, 3);
  EXPECT_EQ(node.facts.size(), 0U);
}

/// Faults A13: exactly the stated environment; the token is the one whose hash is expected.
TEST_F(ProcessAgentsTest, A13SeesOnlyItsOwnEnvironmentAndDescriptors) {
  ::setenv("MAINSTAY_TEST_SECRET", "must not leak", 1);
  TestNode node(dir_.path());
  auto spec = std::make_shared<model::AgentSpec>(*python_agent(
      "import os, fcntl\n"
      "def is_open(fd):\n"
      "    try: return fcntl.fcntl(fd, fcntl.F_GETFD) >= 0\n"
      "    except OSError: return False\n"
      "print('names', *sorted(os.environ))\n"
      "print('token', os.environ['MAINSTAY_TOKEN'])\n"
      "print('fds', [fd for fd in range(1024) if is_open(fd)])\n"
      "print('where', os.getcwd(), os.environ['OWN'], os.environ['MAINSTAY_INCARNATION'])"));
  spec->environment = {{"OWN", "mine"}, {"MAINSTAY_AGENT", "somebody else"}};
  spec->working_dir = "work";
  ASSERT_TRUE(platform::make_dirs(dir_ / "work"));
  auto started = start(node, spec, 7);
  ::unsetenv("MAINSTAY_TEST_SECRET");
  auto names = node.wait_for_log("names ");
  ASSERT_TRUE(names);
  EXPECT_EQ(names->message,
            "names LC_CTYPE MAINSTAY_AGENT MAINSTAY_ENV MAINSTAY_INCARNATION MAINSTAY_INSTANCE "
            "MAINSTAY_KIND MAINSTAY_LINK MAINSTAY_PROJECT MAINSTAY_START_ID MAINSTAY_TOKEN OWN "
            "PATH PYTHONUNBUFFERED");  // LC_CTYPE is made by Python itself (PEP 538)
  std::string token = node.wait_for_log("token ")->message.substr(6);
  EXPECT_TRUE(token.starts_with("ms_ag_"));
  EXPECT_EQ(platform::sha256_hex(token), started.token_sha256);
  EXPECT_EQ(node.link.expected().at(0).token_sha256, started.token_sha256);
  EXPECT_EQ(node.wait_for_log("fds ")->message, "fds [0, 1, 2]");
  EXPECT_EQ(node.wait_for_log("where ")->message, "where " + (dir_ / "work") + " mine 7");
  EXPECT_TRUE(node.wait_for<ProcessExited>()->status.clean());
}

/// What Python prints is a log line at once, and stays one when the process is killed.
TEST_F(ProcessAgentsTest, WhatPythonPrintsIsNotHeldBack) {
  TestNode node(dir_.path());
  auto spec = std::make_shared<model::AgentSpec>(
      *python_agent("import os, signal\nprint('said')\nos.kill(os.getpid(), signal.SIGKILL)\n"));
  start(node, spec, 1);
  EXPECT_TRUE(node.wait_for_log("said"));
  EXPECT_TRUE(node.wait_for<ProcessExited>());
}

TEST_F(ProcessAgentsTest, TheFleetFileMayHavePythonHoldBackWhatItPrints) {
  TestNode node(dir_.path());
  auto spec = std::make_shared<model::AgentSpec>(
      *python_agent("import os\nprint('is', repr(os.environ['PYTHONUNBUFFERED']))\n"));
  spec->environment = {{"PYTHONUNBUFFERED", ""}};
  start(node, spec, 1);
  auto line = node.wait_for_log("is ");
  ASSERT_TRUE(line);
  EXPECT_EQ(line->message, "is ''");
}

/// Faults A14: permanent failures are told as such, before anything counts as started.
TEST_F(ProcessAgentsTest, A14StartFailuresAreToldApart) {
  TestNode node(dir_.path());
  node.apply(model::StartProcess{"stub", 1, spec_of({"no-such-agent"}, model::AgentKind::link)});
  auto failed = node.wait_for<ProcessStartFailed>();
  ASSERT_TRUE(failed);
  EXPECT_TRUE(failed->permanent);
  EXPECT_EQ(failed->error.code(), Code::process_start_failed);
  ASSERT_TRUE(platform::write_file_atomic(dir_ / "busy", *platform::read_file("/bin/true"), 0755));
  auto writer = platform::open_file(dir_ / "busy", O_WRONLY);
  node.apply(model::StartProcess{"stub", 2, spec_of({"./busy"}, model::AgentKind::link)});
  failed = node.wait_for<ProcessStartFailed>();
  ASSERT_TRUE(failed);
  EXPECT_FALSE(failed->permanent) << failed->error.to_text();
  EXPECT_TRUE(node.link.expected().empty());
}

TEST_F(ProcessAgentsTest, StopIsASigtermFirst) {
  TestNode node(dir_.path());
  start(node, shell_agent("trap 'echo term; exit 4' TERM; echo ready; sleep 1000 & wait"));
  ASSERT_TRUE(node.wait_for_log("ready"));
  node.apply(model::StopProcess{"stub", 1, seconds(20)});
  EXPECT_EQ(node.wait_for<ProcessExited>()->status.code, 4);
  EXPECT_TRUE(node.wait_for_log("term"));
}

/// Faults A4: SIGKILL when the grace is over, not before, and not much later.
TEST_F(ProcessAgentsTest, A4IgnoringSigtermEndsWithTheGrace) {
  TestNode node(dir_.path());
  bool was_soon = false;
  // Of several stops one must be soon after the grace: the machine may be busy itself.
  for (model::Incarnation stop = 1; stop <= 5 && !was_soon; ++stop) {
    start(node, shell_agent("trap '' TERM; echo ready; exec sleep 1000"), stop);
    ASSERT_TRUE(node.wait_for_log("ready"));
    Mono asked = std::chrono::steady_clock::now();
    node.apply(model::StopProcess{"stub", stop, milliseconds(500)});
    auto exited = node.wait_for<ProcessExited>();
    Duration took = std::chrono::steady_clock::now() - asked;
    ASSERT_TRUE(exited);
    EXPECT_EQ(exited->status.signal, SIGKILL);
    EXPECT_GE(took, milliseconds(500));
    was_soon = took <= milliseconds(900);  // 10 % of the grace, and some room
  }
  EXPECT_TRUE(was_soon);
}

TEST_F(ProcessAgentsTest, ASecondStopCanOnlyShortenTheGrace) {
  TestNode node(dir_.path());
  start(node, shell_agent("trap '' TERM; echo ready; exec sleep 1000"));
  ASSERT_TRUE(node.wait_for_log("ready"));
  node.apply(model::StopProcess{"stub", 1, seconds(1000)});
  node.apply(model::StopProcess{"stub", 1, milliseconds(1)});
  node.apply(model::StopProcess{"stub", 1, seconds(1000)});
  EXPECT_EQ(node.wait_for<ProcessExited>()->status.signal, SIGKILL);
}

/// Faults A5, by cgroup and by walking /proc: nothing of it remains when its exit is told.
TEST_F(ProcessAgentsTest, A5NothingRemainsOfATreeThatIsStopped) {
  for (bool use_cgroups : {true, false}) {
    SCOPED_TRACE(use_cgroups ? "cgroups" : "walk");
    platform::TestDir dir;
    TestNode node(dir.path(), use_cgroups);
    if (!use_cgroups) {
      EXPECT_EQ(node.node->status().kill_method, platform::KillMethod::process_tree);
    }
    start(node, python_agent(kNastyAgent));
    auto all = nasty_processes(node);
    for (const auto& process : all) {
      EXPECT_TRUE(node.link.expected().at(0).owns_pid(process.pid)) << process.pid;
    }
    EXPECT_FALSE(node.link.expected().at(0).owns_pid(::getpid()));
    node.apply(model::StopProcess{"stub", 1, milliseconds(50)});
    auto exited = node.wait_for<ProcessExited>();
    ASSERT_TRUE(exited);
    EXPECT_EQ(exited->status.signal, SIGKILL);
    expect_all_gone(all);
    node.node->stop();
  }
}

/// What a process leaves behind when it ends by itself goes too, before its exit is told.
TEST_F(ProcessAgentsTest, A5NothingRemainsOfATreeWhoseRootEnds) {
  for (bool use_cgroups : {true, false}) {
    SCOPED_TRACE(use_cgroups ? "cgroups" : "walk");
    platform::TestDir dir;
    TestNode node(dir.path(), use_cgroups);
    auto started = start(node, python_agent(kNastyAgent));
    auto all = nasty_processes(node);
    platform::send_signal(from_model(started.process), SIGKILL);
    ASSERT_TRUE(node.wait_for<ProcessExited>());
    expect_all_gone(all);
  }
}

/// Faults A12: a closed stdout, or one handed to a process that lives on, hides no exit.
TEST_F(ProcessAgentsTest, A12ExitIsSeenWhoeverHoldsItsStdout) {
  TestNode node(dir_.path());
  start(node, shell_agent("exec >&- 2>&-; exit 3"), 1);
  EXPECT_EQ(node.wait_for<ProcessExited>()->status.code, 3);
  // A process outside the tree has the FIFO open for writing.
  auto holder = platform::open_file(dir_ / ".mainstay/agents/stub.out", O_RDWR);
  ASSERT_TRUE(holder);
  start(node, shell_agent("echo last words; exit 5"), 2);
  EXPECT_EQ(node.wait_for<ProcessExited>()->status.code, 5);
  EXPECT_TRUE(node.wait_for_log("last words"));
}

TEST_F(ProcessAgentsTest, LinesBecomeLogRecords) {
  TestNode node(dir_.path());
  start(node, shell_agent("echo plain; echo trouble >&2; "
                          "echo '{\"level\":\"warn\",\"message\":\"json\",\"n\":3}'; "
                          "printf 'no end'"));
  ASSERT_TRUE(node.wait_for<ProcessExited>());
  auto plain = node.wait_for_log("plain");
  ASSERT_TRUE(plain);
  EXPECT_EQ(plain->context.agent, "stub");
  EXPECT_EQ(plain->context.component, "stdout");
  EXPECT_EQ(node.wait_for_log("trouble")->context.component, "stderr");
  auto json = node.wait_for_log("json");
  EXPECT_EQ(json->level, model::LogLevel::WARNING);
  EXPECT_EQ(json->fields, R"({"n":3,"stream":"stdout"})");
  EXPECT_TRUE(node.wait_for_log("no end"));
  EXPECT_EQ(node.node->status().log_lines, 4U);
}

TEST_F(ProcessAgentsTest, EffectsMayComeTwice) {
  TestNode node(dir_.path());
  auto spec = shell_agent("echo ready; exec sleep 1000");
  auto first = start(node, spec);
  auto second = start(node, spec);
  EXPECT_EQ(first.process, second.process);
  EXPECT_EQ(first.token_sha256, second.token_sha256);
  // Another incarnation while one runs is refused: never two copies.
  node.apply(model::StartProcess{"stub", 2, spec});
  auto refused = node.wait_for<ProcessStartFailed>();
  ASSERT_TRUE(refused);
  EXPECT_FALSE(refused->permanent);
  node.apply(model::KillProcess{"stub", 2});  // not that incarnation
  node.apply(model::StopProcess{"nobody", 1, seconds(1)});
  node.apply(model::KillProcess{"stub", 1});
  node.apply(model::KillProcess{"stub", 1});
  EXPECT_EQ(node.wait_for<ProcessExited>()->incarnation, 1);
  EXPECT_EQ(node.facts.size(), 0U);
}

TEST_F(ProcessAgentsTest, LinkEffectsGoToTheLink) {
  TestNode node(dir_.path());
  node.apply(model::AssignWork{"stub", 5, nullptr, 1, 1, 0, Duration{0}, nullptr});
  node.apply(model::CancelAttempt{"stub", 5, {}, 1, ""});
  node.apply(model::AckResult{"stub", 5, {}, 1, true});
  node.apply(model::DrainAgent{"stub", 5, seconds(1)});
  node.apply(model::CloseLink{"stub", 5, ""});
  node.apply(model::AckResult{"stub", 0, {}, 1, true});  // of a command agent: nobody to tell
  EXPECT_EQ(node.link.notes(),
            (std::vector<std::string>{"assign", "cancel", "ack", "drain", "close"}));
}

/// A8: children that agents orphan to us do not stay zombies.
TEST_F(ProcessAgentsTest, A8OrphansOfAgentsAreReaped) {
  TestNode node(dir_.path(), false);
  auto started = start(node, python_agent("import os, time\n"
                                          "for _ in range(20):\n"
                                          "    if os.fork() == 0:\n"
                                          "        if os.fork() == 0: os._exit(0)\n"
                                          "        os._exit(0)\n"
                                          "    os.wait()\n"
                                          "print('done', flush=True)\n"
                                          "time.sleep(1000)"));
  ASSERT_TRUE(node.wait_for_log("done"));
  auto zombies = [] {
    int count = 0;
    for (const auto& entry : platform::list_processes()) {
      if (entry.parent == ::getpid() && !entry.alive()) ++count;
    }
    return count;
  };
  Mono until = std::chrono::steady_clock::now() + seconds(60);
  int left = 0;
  while ((left = zombies()) > 0 && std::chrono::steady_clock::now() < until) ::sched_yield();
  EXPECT_EQ(left, 0);
  EXPECT_TRUE(platform::is_alive(from_model(started.process)));
  node.apply(model::KillProcess{"stub", 1});
  EXPECT_TRUE(node.wait_for<ProcessExited>());
}

}  // namespace
}  // namespace mainstay::node
