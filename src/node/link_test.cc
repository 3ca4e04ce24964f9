#include <arpa/inet.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <filesystem>
#include <latch>
#include <random>

#include "node/link_test_rig.h"

namespace mainstay::node::test {
namespace {

TEST(Link, AnAgentOpensItsLinkOverBothSockets) {
  Rig rig;
  for (std::string target : {rig.server->unix_target(), rig.server->tcp_address()}) {
    rig.expect("scout", 3);
    TestAgent agent(target);
    wire::AgentMessage hello = TestAgent::hello_of("scout", 3);
    hello.mutable_hello()->add_capabilities("repo.scan");
    ASSERT_TRUE(agent.send(hello));
    auto opened = rig.next<model::LinkOpened>();
    EXPECT_EQ(opened.agent, "scout");
    EXPECT_EQ(opened.incarnation, 3);
    EXPECT_EQ(opened.slots, 2);
    EXPECT_EQ(opened.sdk, "test 1 (c++)");
    EXPECT_EQ(opened.capabilities, std::vector<std::string>{"repo.scan"});
    EXPECT_GT(opened.link, 0U);
    wire::DaemonMessage message;
    ASSERT_TRUE(agent.read(&message));
    EXPECT_EQ(message.welcome().daemon_version(), "test");
    agent.half_close();
    EXPECT_TRUE(agent.status().ok());
    auto closed = rig.next<model::LinkClosed>();
    EXPECT_EQ(closed.link, opened.link);
    EXPECT_FALSE(closed.orderly);
  }
}

TEST(Link, AWrongOrMissingTokenIsRefused) {
  Rig rig;
  rig.expect("scout", 1);
  TestAgent liar(rig.server->unix_target(), "another");
  liar.hello("scout", 1);
  EXPECT_EQ(liar.status().error_code(), grpc::UNAUTHENTICATED);
  TestAgent silent(rig.server->tcp_address(), "");
  silent.hello("scout", 1);
  EXPECT_EQ(silent.status().error_code(), grpc::UNAUTHENTICATED);
  EXPECT_TRUE(rig.no_facts());
}

TEST(Link, ATokenOfAnotherAgentIsRefused) {
  Rig rig;
  rig.expect("scout", 1, "token of scout");
  rig.expect("critic", 1, "token of critic");
  TestAgent impostor(rig.server->tcp_address(), "token of critic");
  impostor.hello("scout", 1);
  EXPECT_EQ(impostor.status().error_code(), grpc::UNAUTHENTICATED);
}

TEST(Link, AnOlderIncarnationIsRefusedAtOnce) {
  Rig rig;
  rig.expect("scout", 5);
  TestAgent old(rig.server->unix_target());
  old.hello("scout", 4);
  EXPECT_EQ(old.status().error_code(), grpc::PERMISSION_DENIED);
}

TEST(Link, AHelloBeforeItIsExpectedWaits) {
  Rig rig;
  TestAgent agent(rig.server->unix_target());
  ASSERT_TRUE(agent.hello("scout", 2));
  TestAgent other(rig.server->unix_target());  // its refusal says that the hello was judged
  rig.expect("other", 2);
  other.hello("other", 1);
  EXPECT_EQ(other.status().error_code(), grpc::PERMISSION_DENIED);
  EXPECT_TRUE(rig.no_facts());
  rig.expect("scout", 2);
  EXPECT_EQ(rig.next<model::LinkOpened>().agent, "scout");
}

TEST(Link, AHelloThatNobodyExpectsIsRefusedInTime) {
  Rig rig([](auto& options) { options.hello_timeout = std::chrono::milliseconds(50); });
  TestAgent agent(rig.server->unix_target());
  agent.hello("nobody", 1);
  EXPECT_EQ(agent.status().error_code(), grpc::PERMISSION_DENIED);
  TestAgent mute(rig.server->unix_target());
  EXPECT_EQ(mute.status().error_code(), grpc::DEADLINE_EXCEEDED);
}

TEST(Link, ANewerHelloTakesTheLinksPlace) {
  Rig rig;
  rig.expect("scout", 1);
  TestAgent first(rig.server->unix_target());
  auto opened = first.open(rig, "scout", 1);
  TestAgent second(rig.server->unix_target());
  wire::AgentMessage hello = TestAgent::hello_of("scout", 1);
  auto* held = hello.mutable_hello()->add_held();
  held->set_work_id(raw(work_id(9)));
  held->set_epoch(4);
  ASSERT_TRUE(second.send(hello));
  auto closed = rig.next<model::LinkClosed>();
  EXPECT_EQ(closed.link, opened.link);
  auto again = rig.next<model::LinkOpened>();
  EXPECT_GT(again.link, opened.link);
  ASSERT_EQ(again.held.size(), 1U);
  EXPECT_EQ(again.held[0].work, work_id(9));
  EXPECT_EQ(again.held[0].epoch, 4);
  EXPECT_EQ(first.status().error_code(), grpc::FAILED_PRECONDITION);
  EXPECT_TRUE(rig.no_facts());
}

TEST(Link, TheWelcomeSaysHowManyItemsAtATime) {
  Rig rig;
  rig.expect("scout", 1);  // 8 by the fleet file
  const std::vector<std::pair<int, int>> cases = {{0, 8}, {3, 3}, {20, 8}};
  for (auto [asked, allowed] : cases) {
    TestAgent agent(rig.server->unix_target());
    wire::AgentMessage hello = TestAgent::hello_of("scout", 1);
    hello.mutable_hello()->set_slots(asked);
    ASSERT_TRUE(agent.send(hello));
    wire::DaemonMessage message;
    ASSERT_TRUE(agent.read(&message));
    EXPECT_EQ(message.welcome().slots(), allowed);
  }
}

TEST(Link, WhatBreaksTheProtocolIsToldSoAndClosed) {
  Rig rig;
  rig.expect("scout", 1);
  wire::AgentMessage no_hello;
  no_hello.set_goodbye(true);
  wire::AgentMessage bad_name = TestAgent::hello_of("../etc", 1);
  wire::AgentMessage bad_held = TestAgent::hello_of("scout", 1);
  bad_held.mutable_hello()->add_held()->set_work_id("short");
  wire::AgentMessage bad_slots = TestAgent::hello_of("scout", 1);
  bad_slots.mutable_hello()->set_slots(-1);
  for (const auto& message : {no_hello, bad_name, bad_held, bad_slots}) {
    TestAgent agent(rig.server->unix_target());
    agent.send(message);
    EXPECT_EQ(agent.status().error_code(), grpc::INVALID_ARGUMENT) << message.ShortDebugString();
  }
  EXPECT_TRUE(rig.no_facts());

  TestAgent twice(rig.server->unix_target());
  twice.open(rig, "scout", 1);
  twice.hello("scout", 1);
  EXPECT_EQ(twice.status().error_code(), grpc::INVALID_ARGUMENT);
  EXPECT_EQ(rig.next<model::LinkClosed>().reason, "a second hello on one stream");
}

TEST(Link, WorkGoesDownAndResultsComeUp) {
  Rig rig;
  rig.expect("scout", 1);
  TestAgent agent(rig.server->unix_target());
  auto opened = agent.open(rig, "scout", 1);
  rig.server->assign(assignment("scout", opened.link, 1, "{\"a\":1}"));
  wire::DaemonMessage down;
  ASSERT_TRUE(agent.read(&down));
  ASSERT_EQ(down.assignments_size(), 1);
  EXPECT_EQ(down.assignments(0).work_id(), raw(work_id(1)));
  EXPECT_EQ(down.assignments(0).epoch(), 7);
  EXPECT_EQ(down.assignments(0).attempt(), 2);
  EXPECT_EQ(down.assignments(0).input_json(), "{\"a\":1}");
  EXPECT_EQ(down.assignments(0).time_left_ms(), 1) << "10 us are left, which is not: no limit";
  EXPECT_EQ(down.assignments(0).labels().at("team"), "blue");

  wire::AgentMessage up;
  auto* line = up.add_logs();
  line->set_level("WARNING");
  line->set_message("careful");
  line->set_work_id(raw(work_id(1)));
  auto* progress = up.add_progress();
  progress->set_work_id(raw(work_id(1)));
  progress->set_epoch(7);
  progress->set_fraction(7.5);
  auto* result = up.add_results();
  result->set_work_id(raw(work_id(1)));
  result->set_epoch(7);
  result->set_output_json("[1, 2]");
  result->set_handler_micros(1500);
  result->add_usage()->set_prompt_tokens(12);
  ASSERT_TRUE(agent.send(up));
  auto said = rig.next<model::AttemptProgress>();
  EXPECT_EQ(said.fraction, 1.0);
  EXPECT_EQ(said.agent, "scout");
  auto finished = rig.next<model::AttemptFinished>();
  EXPECT_EQ(finished.agent, "scout");
  EXPECT_EQ(finished.link, opened.link);
  EXPECT_EQ(finished.work, work_id(1));
  ASSERT_TRUE(finished.outcome.output.has_value());
  EXPECT_EQ(finished.outcome.output->view(), "[1, 2]");
  EXPECT_EQ(finished.outcome.handler_time, std::chrono::microseconds(1500));
  EXPECT_EQ(finished.outcome.usage.at(0).prompt_tokens, 12);
  ASSERT_EQ(rig.logs.size(), 1U);
  EXPECT_EQ(rig.logs[0].level, model::LogLevel::WARNING);
  EXPECT_EQ(rig.logs[0].context.agent, "scout");
  EXPECT_EQ(rig.logs[0].context.work_id, work_id(1).to_text());

  rig.server->ack({"scout", opened.link, work_id(1), 7, true});
  rig.server->cancel({"scout", opened.link, work_id(2), 3, "not wanted"});
  rig.server->drain({"scout", opened.link, std::chrono::seconds(5)});
  wire::DaemonMessage all;
  while (!all.has_drain() && agent.read(&down)) all.MergeFrom(down);
  ASSERT_EQ(all.acks_size(), 1);
  EXPECT_TRUE(all.acks(0).accepted());
  ASSERT_EQ(all.cancels_size(), 1);
  EXPECT_EQ(all.cancels(0).reason(), "not wanted");
  EXPECT_EQ(all.drain().grace_ms(), 5000);

  wire::AgentMessage bye;
  bye.set_goodbye(true);
  ASSERT_TRUE(agent.send(bye));
  EXPECT_TRUE(agent.status().ok());
  EXPECT_TRUE(rig.next<model::LinkClosed>().orderly);
}

TEST(Link, WhatIsQueuedTogetherGoesOutTogether) {
  Rig rig;
  rig.expect("scout", 1);
  TestAgent agent(rig.server->unix_target());
  auto opened = agent.open(rig, "scout", 1);
  constexpr int kItems = 500;
  for (int i = 0; i < kItems; ++i) rig.server->assign(assignment("scout", opened.link, 1));
  int got = 0;
  int messages = 0;
  wire::DaemonMessage down;
  while (got < kItems && agent.read(&down)) {
    got += down.assignments_size();
    ++messages;
  }
  EXPECT_EQ(got, kItems);
  EXPECT_LT(messages, kItems / 4);
}

TEST(Link, AnOutputThatIsNotJsonFailsTheAttemptOnly) {
  Rig rig;
  rig.expect("scout", 1);
  TestAgent agent(rig.server->unix_target());
  agent.open(rig, "scout", 1);
  const std::vector<std::string> outputs = {
      "", "{", "nope", "{\"a\":1,\"a\":2}", "\"\xff\xfe\"", "1 2", std::string(1000, '[')};
  for (const std::string& output : outputs) {
    wire::AgentMessage up;
    auto* result = up.add_results();
    result->set_work_id(raw(work_id(1)));
    result->set_epoch(1);
    result->set_output_json(output);
    ASSERT_TRUE(agent.send(up));
    auto finished = rig.next<model::AttemptFinished>();
    EXPECT_FALSE(finished.outcome.output.has_value());
    ASSERT_TRUE(finished.outcome.error.has_value()) << output;
    EXPECT_EQ(finished.outcome.error->code, "handler_failed");
    EXPECT_FALSE(finished.outcome.error->permanent);
  }
}

TEST(Link, LargeOutputsAreStoredBeforeTheyAreFacts) {
  Rig rig;
  rig.expect("scout", 1);
  TestAgent agent(rig.server->unix_target());
  agent.open(rig, "scout", 1);
  for (std::size_t size : {std::size_t{100'000}, kMaxLinkPayloadBytes, kMaxLinkPayloadBytes + 1}) {
    wire::AgentMessage up;
    auto* result = up.add_results();
    result->set_work_id(raw(work_id(1)));
    result->set_epoch(1);
    result->set_output_json("\"" + std::string(size - 2, 'x') + "\"");
    ASSERT_TRUE(agent.send(up));
    auto finished = rig.next<model::AttemptFinished>();
    if (size <= kMaxLinkPayloadBytes) {
      ASSERT_TRUE(finished.outcome.output.has_value());
      EXPECT_EQ(finished.outcome.output->blob.size(), 64U);
      EXPECT_EQ(finished.outcome.output->view().size(), size);
    } else {
      ASSERT_TRUE(finished.outcome.error.has_value());
      EXPECT_EQ(finished.outcome.error->code, "payload_too_large");
      EXPECT_TRUE(finished.outcome.error->permanent);
    }
  }
}

TEST(Link, AResultThatCannotBeStoredIsNotTakenSoTheAgentKeepsIt) {
  Rig rig({}, [](auto& sinks) {
    sinks.store_payload = [](std::string) -> Result<model::Payload> {
      return Error(Code::storage_full, "the disk is full");
    };
  });
  rig.expect("scout", 1);
  TestAgent agent(rig.server->unix_target());
  agent.open(rig, "scout", 1);
  wire::AgentMessage up;
  auto* result = up.add_results();
  result->set_work_id(raw(work_id(1)));
  result->set_epoch(1);
  result->set_output_json("\"" + std::string(100'000, 'x') + "\"");
  agent.send(up);
  EXPECT_EQ(agent.status().error_code(), grpc::UNAVAILABLE);
  EXPECT_EQ(rig.next<model::LinkClosed>().reason, "the disk is full");
}

TEST(Link, AMessageOverTheLimitEndsTheLinkNotTheServer) {
  Rig rig;
  rig.expect("scout", 1);
  rig.expect("other", 1);
  for (std::string target : {rig.server->unix_target(), rig.server->tcp_address()}) {
    TestAgent agent(target);
    agent.open(rig, "scout", 1);
    wire::AgentMessage up;
    up.add_results()->set_output_json(std::string(kMaxLinkPayloadBytes + (9U << 20), 'x'));
    agent.send(up);
    EXPECT_EQ(agent.status().error_code(), grpc::RESOURCE_EXHAUSTED);
    rig.next<model::LinkClosed>();
    TestAgent other(target);
    other.open(rig, "other", 1);
    other.half_close();
    rig.next<model::LinkClosed>();
  }
}

TEST(Link, AResultWithoutAnAttemptEndsTheLink) {
  Rig rig;
  rig.expect("scout", 1);
  TestAgent agent(rig.server->unix_target());
  agent.open(rig, "scout", 1);
  wire::AgentMessage up;
  up.add_results()->set_work_id("not sixteen bytes");
  agent.send(up);
  EXPECT_EQ(agent.status().error_code(), grpc::INVALID_ARGUMENT);
  rig.next<model::LinkClosed>();
}

TEST(Link, AReaderTooSlowLosesItsLink) {
  Rig rig([](auto& options) { options.max_queued_bytes = std::size_t{1} << 20; });
  rig.expect("scout", 1);
  TestAgent agent(rig.server->unix_target());
  auto opened = agent.open(rig, "scout", 1);
  std::string input = "\"" + std::string(60'000, 'x') + "\"";
  // It reads nothing: the socket and the windows fill, then the queue.
  for (int i = 0; i < 400; ++i) rig.server->assign(assignment("scout", opened.link, 1, input));
  EXPECT_EQ(rig.next<model::LinkClosed>().reason, "the peer reads too slowly");
}

TEST(Link, CloseAndForgetEndTheLink) {
  Rig rig;
  rig.expect("scout", 1);
  TestAgent agent(rig.server->unix_target());
  auto opened = agent.open(rig, "scout", 1);
  rig.server->close({"scout", opened.link + 1, "another link"});
  rig.server->close({"scout", opened.link, "not the live one"});
  auto status = agent.status();
  EXPECT_EQ(status.error_code(), grpc::UNAVAILABLE);
  EXPECT_EQ(status.error_message(), "not the live one");
  EXPECT_EQ(rig.next<model::LinkClosed>().reason, "not the live one");
  TestAgent again(rig.server->unix_target());
  again.open(rig, "scout", 1);
  rig.server->forget("scout", 1);
  EXPECT_EQ(again.status().error_code(), grpc::FAILED_PRECONDITION);
  rig.next<model::LinkClosed>();
}

TEST(Link, ANewStartEndsTheLinkOfTheOldOne) {
  Rig rig;
  rig.expect("scout", 1, "first");
  TestAgent agent(rig.server->unix_target(), "first");
  agent.open(rig, "scout", 1);
  rig.expect("scout", 2, "second");
  EXPECT_EQ(agent.status().error_code(), grpc::FAILED_PRECONDITION);
  rig.next<model::LinkClosed>();
}

// ---- identity of the process, raw bytes, stop -------------------------------------------------

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

std::size_t open_sockets() {
  std::size_t count = 0;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
    std::error_code gone;
    auto to = std::filesystem::read_symlink(entry.path(), gone).string();
    count += to.rfind("socket:", 0) == 0 ? 1U : 0U;
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
  std::size_t before = open_sockets();
  Child agent(rig.server->unix_target());
  opened.wait();
  EXPECT_EQ(open_sockets(), before + 1);
  agent.kill_now();
  // Another connection comes and goes meanwhile, so the server has had its turn.
  TestAgent other(rig.server->tcp_address(), "");
  other.hello("scout", 1);
  EXPECT_EQ(other.status().error_code(), grpc::UNAUTHENTICATED);
  EXPECT_GE(open_sockets(), before + 1);
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
