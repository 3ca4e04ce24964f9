// The agent link's edges: whose process speaks, bytes that are no protocol, starting and stopping.
#include <arpa/inet.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <latch>
#include <random>
#include <set>
#include <sstream>

#include "node/link/link_test_rig.h"

namespace mainstay::node::test {
namespace {

/// What the child of the next tests runs: the same program, this test only.
TEST(LinkStub, SaysHelloAndStays) {
  const char* target = std::getenv("MAINSTAY_TEST_LINK");
  if (target == nullptr) GTEST_SKIP() << "runs as the child of other tests";
  TestAgent agent(target);
  agent.hello("scout", 1);
  std::exit(agent.status().error_code());
}

class Child {
 public:
  explicit Child(const std::string& target) {
    std::vector<std::string> env = {"MAINSTAY_TEST_LINK=" + target, "PATH=/usr/bin:/bin"};
    if (const char* options = std::getenv("TSAN_OPTIONS")) {
      env.push_back(std::string("TSAN_OPTIONS=") + options);
    }
    std::vector<char*> envp;
    for (auto& entry : env) envp.push_back(entry.data());
    envp.push_back(nullptr);
    std::string self = std::filesystem::read_symlink("/proc/self/exe");
    char name[] = "node_test";
    char filter[] = "--gtest_filter=LinkStub.*";
    char* argv[] = {name, filter, nullptr};
    pid_ = ::vfork();
    if (pid_ == 0) {
      ::execve(self.c_str(), argv, envp.data());
      ::_exit(127);
    }
  }
  ~Child() {
    if (pid_ > 0) kill_now();
  }
  pid_t pid() const { return pid_; }
  int wait_exit() {
    int status = 0;
    ::waitpid(std::exchange(pid_, -1), &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }
  void kill_now() {
    ::kill(pid_, SIGKILL);
    wait_exit();
  }

 private:
  pid_t pid_ = -1;
};

TEST(Link, I3AValidTokenFromAProcessOutsideTheAgentsTreeIsRefused) {
  Rig rig;
  std::atomic<pid_t> asked = 0;
  rig.expect("scout", 1, kToken, [&](pid_t pid) {
    asked = pid;
    return pid == ::getpid();
  });
  Child thief(rig.server->unix_target());
  pid_t pid = thief.pid();
  EXPECT_EQ(thief.wait_exit(), grpc::PERMISSION_DENIED);
  EXPECT_EQ(asked, pid);
  EXPECT_TRUE(rig.no_facts());
}

TEST(Link, AProcessThatDiesClosesItsLinkAtOnce) {
  Rig rig;
  rig.expect("scout", 1, kToken, [](pid_t pid) { return pid != ::getpid(); });
  Child agent(rig.server->unix_target());
  auto opened = rig.next<model::LinkOpened>();
  agent.kill_now();
  auto closed = rig.next<model::LinkClosed>();
  EXPECT_EQ(closed.link, opened.link);
  EXPECT_EQ(closed.reason, "the connection was lost");
}

/// Sockets of this process that listen at that path or were accepted there. Others may come and go:
/// what earlier tests left is closed by gRPC's own threads.
std::size_t open_sockets(const std::string& path) {
  std::set<std::string> of_path;
  std::ifstream table("/proc/net/unix");
  for (std::string line; std::getline(table, line);) {
    std::istringstream words(line);
    std::vector<std::string> fields(std::istream_iterator<std::string>(words), {});
    if (fields.size() == 8 && fields[7] == path) of_path.insert("socket:[" + fields[6] + "]");
  }
  std::size_t count = 0;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
    std::error_code gone;
    count += of_path.count(std::filesystem::read_symlink(entry.path(), gone).string());
  }
  return count;
}

// The kernel's word on a connection is kept by descriptor number; it must not be taken for that of
// a later connection with the same number.
TEST(Link, ADescriptorIsKeptWhileAStreamOfItLives) {
  std::latch opened(1);
  std::latch go_on(1);
  Rig* rig_now = nullptr;
  Rig rig({}, [&](auto& sinks) {
    sinks.fact = [&](model::Fact fact) {
      bool open = std::holds_alternative<model::LinkOpened>(fact);
      if (open) {
        opened.count_down();
        go_on.wait();
      }
      rig_now->push(std::move(fact));
    };
  });
  rig_now = &rig;
  rig.expect("scout", 1, kToken, [](pid_t) { return true; });
  const std::string path = rig.server->unix_target().substr(5);
  std::size_t before = open_sockets(path);
  EXPECT_EQ(before, 1U) << "it listens";
  Child agent(rig.server->unix_target());
  opened.wait();
  EXPECT_EQ(open_sockets(path), before + 1);
  agent.kill_now();
  // Another connection comes and goes meanwhile, so the server has had its turn.
  TestAgent other(rig.server->tcp_address(), "");
  other.hello("scout", 1);
  EXPECT_EQ(other.status().error_code(), grpc::UNAUTHENTICATED);
  EXPECT_EQ(open_sockets(path), before + 1);
  go_on.count_down();
  rig.next<model::LinkOpened>();
  rig.next<model::LinkClosed>();
}

int connect_unix(const std::string& path) {
  int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.data(), path.size());
  EXPECT_EQ(::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  return fd;
}

int connect_tcp(const std::string& address_text) {
  int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  std::string port = address_text.substr(address_text.rfind(':') + 1);
  address.sin_port = htons(static_cast<std::uint16_t>(std::stoi(port)));
  EXPECT_EQ(::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  return fd;
}

TEST(Link, H5GarbageOnTheSocketHurtsNobodyElse) {
  Rig rig;
  rig.expect("scout", 1);
  unsigned seed = std::random_device()();
  std::printf("seed %u\n", seed);
  std::mt19937 random(seed);
  std::string path = rig.server->unix_target().substr(5);
  const std::string preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
  for (int round = 0; round < 40; ++round) {
    int fd = round % 2 == 0 ? connect_unix(path) : connect_tcp(rig.server->tcp_address());
    std::string bytes = round % 4 < 2 ? preface : "";
    for (int i = 0; i < 4096; ++i) bytes += static_cast<char>(random());
    (void)!::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    ::shutdown(fd, SHUT_WR);
    timeval limit{20, 0};
    ::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    char buffer[4096];
    ssize_t got = 1;
    while (got > 0) got = ::recv(fd, buffer, sizeof(buffer), 0);
    EXPECT_TRUE(got == 0 || errno == ECONNRESET) << "the server keeps a connection of garbage";
    ::close(fd);
  }
  TestAgent agent(rig.server->unix_target());
  agent.open(rig, "scout", 1);
}

TEST(Link, AfterStopNothingIsSaidAndTheSocketIsGone) {
  Rig rig;
  rig.expect("scout", 1);
  TestAgent agent(rig.server->unix_target());
  agent.open(rig, "scout", 1);
  TestAgent mute(rig.server->tcp_address());
  rig.server->stop();
  rig.next<model::LinkClosed>();
  EXPECT_EQ(agent.status().error_code(), grpc::UNAVAILABLE);
  EXPECT_FALSE(mute.status().ok());
  EXPECT_FALSE(std::filesystem::exists(rig.dir_ / "link.sock"));
  rig.server->stop();
  EXPECT_TRUE(rig.no_facts());
}

TEST(Link, AnAgentComesBackToARestartedServer) {
  Rig rig;
  rig.expect("scout", 1);
  LinkServer::Options options;
  options.unix_path = rig.dir_ / "link.sock";
  TestAgent agent(rig.server->unix_target());
  agent.open(rig, "scout", 1);
  rig.server->stop();
  rig.next<model::LinkClosed>();
  LinkServer::Sinks sinks;
  sinks.fact = [&rig](model::Fact fact) { rig.push(std::move(fact)); };
  auto second = LinkServer::start(options, sinks);
  ASSERT_TRUE(second.has_value());
  (*second)->expect(
      "scout", 1, platform::sha256_hex(kToken), [](pid_t) { return true; }, 1);
  TestAgent again((*second)->unix_target());
  again.open(rig, "scout", 1);
}

TEST(Link, StartSaysWhatIsWrongWithAnAddress) {
  Rig rig;
  LinkServer::Sinks sinks;
  for (std::string address :
       {"0.0.0.0:0", "10.0.0.1:7001", "127.0.0.1", "127.0.0.1:99999", "x:1"}) {
    LinkServer::Options options;
    options.tcp_address = address;
    auto failed = LinkServer::start(options, sinks);
    ASSERT_FALSE(failed.has_value()) << address;
    EXPECT_EQ(failed.error().code(), Code::config_invalid);
  }
  LinkServer::Options taken;
  taken.tcp_address = rig.server->tcp_address();
  auto failed = LinkServer::start(taken, sinks);
  ASSERT_FALSE(failed.has_value());
  EXPECT_EQ(failed.error().code(), Code::environment_invalid);
  LinkServer::Options file;
  file.unix_path = rig.dir_ / "a-file";
  std::filesystem::create_directory(file.unix_path);
  EXPECT_FALSE(LinkServer::start(file, sinks).has_value());
}

TEST(Link, APathTooLongForASocketGetsAStandIn) {
  Rig rig([](auto& options) {
    options.unix_path += std::string(120, 'x');
    options.tcp_address.clear();
  });
  EXPECT_LE(rig.server->unix_target().size(), 5U + 107U);
  rig.expect("scout", 1);
  TestAgent agent(rig.server->unix_target());
  agent.open(rig, "scout", 1);
}

}  // namespace
}  // namespace mainstay::node::test
