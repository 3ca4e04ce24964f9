// The C++ agent against the daemon's real link server, over a real socket.
#include "mainstay/agent.h"

#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>

#include <atomic>
#include <future>
#include <stdexcept>
#include <thread>

#include "node/link/link_test_rig.h"

extern char** environ;

namespace mainstay {
namespace {

using node::test::assignment;
using node::test::kPatience;
using node::test::kToken;
using node::test::Rig;
using node::test::work_id;

/// An agent on a thread of its own.
class Running {
 public:
  explicit Running(Rig& rig, const std::string& token = kToken)
      : agent_(options(rig.server->unix_target(), token)) {}
  ~Running() {
    agent_.stop(std::chrono::milliseconds(0));
    if (thread_.joinable()) thread_.join();
  }
  static Agent::Options options(const std::string& link, const std::string& token) {
    Agent::Options options;
    options.link = link;
    options.token = token;
    options.name = "scout";
    options.incarnation = 1;
    options.slots = 4;
    options.handle_signals = false;
    return options;
  }
  Agent& agent() { return agent_; }
  void run() {
    thread_ = std::thread([this] { code_.set_value(agent_.run()); });
  }
  int code() {
    auto future = code_.get_future();
    MS_ASSERT(future.wait_for(kPatience) == std::future_status::ready, "the agent does not end");
    return future.get();
  }

 private:
  Agent agent_;
  std::promise<int> code_;
  std::thread thread_;
};

Outcome echo(const Item& item, Context&) { return Outcome::success(item.input()); }

TEST(CppAgent, WorksAndSaysWhatItsHandlerSays) {
  Rig rig;
  rig.expect("scout", 1);
  Running running(rig);
  std::promise<void> heard;  // a result makes progress that is still waiting pointless
  running.agent().capability("test.do", [&heard](const Item& item, Context& context) {
    context.log("WARNING", "careful \xff", "{\"n\":1}");
    context.progress(0.25, "a quarter");
    context.usage({"local", "m", 10, 5, 0, 0, 1, 0});
    context.usage({"local", "m", 1, 1, 0, 0, 1, 0});
    EXPECT_TRUE(context.deadline().has_value());
    heard.get_future().wait();
    return Outcome::success("{\"id\":\"" + item.id() + "\"}");
  });
  running.run();
  auto opened = rig.next<model::LinkOpened>();
  EXPECT_EQ(opened.capabilities, std::vector<std::string>{"test.do"});
  EXPECT_EQ(opened.slots, 4);
  rig.server->assign(assignment("scout", opened.link, 1));
  EXPECT_EQ(rig.next<model::AttemptProgress>().fraction, 0.25);
  heard.set_value();
  auto finished = rig.next<model::AttemptFinished>();
  ASSERT_TRUE(finished.outcome.output.has_value());
  EXPECT_EQ(finished.outcome.output->view(), "{\"id\":\"" + work_id(1).to_text() + "\"}");
  ASSERT_EQ(finished.outcome.usage.size(), 1U);
  EXPECT_EQ(finished.outcome.usage[0].prompt_tokens, 11);
  ASSERT_EQ(rig.logs.size(), 1U);
  EXPECT_EQ(rig.logs[0].message, "careful \xEF\xBF\xBD");
}

TEST(CppAgent, SeesTheSettingsOfTheDaemonAndFollowsItsLogLevel) {
  Rig rig([](node::LinkServer::Options& options) {
    options.settings = {"staging", {"a", "b"}, false, "WARNING"};
  });
  rig.expect("scout", 1);
  Running running(rig);
  running.agent().capability("test.do", [](const Item&, Context& context) {
    context.log("INFO", "not wanted");
    context.log("WARNING", "wanted");
    const auto settings = context.settings();
    return Outcome::success(settings->environment == "staging" && settings->feature("b") &&
                                    !settings->feature("c")
                                ? "true"
                                : "false");
  });
  running.run();
  auto opened = rig.next<model::LinkOpened>();
  rig.server->assign(assignment("scout", opened.link, 1));
  EXPECT_EQ(rig.next<model::AttemptFinished>().outcome.output->view(), "true");
  EXPECT_EQ(running.agent().settings()->log_level, "WARNING");
  running.agent().stop(std::chrono::seconds(1));
  EXPECT_EQ(running.code(), Agent::kStopped);
  ASSERT_EQ(rig.logs.size(), 1U);
  EXPECT_EQ(rig.logs[0].message, "wanted");
}

TEST(CppAgent, AFailureAnExceptionAndAnUnknownCapabilityAreToldApart) {
  Rig rig;
  rig.expect("scout", 1);
  Running running(rig);
  running.agent().capability("test.do", [](const Item& item, Context&) -> Outcome {
    if (item.input() == "1") throw std::out_of_range("no such index");
    return Outcome::failure("no_such_file", "x is missing", true);
  });
  running.run();
  auto opened = rig.next<model::LinkOpened>();
  rig.server->assign(assignment("scout", opened.link, 1, "1"));
  auto thrown = rig.next<model::AttemptFinished>();
  EXPECT_EQ(thrown.outcome.error->code, "std::out_of_range");
  EXPECT_EQ(thrown.outcome.error->message, "no such index");
  EXPECT_FALSE(thrown.outcome.error->permanent);
  rig.server->assign(assignment("scout", opened.link, 2, "2"));
  auto failed = rig.next<model::AttemptFinished>();
  EXPECT_EQ(failed.outcome.error->code, "no_such_file");
  EXPECT_TRUE(failed.outcome.error->permanent);
  auto other = assignment("scout", opened.link, 3);
  auto spec = std::make_shared<model::WorkSpec>(*other.work);
  spec->capability = "test.other";
  other.work = spec;
  rig.server->assign(other);
  auto refused = rig.next<model::AttemptFinished>();
  EXPECT_EQ(refused.outcome.error->kind, model::FailureKind::refused);
}

TEST(CppAgent, AResultOverTheLimitIsAFailureNotALostLink) {
  Rig rig;
  rig.expect("scout", 1);
  Running running(rig);
  running.agent().capability("test.do", [](const Item&, Context&) {
    return Outcome::success("\"" + std::string(kMaxPayloadBytes, 'x') + "\"");
  });
  running.run();
  auto opened = rig.next<model::LinkOpened>();
  rig.server->assign(assignment("scout", opened.link, 1));
  EXPECT_EQ(rig.next<model::AttemptFinished>().outcome.error->code, "payload_too_large");
}

TEST(CppAgent, ACancelReachesTheHandler) {
  Rig rig;
  rig.expect("scout", 1);
  Running running(rig);
  std::promise<void> began;
  running.agent().capability("test.do", [&](const Item&, Context& context) {
    began.set_value();
    EXPECT_TRUE(context.wait_cancelled(kPatience));
    return Outcome::failure("stopped", "as told");
  });
  running.run();
  auto opened = rig.next<model::LinkOpened>();
  rig.server->assign(assignment("scout", opened.link, 1));
  began.get_future().wait();
  rig.server->cancel({"scout", opened.link, work_id(1), 7, "not wanted"});
  EXPECT_EQ(rig.next<model::AttemptFinished>().outcome.error->kind, model::FailureKind::cancelled);
}

TEST(CppAgent, WhatIsHandedOutTwiceRunsOnce) {
  Rig rig;
  rig.expect("scout", 1);
  Running running(rig);
  std::atomic<int> runs = 0;
  running.agent().capability("test.do", [&](const Item&, Context&) {
    ++runs;
    return Outcome::success("1");
  });
  running.run();
  auto opened = rig.next<model::LinkOpened>();
  for (int i = 0; i < 5; ++i) rig.server->assign(assignment("scout", opened.link, 1));
  rig.next<model::AttemptFinished>();
  rig.server->assign(assignment("scout", opened.link, 2));
  EXPECT_EQ(rig.next<model::AttemptFinished>().work, work_id(2));
  EXPECT_EQ(runs, 2);
}

TEST(CppAgent, NoResultIsLostAcrossARestartOfTheDaemon) {
  Rig rig;
  rig.expect("scout", 1);
  std::promise<void> go_on;
  auto wait = go_on.get_future().share();
  Running running(rig);
  running.agent().capability("test.do", [wait](const Item& item, Context&) {
    if (item.input() == "2") wait.wait();
    return Outcome::success(item.input());
  });
  running.run();
  auto opened = rig.next<model::LinkOpened>();
  rig.server->assign(assignment("scout", opened.link, 1, "1"));
  EXPECT_EQ(rig.next<model::AttemptFinished>().work, work_id(1));  // and not acknowledged
  rig.server->assign(assignment("scout", opened.link, 2, "2"));
  rig.server->stop();
  rig.next<model::LinkClosed>();
  node::LinkServer::Options options;
  options.unix_path = rig.dir_ / "link.sock";
  node::LinkServer::Sinks sinks;
  sinks.fact = [&rig](model::Fact fact) { rig.push(std::move(fact)); };
  sinks.store_payload = [](std::string text) -> Result<model::Payload> {
    return model::Payload::of(std::move(text));
  };
  rig.server = node::LinkServer::start(options, sinks).value();
  rig.expect("scout", 1);
  auto again = rig.next<model::LinkOpened>();
  // The second assignment may not have left the daemon; the first result is held in any case.
  ASSERT_GE(again.held.size(), 1U);
  EXPECT_EQ(rig.next<model::AttemptFinished>().work, work_id(1));
  rig.server->ack({"scout", again.link, work_id(1), 7, true});
  go_on.set_value();
  rig.server->assign(assignment("scout", again.link, 2, "2"));
  EXPECT_EQ(rig.next<model::AttemptFinished>().work, work_id(2));
  rig.server->ack({"scout", again.link, work_id(2), 7, true});
  rig.server->drain({"scout", again.link, std::chrono::seconds(5)});
  EXPECT_TRUE(rig.next<model::LinkClosed>().orderly);
  EXPECT_EQ(running.code(), Agent::kStopped);
}

TEST(CppAgent, DrainLetsItFinishThenItSaysGoodbye) {
  Rig rig;
  rig.expect("scout", 1);
  Running running(rig);
  std::promise<void> began;
  std::promise<void> go_on;
  running.agent().capability("test.do", [&](const Item&, Context&) {
    began.set_value();
    go_on.get_future().wait();
    return Outcome::success("1");
  });
  running.run();
  auto opened = rig.next<model::LinkOpened>();
  rig.server->assign(assignment("scout", opened.link, 1));
  began.get_future().wait();
  rig.server->drain({"scout", opened.link, kPatience});
  rig.server->assign(assignment("scout", opened.link, 2));  // too late: given back
  EXPECT_EQ(rig.next<model::AttemptFinished>().outcome.error->kind, model::FailureKind::refused);
  rig.server->ack({"scout", opened.link, work_id(2), 7, true});
  go_on.set_value();
  EXPECT_TRUE(rig.next<model::AttemptFinished>().outcome.output.has_value());
  rig.server->ack({"scout", opened.link, work_id(1), 7, true});
  EXPECT_TRUE(rig.next<model::LinkClosed>().orderly);
  EXPECT_EQ(running.code(), Agent::kStopped);
}

TEST(CppAgent, AWrongTokenEndsIt) {
  Rig rig;
  rig.expect("scout", 1);
  Running running(rig, "another");
  running.run();
  EXPECT_EQ(running.code(), Agent::kTokenRefused);
}

TEST(CppAgent, AHandlerThatOutlivesTheGraceIsLeftBehind) {
  Rig rig;
  rig.expect("scout", 1);
  auto go_on = std::make_shared<std::promise<void>>();
  auto over = std::make_shared<std::promise<void>>();
  std::promise<void> began;
  Running running(rig);
  running.agent().capability("test.do", [&began, go_on, over](const Item&, Context& context) {
    began.set_value();
    context.wait_cancelled(kPatience);
    go_on->get_future().wait();
    over->set_value();
    return Outcome::success("1");
  });
  running.run();
  auto opened = rig.next<model::LinkOpened>();
  rig.server->assign(assignment("scout", opened.link, 1));
  began.get_future().wait();
  rig.server->drain({"scout", opened.link, std::chrono::milliseconds(1)});
  EXPECT_EQ(running.code(), Agent::kGraceOver);
  go_on->set_value();
  over->get_future().wait();
}

TEST(CppAgent, StopsWithNoDaemonThere) {
  Rig rig;
  Running running(rig);
  running.agent().capability("test.do", echo);
  rig.server->stop();
  running.run();
  running.agent().stop(std::chrono::seconds(5));
  EXPECT_EQ(running.code(), Agent::kStopped);
}

TEST(CppAgent, TheNoopAgentServesAndObeysSigterm) {
  Rig rig;
  rig.expect("scout", 1, kToken, [](pid_t) { return true; });
  std::string program = MAINSTAY_NOOP_AGENT;
  std::vector<std::string> env = {"MAINSTAY_LINK=" + rig.server->unix_target(),
                                  "MAINSTAY_TOKEN=" + kToken, "MAINSTAY_AGENT=scout",
                                  "MAINSTAY_INCARNATION=1", "PATH=/usr/bin:/bin"};
  if (const char* options = std::getenv("TSAN_OPTIONS")) {
    env.push_back(std::string("TSAN_OPTIONS=") + options);
  }
  std::vector<char*> envp;
  for (auto& entry : env) envp.push_back(entry.data());
  envp.push_back(nullptr);
  char* argv[] = {program.data(), nullptr};
  pid_t pid = 0;
  ASSERT_EQ(::posix_spawn(&pid, program.c_str(), nullptr, nullptr, argv, envp.data()), 0);
  auto opened = rig.next<model::LinkOpened>();
  auto work = assignment("scout", opened.link, 1, "{\"x\":[1]}");
  auto spec = std::make_shared<model::WorkSpec>(*work.work);
  spec->capability = "bench.echo";
  work.work = spec;
  rig.server->assign(work);
  EXPECT_EQ(rig.next<model::AttemptFinished>().outcome.output->view(), "{\"x\":[1]}");
  rig.server->ack({"scout", opened.link, work_id(1), 7, true});
  ::kill(pid, SIGTERM);
  int status = 0;
  ASSERT_EQ(::waitpid(pid, &status, 0), pid);
  EXPECT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 0);
  EXPECT_TRUE(rig.next<model::LinkClosed>().orderly);
}

TEST(CppAgent, WithoutItsEnvironmentItSaysWhatIsMissing) {
  Agent::Options options;
  options.link = "unix:/nowhere";
  options.handle_signals = false;
  Agent agent(options);
  testing::internal::CaptureStderr();
  EXPECT_EQ(agent.run(), Agent::kConfiguration);
  EXPECT_NE(testing::internal::GetCapturedStderr().find("MAINSTAY_TOKEN"), std::string::npos);
}

}  // namespace
}  // namespace mainstay
