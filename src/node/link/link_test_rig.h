// For tests: a real link server in a temporary folder, what it said to its sinks, and an agent that
// speaks the protocol by hand over a real socket.
#pragma once

#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "mainstay/v1/link.grpc.pb.h"
#include "node/link/link.h"
#include "platform/crypto.h"
#include "platform/files/test_dir.h"

namespace mainstay::node::test {

namespace wire = ::mainstay::v1;

constexpr std::chrono::seconds kPatience{60};
inline const std::string kToken = "ms_ag_test-token";

class Rig {
 public:
  explicit Rig(std::function<void(LinkServer::Options&)> change = {},
               std::function<void(LinkServer::Sinks&)> change_sinks = {}) {
    LinkServer::Options options;
    options.unix_path = dir_ / "link.sock";
    options.tcp_address = "127.0.0.1:0";
    options.daemon_version = "test";
    if (change) change(options);
    LinkServer::Sinks sinks;
    sinks.fact = [this](model::Fact fact) { push(std::move(fact)); };
    sinks.log = [this](model::LogRecord record) {
      std::lock_guard lock(mutex_);
      logs.push_back(std::move(record));
    };
    sinks.span = [this](model::SpanRecord record) {
      std::lock_guard lock(mutex_);
      spans.push_back(std::move(record));
    };
    sinks.store_payload = [](std::string text) -> Result<model::Payload> {
      model::Payload payload = model::Payload::of(std::move(text));
      payload.blob = platform::sha256_hex(payload.view());
      return payload;
    };
    sinks.find_work_keys = [](std::vector<std::string> keys, auto done) {
      done(LinkServer::KnownKeys(keys.size()));
    };
    sinks.is_operator = [](std::string_view token) { return token == "ms_op_test"; };
    if (change_sinks) change_sinks(sinks);
    auto started = LinkServer::start(options, sinks);
    MS_ASSERT(started.has_value(), "the link server did not start");
    server = std::move(started).value();
  }

  void expect(
      const std::string& agent, model::Incarnation incarnation, const std::string& token = kToken,
      std::function<bool(pid_t)> owns = [](pid_t pid) { return pid == ::getpid(); }) {
    server->expect(agent, incarnation, platform::sha256_hex(token), std::move(owns), 8);
  }

  /// The next fact, which must be an F.
  template <class F>
  F next(int line = __builtin_LINE()) {
    std::unique_lock lock(mutex_);
    bool came = changed_.wait_for(lock, kPatience, [this] { return !facts_.empty(); });
    MS_ASSERT(came, "no fact came in time");
    model::Fact fact = std::move(facts_.front());
    facts_.pop_front();
    if (!std::holds_alternative<F>(fact)) {
      std::fprintf(stderr, "line %d: fact %zu of model::Fact came\n", line, fact.index());
      if (auto* closed = std::get_if<model::LinkClosed>(&fact)) {
        std::fprintf(stderr, "closed: %s\n", closed->reason.c_str());
      }
      MS_ASSERT(false, "a fact of another kind came");
    }
    return std::get<F>(std::move(fact));
  }
  bool no_facts() {
    std::lock_guard lock(mutex_);
    return facts_.empty();
  }
  void push(model::Fact fact) {
    {
      std::lock_guard lock(mutex_);
      facts_.push_back(std::move(fact));
    }
    changed_.notify_all();
  }

  platform::TestDir dir_;
  std::vector<model::LogRecord> logs;
  std::vector<model::SpanRecord> spans;

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<model::Fact> facts_;

 public:
  std::unique_ptr<LinkServer> server;  // ends before what its sinks use
};

inline std::shared_ptr<grpc::Channel> channel_to(const std::string& target) {
  grpc::ChannelArguments arguments;
  // Every test agent has a connection of its own.
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  // Nor goes it over a proxy that the environment names.
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  arguments.SetMaxReceiveMessageSize(-1);
  arguments.SetMaxSendMessageSize(-1);
  return grpc::CreateCustomChannel(target, grpc::InsecureChannelCredentials(), arguments);
}

class TestAgent {
 public:
  explicit TestAgent(const std::string& target, const std::string& token = kToken)
      : channel_(channel_to(target)), stub_(wire::AgentLink::NewStub(channel_)) {
    if (!token.empty()) context_.AddMetadata("authorization", "Bearer " + token);
    context_.set_deadline(std::chrono::system_clock::now() + kPatience);
    stream_ = stub_->Connect(&context_);
  }
  ~TestAgent() {
    context_.TryCancel();
    if (!finished_) status();
  }

  static wire::AgentMessage hello_of(const std::string& agent, std::int64_t incarnation) {
    wire::AgentMessage message;
    message.mutable_hello()->set_agent(agent);
    message.mutable_hello()->set_incarnation(incarnation);
    message.mutable_hello()->set_slots(2);
    message.mutable_hello()->set_sdk("test 1");
    message.mutable_hello()->set_runtime("c++");
    return message;
  }
  bool hello(const std::string& agent, std::int64_t incarnation) {
    return send(hello_of(agent, incarnation));
  }
  bool send(const wire::AgentMessage& message) { return stream_->Write(message); }
  bool read(wire::DaemonMessage* out) { return stream_->Read(out); }
  void half_close() { stream_->WritesDone(); }
  void cut() { context_.TryCancel(); }

  /// Says hello and takes the welcome and the fact.
  model::LinkOpened open(Rig& rig, const std::string& agent, std::int64_t incarnation) {
    EXPECT_TRUE(hello(agent, incarnation));
    auto opened = rig.next<model::LinkOpened>();
    wire::DaemonMessage message;
    EXPECT_TRUE(read(&message));
    EXPECT_TRUE(message.has_welcome());
    return opened;
  }

  /// Reads to the end; how the server closed the stream.
  grpc::Status status() {
    finished_ = true;
    wire::DaemonMessage ignored;
    while (stream_->Read(&ignored)) {
    }
    return stream_->Finish();
  }

 private:
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<wire::AgentLink::Stub> stub_;
  grpc::ClientContext context_;
  std::unique_ptr<grpc::ClientReaderWriter<wire::AgentMessage, wire::DaemonMessage>> stream_;
  bool finished_ = false;
};

inline model::WorkId work_id(std::uint8_t number) {
  base::UuidBytes bytes{};
  bytes[6] = 0x70;
  bytes[8] = 0x80;
  bytes[15] = number;
  return model::WorkId(bytes);
}

inline std::string raw(const model::WorkId& id) { return std::string(id.view()); }

inline model::AssignWork assignment(const std::string& agent, model::LinkId link,
                                    std::uint8_t number, std::string input = "{}") {
  auto spec = std::make_shared<model::WorkSpec>();
  spec->id = work_id(number);
  spec->capability = "test.do";
  spec->description = "something";
  spec->input = model::Payload::of(std::move(input));
  spec->labels = {{"team", "blue"}};
  model::AssignWork effect;
  effect.agent = agent;
  effect.link = link;
  effect.work = std::move(spec);
  effect.epoch = 7;
  effect.attempt = 2;
  effect.time_left = std::chrono::microseconds(10);
  return effect;
}

}  // namespace mainstay::node::test
