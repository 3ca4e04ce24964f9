#include <latch>

#include "node/link/link_test_rig.h"

namespace mainstay::node::test {
namespace {

TEST(Link, AnAgentOpensItsLinkOverBothSockets) {
  Rig rig;
  for (const std::string& target : {rig.server->unix_target(), rig.server->tcp_address()}) {
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

TEST(Link, I3AWrongOrMissingTokenIsRefused) {
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

TEST(Link, I3ATokenOfAnotherAgentIsRefused) {
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

// "Forbidden" would be the agent's last word: it does not come again.
TEST(Link, AHelloThatNobodyExpectsInTimeIsToldToComeAgain) {
  // The time runs from the stream's beginning: enough for the hello on a busy machine.
  Rig rig([](auto& options) { options.hello_timeout = std::chrono::seconds(1); });
  TestAgent agent(rig.server->unix_target());
  agent.hello("scout", 1);
  TestAgent mute(rig.server->unix_target());
  EXPECT_EQ(agent.status().error_code(), grpc::UNAVAILABLE);
  EXPECT_EQ(mute.status().error_code(), grpc::DEADLINE_EXCEEDED);
}

TEST(Link, AResultThatWaitsForTheDiskDoesNotHoldUpHellos) {
  std::latch storing(1);
  std::latch go_on(1);
  Rig rig({}, [&](auto& sinks) {
    sinks.store_payload = [&](std::string text) -> Result<model::Payload> {
      storing.count_down();
      go_on.wait();
      return model::Payload::of(std::move(text));
    };
  });
  rig.expect("scout", 1);
  rig.expect("other", 1);
  TestAgent slow(rig.server->unix_target());
  slow.open(rig, "scout", 1);
  wire::AgentMessage up;
  auto* result = up.add_results();
  result->set_work_id(raw(work_id(1)));
  result->set_epoch(1);
  result->set_output_json("\"" + std::string(100'000, 'x') + "\"");
  ASSERT_TRUE(slow.send(up));
  storing.wait();
  TestAgent other(rig.server->unix_target());
  EXPECT_EQ(other.open(rig, "other", 1).agent, "other");
  go_on.count_down();
  EXPECT_EQ(rig.next<model::AttemptFinished>().agent, "scout");
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

TEST(Link, TheWelcomeSaysTheSettings) {
  Rig rig([](LinkServer::Options& options) {
    options.settings = {"staging", {"a", "b"}, true, "INFO"};
  });
  rig.expect("scout", 1);
  TestAgent agent(rig.server->unix_target());
  ASSERT_TRUE(agent.hello("scout", 1));
  wire::DaemonMessage message;
  ASSERT_TRUE(agent.read(&message));
  const wire::Settings& said = message.welcome().settings();
  EXPECT_EQ(said.environment(), "staging");
  EXPECT_EQ(std::vector<std::string>(said.features().begin(), said.features().end()),
            (std::vector<std::string>{"a", "b"}));
  EXPECT_TRUE(said.debug());
  EXPECT_EQ(said.log_level(), "INFO");
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
  result->add_usage()->set_prompt_tokens(std::int64_t{1} << 62U);
  result->add_usage()->set_api_calls(-1);
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
  EXPECT_EQ(finished.outcome.usage.at(1).prompt_tokens, 1'000'000'000'000);
  EXPECT_EQ(finished.outcome.usage.at(2).api_calls, 0);
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
  // More than the socket and the windows take: its write lasts until the agent reads.
  const std::string large = "\"" + std::string(kMaxLinkPayloadBytes - 2, 'x') + "\"";
  rig.server->assign(assignment("scout", opened.link, 2, large));
  constexpr int kItems = 500;
  for (int i = 1; i < kItems; ++i) rig.server->assign(assignment("scout", opened.link, 1));
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
  for (const std::string& target : {rig.server->unix_target(), rig.server->tcp_address()}) {
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

}  // namespace
}  // namespace mainstay::node::test
