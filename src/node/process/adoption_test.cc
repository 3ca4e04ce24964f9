// What happens to agents' processes when the daemon is killed (faults B4): real processes, and a
// "daemon" that is this program started again, with a node of its own.
#include <gtest/gtest.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>

#include "base/uuid.h"
#include "node/agent_environment.h"
#include "node/test_node.h"
#include "platform/clock.h"
#include "platform/process/test_process.h"

namespace mainstay::node {
namespace {

using model::AdoptionFinished;
using model::AdoptProcess;
using model::ProcessExited;
using model::ProcessStarted;
using std::chrono::milliseconds;
using std::chrono::seconds;

model::AssignWork exec_work() {
  base::UuidMaker ids(1);
  auto item = std::make_shared<model::WorkSpec>();
  item->id = model::WorkId::make(ids, platform::wall_now());
  item->input = model::Payload::of("{}");
  model::AssignWork assign;
  assign.agent = "tool";
  assign.work = item;
  assign.epoch = 1;
  assign.spec = spec_of({"/usr/bin/python3", "-c", kNastyAgent}, model::AgentKind::exec);
  return assign;
}

constexpr const char* kProject = "MS_TEST_PROJECT";
constexpr const char* kScript = "MS_TEST_SCRIPT";
constexpr const char* kUseCgroups = "MS_TEST_USE_CGROUPS";
constexpr const char* kWithExec = "MS_TEST_WITH_EXEC";

/// A daemon in a process of its own (this program again, below): it starts `stub` (link) and, when
/// asked, an attempt of `tool` (exec), says their identities, and waits to be killed.
class FormerDaemon {
 public:
  FormerDaemon(const std::string& project, const std::shared_ptr<const model::AgentSpec>& spec,
               bool use_cgroups, bool with_exec = false) {
    platform::Pipe pipe;
    platform::SpawnRequest request;
    request.argv = {std::filesystem::read_symlink("/proc/self/exe").string(),
                    "--gtest_filter=FormerDaemonProcess.*", "--gtest_also_run_disabled_tests"};
    request.environment = {std::string(kProject) + "=" + project,
                           std::string(kScript) + "=" + spec->command.back(),
                           std::string(kUseCgroups) + "=" + (use_cgroups ? "1" : "0"),
                           std::string(kWithExec) + "=" + (with_exec ? "1" : "0")};
    request.stdin_fd = pipe.writer.get();  // it speaks on descriptor 0
    request.die_with_thread = true;
    auto process = platform::spawn(request);
    MS_ASSERT(process.has_value(), "this program must start again");
    pidfd_ = std::move(process->pidfd);
    pipe.writer.reset();
    started.agent = "stub";
    started.incarnation = 1;
    started.process = read_identity(pipe);
    started.token_sha256 = platform::read_line(pipe.reader);
    for (int i = 0; with_exec && i < kNastyProcesses; ++i) {
      exec_processes.push_back(from_model(read_identity(pipe)));
    }
  }
  ~FormerDaemon() {
    kill();
    platform::send_signal(from_model(started.process), SIGKILL);  // if a test failed to
  }
  void kill() {
    if (!pidfd_) return;
    platform::send_signal(pidfd_, SIGKILL);
    platform::await_and_reap(pidfd_);
    pidfd_.reset();
  }

  ProcessStarted started;
  std::vector<platform::ProcessIdentity> exec_processes;

 private:
  static model::ProcessIdentity read_identity(const platform::Pipe& pipe) {
    model::ProcessIdentity identity;
    identity.pid = std::stoi(platform::read_line(pipe.reader));
    identity.start_ticks = std::stoull(platform::read_line(pipe.reader));
    identity.boot_id = platform::boot_id();
    return identity;
  }

  platform::Fd pidfd_;
};

void say(const std::string& text) {
  if (!platform::write_all(STDIN_FILENO, text + "\n", "pipe")) ::_exit(2);
}

/// Not a test: what FormerDaemon runs.
TEST(FormerDaemonProcess, DISABLED_RunsUntilItIsKilled) {
  const char* project = std::getenv(kProject);
  if (project == nullptr) GTEST_SKIP() << "only FormerDaemon runs this";
  TestNode node(project, std::getenv(kUseCgroups) == std::string("1"));
  node.apply(model::StartProcess{"stub", 1, python_agent(std::getenv(kScript))});
  auto fact = node.wait_for<ProcessStarted>();
  ASSERT_TRUE(fact && node.wait_for_log("ready"));
  say(std::to_string(fact->process.pid));
  say(std::to_string(fact->process.start_ticks));
  say(fact->token_sha256);
  if (std::getenv(kWithExec) == std::string("1")) {
    node.apply(exec_work());
    for (const auto& process : nasty_processes(node)) {
      say(std::to_string(process.pid));
      say(std::to_string(process.start_ticks));
    }
  }
  for (;;) ::pause();
}

std::shared_ptr<const model::AgentSpec> talking_agent() {
  return python_agent(
      "import sys, time\n"
      "print('ready', flush=True)\n"
      "while True:\n"
      "    time.sleep(0.01)\n"
      "    print('alive', flush=True)\n");
}

class AdoptionTest : public testing::TestWithParam<bool> {
 protected:
  AdoptProcess adoption(const FormerDaemon& daemon, bool kill = false) {
    return {"stub", 1, daemon.started.process, daemon.started.token_sha256, spec_, kill};
  }

  platform::TestDir dir_;
  std::shared_ptr<const model::AgentSpec> spec_ = talking_agent();
};

INSTANTIATE_TEST_SUITE_P(ByCgroupAndWalk, AdoptionTest, testing::Bool(),
                         [](const auto& used) { return used.param ? "cgroup" : "walk"; });

TEST_P(AdoptionTest, B4ALivingAgentIsWatchedAgain) {
  FormerDaemon daemon(dir_.path(), spec_, GetParam());
  daemon.kill();
  platform::ProcessIdentity process = from_model(daemon.started.process);
  ASSERT_TRUE(platform::is_alive(process)) << "a link agent must outlive its daemon";

  TestNode node(dir_.path(), GetParam());
  EXPECT_TRUE(platform::is_alive(process)) << "stock-taking must not touch link agents";
  node.apply(adoption(daemon));
  auto adopted = node.wait_for<AdoptionFinished>();
  ASSERT_TRUE(adopted);
  EXPECT_EQ(adopted->process, daemon.started.process);
  EXPECT_TRUE(node.wait_for_log("alive")) << "its lines are read again";
  auto expected = node.link.expected();
  ASSERT_EQ(expected.size(), 1U);
  EXPECT_EQ(expected[0].token_sha256, daemon.started.token_sha256);
  EXPECT_TRUE(expected[0].owns_pid(process.pid));
  EXPECT_FALSE(expected[0].owns_pid(::getpid()));
  node.node->kill_unclaimed();   // it is claimed
  node.apply(adoption(daemon));  // again: the same answer
  EXPECT_EQ(node.wait_for<AdoptionFinished>()->process, daemon.started.process);
  EXPECT_TRUE(platform::is_alive(process));
  node.apply(model::StopProcess{"stub", 1, seconds(10)});
  ASSERT_TRUE(node.wait_for<ProcessExited>());
  EXPECT_TRUE(platform::is_gone(process));
}

TEST_P(AdoptionTest, B4AnUnwantedAgentIsKilledBeforeTheAnswer) {
  FormerDaemon daemon(dir_.path(), spec_, GetParam());
  daemon.kill();
  TestNode node(dir_.path(), GetParam());
  node.apply(adoption(daemon, true));
  node.apply(adoption(daemon, true));  // asked twice
  auto answer = node.wait_for<AdoptionFinished>();
  ASSERT_TRUE(answer);
  EXPECT_FALSE(answer->process);
  EXPECT_TRUE(platform::is_gone(from_model(daemon.started.process)));
  EXPECT_TRUE(node.wait_for<AdoptionFinished>());
  EXPECT_TRUE(node.link.expected().empty());
}

/// The daemon died between the intent and the start's report: no identity is known.
TEST_P(AdoptionTest, B4AProcessWithoutRecordedIdentityIsFoundAndKilled) {
  FormerDaemon daemon(dir_.path(), spec_, GetParam());
  daemon.kill();
  TestNode node(dir_.path(), GetParam());
  AdoptProcess effect = adoption(daemon);
  effect.process.reset();
  node.apply(effect);
  EXPECT_FALSE(node.wait_for<AdoptionFinished>()->process);
  EXPECT_TRUE(platform::is_gone(from_model(daemon.started.process)));
}

/// Faults A9: the recorded number may be another process's by now. It is left alone.
TEST_P(AdoptionTest, A9B4AReusedNumberIsNeitherAdoptedNorKilled) {
  auto stranger = platform::spawn(platform::shell("exec sleep 1000"));
  ASSERT_TRUE(stranger);
  model::ProcessIdentity recorded = to_model(stranger->identity);
  recorded.start_ticks -= 100;
  for (bool kill : {false, true}) {
    TestNode node(dir_.path(), GetParam());
    node.apply(AdoptProcess{"stub", 1, recorded, "hash", spec_, kill});
    auto answer = node.wait_for<AdoptionFinished>();
    ASSERT_TRUE(answer);
    EXPECT_FALSE(answer->process);
    node.node->kill_unclaimed();
    node.node->stop();
    EXPECT_TRUE(platform::is_alive(stranger->identity));
  }
  platform::send_signal(stranger->pidfd, SIGKILL);
  platform::wait_exit(stranger->pidfd);
}

/// The main process died while no daemon watched; what it left goes before a new one may start.
TEST_P(AdoptionTest, B4RemainsOfADeadAgentAreKilled) {
  spec_ = python_agent(
      "import os, signal, time\n"
      "child = os.fork()\n"
      "if child == 0:\n"
      "    os.setsid(); signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
      "    time.sleep(1000)\n"
      "print('ready', flush=True)\n"
      "print('child', child, flush=True)\n"
      "time.sleep(1000)\n");
  FormerDaemon daemon(dir_.path(), spec_, GetParam());
  daemon.kill();
  std::vector<platform::ProcessIdentity> members;
  for (const auto& entry : platform::list_processes()) {
    if (entry.parent == daemon.started.process.pid)
      members.push_back(*platform::identify(entry.pid));
  }
  ASSERT_EQ(members.size(), 1U);
  auto main_process = platform::open_process(from_model(daemon.started.process));
  ASSERT_TRUE(main_process);
  platform::send_signal(*main_process, SIGKILL);
  ASSERT_TRUE(platform::wait_exit(*main_process));
  TestNode node(dir_.path(), GetParam());
  node.apply(adoption(daemon));
  EXPECT_FALSE(node.wait_for<AdoptionFinished>()->process);
  expect_all_gone(members);
}

/// A command agent's process has nobody to give its result to: it is gone before anything starts.
TEST_P(AdoptionTest, B4CommandAgentsProcessesDoNotOutliveTheirDaemon) {
  FormerDaemon daemon(dir_.path(), spec_, GetParam(), true);
  ASSERT_EQ(daemon.exec_processes.size(), std::size_t{kNastyProcesses});
  daemon.kill();
  TestNode node(dir_.path(), GetParam());
  expect_all_gone(daemon.exec_processes);
  EXPECT_TRUE(platform::is_alive(from_model(daemon.started.process)));
  node.node->kill_unclaimed();
  node.apply(adoption(daemon, true));
  EXPECT_FALSE(node.wait_for<AdoptionFinished>()->process);
  EXPECT_TRUE(platform::is_gone(from_model(daemon.started.process)));
}

/// The database was lost or restored: nobody asks for the old incarnation, and a new start must not
/// make a second copy.
TEST_P(AdoptionTest, B4AForgottenCopyIsKilledBeforeANewStart) {
  FormerDaemon daemon(dir_.path(), spec_, GetParam());
  daemon.kill();
  TestNode node(dir_.path(), GetParam());
  node.apply(model::StartProcess{"stub", 5, spec_});
  auto started = node.wait_for<ProcessStarted>();
  ASSERT_TRUE(started);
  EXPECT_TRUE(platform::is_gone(from_model(daemon.started.process)));
  node.apply(model::KillProcess{"stub", 5});
  EXPECT_TRUE(node.wait_for<ProcessExited>());
}

/// The last resort of a daemon that cannot stop its fleet: what it started goes, what a former one
/// left goes too, and nothing is started any more.
TEST_P(AdoptionTest, KillAllLeavesNothingOfTheFleet) {
  FormerDaemon daemon(dir_.path(), spec_, GetParam());
  daemon.kill();
  TestNode node(dir_.path(), GetParam());
  node.apply(model::StartProcess{"other", 1, spec_});
  auto started = node.wait_for<ProcessStarted>();
  ASSERT_TRUE(started);
  ASSERT_TRUE(platform::is_alive(from_model(daemon.started.process)));
  EXPECT_TRUE(node.node->kill_all());
  EXPECT_TRUE(platform::is_gone(from_model(started->process)));
  EXPECT_TRUE(platform::is_gone(from_model(daemon.started.process)));
  node.apply(model::StartProcess{"late", 1, spec_});
  EXPECT_TRUE(node.node->kill_all()) << "and it has come to that effect";
  EXPECT_EQ(node.node->status().processes_started, 1U);
}

/// Processes of another data folder are none of our business.
TEST_P(AdoptionTest, B4AnotherInstancesAgentsAreLeftAlone) {
  platform::TestDir other;
  FormerDaemon daemon(other.path(), spec_, GetParam(), true);
  {
    TestNode node(dir_.path(), GetParam());
    node.node->kill_unclaimed();
    node.apply(AdoptProcess{"stub", 1, std::nullopt, "", spec_, true});
    EXPECT_TRUE(node.wait_for<AdoptionFinished>());
    EXPECT_TRUE(platform::is_alive(from_model(daemon.started.process)));
    for (const auto& process : daemon.exec_processes) {
      EXPECT_TRUE(platform::is_alive(process));
    }
  }
  daemon.kill();
  TestNode cleaner(other.path(), GetParam());
  cleaner.apply(adoption(daemon, true));
  EXPECT_TRUE(cleaner.wait_for<AdoptionFinished>());
}

}  // namespace
}  // namespace mainstay::node
