#include "platform/process/process_tree.h"

#include <gtest/gtest.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include <algorithm>
#include <chrono>
#include <csignal>

#include "platform/files/test_dir.h"
#include "platform/process/test_process.h"

namespace mainstay::platform {
namespace {

using std::chrono::seconds;

/// Of this run alone: what bears the marker is killed, wherever it comes from.
const std::string kMarker = "MAINSTAY_START_ID=tree-test-" + std::to_string(::getpid());

/// The stub of faults A5: ignores SIGTERM, and has a child, a grandchild orphaned by a double fork,
/// one in a session of its own, and one there whose first thread ended while another runs on, which
/// makes it look like a zombie; says their pids, one a line, then waits.
constexpr const char* kNastyTree = R"py(
import ctypes, os, signal, sys, threading, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
def stay():
    sys.stdout.write(f"{os.getpid()}\n"); sys.stdout.flush()
    while True: time.sleep(1000)
if os.fork() == 0: stay()
middle = os.fork()
if middle == 0:
    if os.fork() == 0: stay()
    os._exit(0)
middle2 = os.fork()
if middle2 == 0:
    os.setsid()
    if os.fork() == 0: stay()
    os._exit(0)
def stay_alone():
    while open(f"/proc/{os.getpid()}/stat").read().rpartition(")")[2].split()[0] != "Z":
        time.sleep(0.001)
    stay()
middle3 = os.fork()
if middle3 == 0:
    os.setsid()
    if os.fork() == 0:
        threading.Thread(target=stay_alone).start()
        exit_thread = {"x86_64": 60, "aarch64": 93}[os.uname().machine]  # exit(2), of one thread
        ctypes.CDLL(None).syscall(exit_thread, 0)
    os._exit(0)
stay()
)py";
constexpr int kNastyCount = 5;

std::optional<CgroupBase> usable_base() {
  auto base = CgroupBase::find("test-" + std::to_string(::getpid()));
  if (!base) return std::nullopt;
  return *base;
}

struct Nasty {
  Process process;
  std::vector<ProcessIdentity> all;
};

Nasty start_nasty(int cgroup_fd) {
  Pipe pipe;
  SpawnRequest request;
  request.argv = {"/usr/bin/python3", "-c", kNastyTree};
  request.environment = {kMarker};
  request.stdout_fd = pipe.writer.get();
  request.cgroup_fd = cgroup_fd;
  auto process = spawn(request);
  MS_ASSERT(process.has_value(), "the stub must start");
  pipe.writer.reset();
  Nasty nasty{std::move(*process), {}};
  for (int i = 0; i < kNastyCount; ++i) {
    auto identity = identify(std::stoi(read_line(pipe.reader)));
    MS_ASSERT(identity.has_value(), "a stub process must be there");
    nasty.all.push_back(*identity);
  }
  return nasty;
}

/// At least these: a process of a double fork may not have ended yet.
void expect_members(const ProcessTree& tree, const std::vector<ProcessIdentity>& wanted) {
  auto members = tree.members();
  for (const auto& process : wanted) {
    bool found = std::find(members.begin(), members.end(), process) != members.end();
    EXPECT_TRUE(found) << process.pid;
  }
}

void expect_all_gone(const Nasty& nasty) {
  for (const auto& process : nasty.all) EXPECT_TRUE(is_gone(process)) << process.pid;
}

TEST(ProcessTreeKill, A5ByCgroupNothingRemains) {
  auto base = usable_base();
  if (!base) GTEST_SKIP() << CgroupBase::find("x").error().message();
  auto group = Cgroup::make(*base, "nasty-1");
  ASSERT_TRUE(group);
  Nasty nasty = start_nasty(group->fd());
  EXPECT_TRUE(nasty.process.in_cgroup);
  ProcessTree tree(nasty.process.identity, kMarker, std::move(*group));
  expect_members(tree, nasty.all);
  auto owns = tree.ownership();
  for (const auto& process : nasty.all) EXPECT_TRUE(owns(process.pid));
  EXPECT_FALSE(owns(::getpid()));
  KillReport report = tree.kill_all(seconds(10));
  EXPECT_EQ(report.method, KillMethod::cgroup);
  EXPECT_TRUE(report.survivors.empty());
  expect_all_gone(nasty);
  reap(nasty.process.pidfd);
  tree.forget();
  EXPECT_TRUE(base->names().empty());
  base->remove_if_empty();
  EXPECT_FALSE(path_exists(base->path()));
}

/// The same tree where cgroups cannot be used.
TEST(ProcessTreeKill, A5ByWalkNothingRemains) {
  Nasty nasty = start_nasty(-1);
  ProcessTree tree(nasty.process.identity, kMarker, std::nullopt);
  expect_members(tree, nasty.all);
  auto owns = tree.ownership();
  for (const auto& process : nasty.all) EXPECT_TRUE(owns(process.pid));
  EXPECT_FALSE(owns(::getpid()));
  KillReport report = tree.kill_all(seconds(10));
  EXPECT_EQ(report.method, KillMethod::process_tree);
  EXPECT_TRUE(report.survivors.empty());
  expect_all_gone(nasty);
  reap(nasty.process.pidfd);
}

/// After a crash of the daemon only the marker leads to what a dead first process left behind.
TEST(ProcessTreeKill, A5ByMarkerWhenTheFirstProcessIsGone) {
  Nasty nasty = start_nasty(-1);
  send_signal(nasty.process.pidfd, SIGKILL);
  wait_exit(nasty.process.pidfd);
  ProcessTree tree({}, kMarker, std::nullopt);
  std::vector<ProcessIdentity> left = nasty.all;
  std::erase(left, nasty.process.identity);
  expect_members(tree, left);
  EXPECT_TRUE(tree.kill_all(seconds(10)).survivors.empty());
  expect_all_gone(nasty);
}

/// A group found again by its name kills what is in it, also what has no marker.
TEST(ProcessTreeKill, CgroupIsFoundAgainByName) {
  auto base = usable_base();
  if (!base) GTEST_SKIP() << "no cgroup v2";
  auto group = Cgroup::make(*base, "again-1");
  ASSERT_TRUE(group);
  SpawnRequest request = shell("exec sleep 1000");
  request.cgroup_fd = group->fd();
  auto process = spawn(request);
  ASSERT_TRUE(process);
  auto again = Cgroup::find(CgroupBase::at(base->path()), "again-1");
  ASSERT_TRUE(again);
  EXPECT_TRUE(again->populated());
  ProcessTree tree({}, kMarker, std::move(again));
  EXPECT_TRUE(tree.kill_all(seconds(10)).survivors.empty());
  EXPECT_EQ(wait_exit(process->pidfd)->signal, SIGKILL);
  tree.forget();
  base->remove_if_empty();
}

ProcEntry entry(pid_t pid, pid_t parent, pid_t session, std::uint64_t start, char state = 'S',
                std::uint64_t threads = 1) {
  return {pid, state, parent, session, session, threads, start};
}

std::set<pid_t> pids(const std::vector<ProcEntry>& entries) {
  std::set<pid_t> found;
  for (const auto& e : entries) found.insert(e.pid);
  return found;
}

TEST(TreeMembers, DescendantsSessionAndMarked) {
  constexpr pid_t kSelf = 50;
  std::vector<ProcEntry> table = {entry(1, 0, 1, 0),
                                  entry(kSelf, 1, 50, 10),
                                  entry(100, kSelf, 100, 20),
                                  entry(101, 100, 100, 21),
                                  entry(102, 101, 102, 22),
                                  entry(103, kSelf, 100, 23),
                                  entry(104, kSelf, 104, 24),
                                  entry(105, 104, 104, 25),
                                  entry(106, kSelf, 106, 26),
                                  entry(107, 100, 100, 27, 'Z'),
                                  entry(108, 100, 100, 28, 'Z', 2)};
  ProcessIdentity root{100, 20, ""};
  EXPECT_EQ(pids(tree_members(table, root, {104}, kSelf)),
            (std::set<pid_t>{100, 101, 102, 103, 104, 105, 108}));
}

TEST(TreeMembers, ALaterProcessOfTheSamePidIsNobodyOfOurs) {
  std::vector<ProcEntry> table = {entry(100, 1, 100, 99), entry(101, 100, 100, 100)};
  EXPECT_TRUE(tree_members(table, {100, 20, ""}, {}, 50).empty());
  // A "child" that is older than its parent is not its child.
  std::vector<ProcEntry> reused = {entry(100, 1, 100, 20), entry(101, 100, 7, 5)};
  EXPECT_EQ(pids(tree_members(reused, {100, 20, ""}, {}, 50)), std::set<pid_t>{100});
}

TEST(TreeMembers, NeverThisProcessOrInit) {
  std::vector<ProcEntry> table = {entry(1, 0, 100, 30), entry(50, 100, 100, 31),
                                  entry(100, 1, 100, 20)};
  EXPECT_EQ(pids(tree_members(table, {100, 20, ""}, {1, 50}, 50)), std::set<pid_t>{100});
}

}  // namespace
}  // namespace mainstay::platform
