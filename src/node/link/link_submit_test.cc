#include <deque>
#include <map>

#include "node/link/link_test_rig.h"

namespace mainstay::node::test {
namespace {

/// Plays the control loop: accepts what names a capability, finishes what it is told to.
struct Desk {
  std::mutex mutex;
  std::vector<model::SubmitWork> submitted;
  std::vector<std::string> principals;
  std::map<model::WorkId, LinkServer::WorkFinished> waits;
  std::vector<LinkServer::CommandDone> held_back;
  bool hold_back = false;

  model::WorkSpec spec(std::size_t number) {
    std::lock_guard lock(mutex);
    return submitted.at(number).spec;
  }
  std::string principal(std::size_t number) {
    std::lock_guard lock(mutex);
    return principals.at(number);
  }
  std::size_t size() {
    std::lock_guard lock(mutex);
    return submitted.size();
  }

  void attach(LinkServer::Sinks& sinks) {
    sinks.command = [this](model::CommandBody body, std::string principal,
                           LinkServer::CommandDone done) {
      auto& submit = std::get<model::SubmitWork>(body);
      std::unique_lock lock(mutex);
      submitted.push_back(submit);
      principals.push_back(std::move(principal));
      auto id = work_id(static_cast<std::uint8_t>(submitted.size()));
      if (hold_back) {
        held_back.push_back(std::move(done));
        return;
      }
      lock.unlock();
      if (submit.spec.capability.empty()) {
        return done(Error(Code::work_invalid, "capability is missing"));
      }
      done(model::ReplyBody(model::WorkAccepted{id, model::WorkState::queued, false}));
    };
    sinks.on_finished = [this](model::WorkId id, LinkServer::WorkFinished finished) {
      std::lock_guard lock(mutex);
      waits[id] = std::move(finished);
    };
  }
};

class TestClient {
 public:
  explicit TestClient(const std::string& target, const std::string& token)
      : stub_(wire::Work::NewStub(channel_to(target))) {
    context_.AddMetadata("authorization", "Bearer " + token);
    context_.set_deadline(std::chrono::system_clock::now() + kPatience);
    stream_ = stub_->Submit(&context_);
  }
  bool send(const wire::SubmitRequest& request) { return stream_->Write(request); }
  wire::SubmitReply read() {
    wire::SubmitReply reply;
    EXPECT_TRUE(stream_->Read(&reply));
    return reply;
  }
  grpc::Status status() {
    stream_->WritesDone();
    wire::SubmitReply reply;
    while (stream_->Read(&reply)) {
    }
    return stream_->Finish();
  }

 private:
  std::unique_ptr<wire::Work::Stub> stub_;
  grpc::ClientContext context_;
  std::unique_ptr<grpc::ClientReaderWriter<wire::SubmitRequest, wire::SubmitReply>> stream_;
};

wire::SubmitRequest request(std::uint64_t id, const std::string& capability) {
  wire::SubmitRequest made;
  made.set_request_id(id);
  made.set_capability(capability);
  made.set_description("a piece of work");
  made.set_input_json("{\"n\":1}");
  return made;
}

TEST(LinkSubmit, AcceptedRefusedAndFinishedAreTold) {
  Desk desk;
  Rig rig({}, [&](auto& sinks) { desk.attach(sinks); });
  TestClient client(rig.server->unix_target(), "ms_op_test");
  auto first = request(41, "test.do");
  first.set_wait(true);
  first.set_idempotency_key("k");
  first.set_timeout_ms(1500);
  ASSERT_TRUE(client.send(first));
  auto reply = client.read();
  EXPECT_EQ(reply.request_id(), 41U);
  EXPECT_EQ(reply.accepted().work_id(), raw(work_id(1)));
  ASSERT_TRUE(client.send(request(42, "")));
  EXPECT_EQ(client.read().problem().code(), "work_invalid");
  auto broken = request(43, "test.do");
  broken.set_input_json("{");
  ASSERT_TRUE(client.send(broken));
  EXPECT_EQ(client.read().problem().code(), "invalid_argument");

  LinkServer::WorkFinished finished;
  {
    std::lock_guard lock(desk.mutex);
    ASSERT_EQ(desk.submitted.size(), 2U);
    EXPECT_EQ(desk.principals[0], "operator");
    EXPECT_EQ(desk.submitted[0].spec.timeout, std::chrono::milliseconds(1500));
    EXPECT_EQ(desk.submitted[0].spec.request_sha256.size(), 64U);
    EXPECT_EQ(desk.submitted[0].spec.priority, model::kPriorityDefault);
    finished = desk.waits.at(work_id(1));
  }
  finished(model::WorkState::succeeded, model::Payload::of("{\"ok\":true}"), std::nullopt);
  auto end = client.read();
  EXPECT_EQ(end.request_id(), 41U);
  EXPECT_EQ(end.finished().state(), "succeeded");
  EXPECT_EQ(end.finished().output_json(), "{\"ok\":true}");
  EXPECT_TRUE(client.status().ok());
}

/// Plays the work database: answers when it is told to.
struct Keys {
  using Answer = std::function<void(Result<LinkServer::KnownKeys>)>;
  std::mutex mutex;
  std::condition_variable asked;
  std::deque<std::pair<std::vector<std::string>, Answer>> lookups;

  void attach(LinkServer::Sinks& sinks) {
    sinks.find_work_keys = [this](std::vector<std::string> keys, Answer answer) {
      std::lock_guard lock(mutex);
      lookups.emplace_back(std::move(keys), std::move(answer));
      asked.notify_all();
    };
  }
  std::pair<std::vector<std::string>, Answer> next() {
    std::unique_lock lock(mutex);
    MS_ASSERT(asked.wait_for(lock, kPatience, [this] { return !lookups.empty(); }),
              "no key was looked up in time");
    auto lookup = std::move(lookups.front());
    lookups.pop_front();
    return lookup;
  }
};

wire::SubmitRequest keyed(std::uint64_t id, const std::string& key) {
  auto made = request(id, "test.do");
  made.set_idempotency_key(key);
  return made;
}

TEST(LinkSubmit, AKeyIsLookedUpBeforeItsWorkIsHandedIn) {
  Desk desk;
  Keys keys;
  Rig rig({}, [&](auto& sinks) {
    desk.attach(sinks);
    keys.attach(sinks);
  });
  TestClient client(rig.server->unix_target(), "ms_op_test");
  ASSERT_TRUE(client.send(keyed(1, "a")));
  auto [asked, answer] = keys.next();
  EXPECT_EQ(asked, std::vector<std::string>{"a"});
  // What comes meanwhile waits its turn, with a key or without, and shares the next lookup.
  ASSERT_TRUE(client.send(keyed(2, "b")));
  ASSERT_TRUE(client.send(request(3, "test.do")));
  ASSERT_TRUE(client.send(keyed(4, "c")));
  EXPECT_EQ(desk.size(), 0U);
  const model::SubmitWork::Known known{work_id(9), std::string(64, 'a'), model::WorkState::failed};
  answer(LinkServer::KnownKeys{known});
  EXPECT_EQ(client.read().request_id(), 1U);
  std::vector<std::string> later;
  while (later.size() < 2) {
    auto [more, told] = keys.next();
    later.insert(later.end(), more.begin(), more.end());
    told(LinkServer::KnownKeys(more.size()));
  }
  EXPECT_EQ(later, (std::vector<std::string>{"b", "c"}));
  for (std::uint64_t id = 2; id <= 4; ++id) EXPECT_EQ(client.read().request_id(), id);
  std::lock_guard lock(desk.mutex);
  ASSERT_EQ(desk.submitted.size(), 4U);
  ASSERT_TRUE(desk.submitted[0].known);
  EXPECT_EQ(desk.submitted[0].known->id, work_id(9));
  for (std::size_t at = 1; at < 4; ++at) EXPECT_FALSE(desk.submitted[at].known);
}

TEST(LinkSubmit, AKeyThatCannotBeLookedUpIsRefusedNotHandedIn) {
  Desk desk;
  Keys keys;
  Rig rig({}, [&](auto& sinks) {
    desk.attach(sinks);
    keys.attach(sinks);
  });
  TestClient client(rig.server->unix_target(), "ms_op_test");
  ASSERT_TRUE(client.send(keyed(1, "a")));
  keys.next().second(Error(Code::overloaded, "too many reads wait"));
  auto reply = client.read();
  EXPECT_EQ(reply.problem().code(), "overloaded");
  EXPECT_TRUE(reply.problem().retryable());
  ASSERT_TRUE(client.send(request(2, "test.do")));
  EXPECT_EQ(client.read().accepted().work_id(), raw(work_id(1)));
  EXPECT_EQ(desk.size(), 1U);
}

TEST(LinkSubmit, BeforeWorkIsTakenTheClientIsToldToComeAgain) {
  Desk desk;
  std::atomic<bool> ready = false;
  Rig rig({}, [&](auto& sinks) {
    desk.attach(sinks);
    sinks.takes_work = [&] { return ready.load(); };
  });
  TestClient early(rig.server->unix_target(), "ms_op_test");
  early.send(request(1, "test.do"));
  EXPECT_EQ(early.status().error_code(), grpc::UNAVAILABLE);
  EXPECT_EQ(desk.size(), 0U);
  ready = true;
  TestClient later(rig.server->unix_target(), "ms_op_test");
  ASSERT_TRUE(later.send(request(1, "test.do")));
  EXPECT_EQ(later.read().accepted().work_id(), raw(work_id(1)));
}

TEST(LinkSubmit, TheStreamEndsAfterItsLastAnswerNotBefore) {
  Desk desk;
  desk.hold_back = true;
  Rig rig({}, [&](auto& sinks) { desk.attach(sinks); });
  auto stub = wire::Work::NewStub(channel_to(rig.server->tcp_address()));
  grpc::ClientContext context;
  context.AddMetadata("authorization", "Bearer ms_op_test");
  context.set_deadline(std::chrono::system_clock::now() + kPatience);
  auto stream = stub->SubmitMany(&context);
  wire::SubmitRequests many;
  constexpr int kItems = 20'000;  // more than may be unanswered: reading pauses and goes on
  for (int i = 0; i < kItems; ++i) {
    *many.add_requests() = request(static_cast<std::uint64_t>(i), "test.do");
    if (many.requests_size() < 1000) continue;
    ASSERT_TRUE(stream->Write(many));
    many.clear_requests();
  }
  stream->WritesDone();
  std::thread loop([&] {
    for (int answered = 0; answered < kItems;) {
      std::vector<LinkServer::CommandDone> now;
      {
        std::lock_guard lock(desk.mutex);
        now.swap(desk.held_back);
      }
      for (auto& done : now) {
        done(model::ReplyBody(model::WorkAccepted{work_id(1), model::WorkState::queued, false}));
      }
      answered += static_cast<int>(now.size());
      std::this_thread::yield();
    }
  });
  int got = 0;
  int messages = 0;
  wire::SubmitReplies replies;
  while (stream->Read(&replies)) {
    got += replies.replies_size();
    ++messages;
  }
  loop.join();
  EXPECT_TRUE(stream->Finish().ok());
  EXPECT_EQ(got, kItems);
  EXPECT_LT(messages, kItems / 2);
}

TEST(LinkSubmit, WithoutATokenNothingIsAccepted) {
  Desk desk;
  Rig rig({}, [&](auto& sinks) { desk.attach(sinks); });
  rig.expect("scout", 1, kToken, [](pid_t) { return false; });
  // The second is right, and comes from a process outside the agent's tree.
  for (const std::string& token : {std::string("wrong"), kToken}) {
    TestClient client(rig.server->unix_target(), token);
    client.send(request(1, "test.do"));
    EXPECT_EQ(client.status().error_code(), grpc::UNAUTHENTICATED);
  }
  EXPECT_EQ(desk.size(), 0U);
  rig.expect("scout", 1);
  TestClient agent(rig.server->unix_target(), kToken);
  agent.send(request(1, "test.do"));
  EXPECT_TRUE(agent.read().has_accepted());
  EXPECT_EQ(desk.principal(0), "agent:scout");
}

TEST(LinkSubmit, ALargeInputIsStoredFirst) {
  Desk desk;
  Rig rig({}, [&](auto& sinks) { desk.attach(sinks); });
  TestClient client(rig.server->unix_target(), "ms_op_test");
  auto large = request(1, "test.do");
  large.set_input_json("\"" + std::string(100'000, 'x') + "\"");
  ASSERT_TRUE(client.send(large));
  EXPECT_TRUE(client.read().has_accepted());
  EXPECT_EQ(desk.spec(0).input.blob.size(), 64U);
}

TEST(LinkSubmit, TheSameRequestHasTheSameHashAndAnotherAnother) {
  Desk desk;
  Rig rig({}, [&](auto& sinks) { desk.attach(sinks); });
  TestClient client(rig.server->unix_target(), "ms_op_test");
  auto one = request(1, "test.do");
  one.set_idempotency_key("k");
  auto same = one;
  same.set_request_id(2);
  same.set_wait(true);
  auto other = one;
  (*other.mutable_labels())["x"] = "y";
  for (const auto& next : {one, same, other}) {
    ASSERT_TRUE(client.send(next));
    EXPECT_TRUE(client.read().has_accepted());
  }
  EXPECT_EQ(desk.spec(0).request_sha256, desk.spec(1).request_sha256);
  EXPECT_NE(desk.spec(0).request_sha256, desk.spec(2).request_sha256);
}

TEST(LinkSubmit, AClientThatGoesAwayMidwayIsForgotten) {
  Desk desk;
  desk.hold_back = true;
  Rig rig({}, [&](auto& sinks) { desk.attach(sinks); });
  {
    auto stub = wire::Work::NewStub(channel_to(rig.server->unix_target()));
    grpc::ClientContext context;
    context.AddMetadata("authorization", "Bearer ms_op_test");
    auto stream = stub->Submit(&context);
    ASSERT_TRUE(stream->Write(request(1, "test.do")));
    auto deadline = std::chrono::steady_clock::now() + kPatience;
    while (std::chrono::steady_clock::now() < deadline) {
      {
        std::lock_guard lock(desk.mutex);
        if (!desk.held_back.empty()) break;
      }
      std::this_thread::yield();  // the lock is wanted elsewhere
    }
    context.TryCancel();
    stream->Finish();
  }
  rig.server->stop();
  ASSERT_EQ(desk.held_back.size(), 1U);
  desk.held_back[0](model::ReplyBody(model::WorkAccepted{}));  // after the end: nobody is there
}

}  // namespace
}  // namespace mainstay::node::test
