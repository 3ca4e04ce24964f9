// The C++ client against the daemon's real Work service.
#include "mainstay/client.h"

#include <map>
#include <mutex>
#include <vector>

#include "node/link/link_test_rig.h"

namespace mainstay {
namespace {

using node::LinkServer;
using node::test::kPatience;
using node::test::Rig;
using node::test::work_id;

/// Accepts everything and finishes it with its own input; knows keys.
struct Desk {
  std::mutex mutex;
  std::map<std::string, int> by_key;
  std::map<model::WorkId, model::Payload> inputs;
  int accepted = 0;
  bool hold_back = false;
  std::condition_variable came;
  std::vector<LinkServer::CommandDone> held_back;

  void attach(LinkServer::Sinks& sinks) {
    sinks.command = [this](model::CommandBody body, const std::string&,
                           LinkServer::CommandDone done) {
      auto& spec = std::get<model::SubmitWork>(body).spec;
      std::unique_lock lock(mutex);
      if (hold_back) {
        held_back.push_back(std::move(done));
        came.notify_all();
        return;
      }
      if (spec.capability.empty()) {
        lock.unlock();
        return done(Error(Code::work_invalid, "capability is missing"));
      }
      bool duplicate = !spec.idempotency_key.empty() && by_key.count(spec.idempotency_key) != 0;
      auto id = work_id(static_cast<std::uint8_t>(++accepted));
      by_key[spec.idempotency_key] = accepted;
      inputs[id] = spec.input;
      lock.unlock();
      done(model::ReplyBody(model::WorkAccepted{id, model::WorkState::queued, duplicate}));
    };
    sinks.on_finished = [this](model::WorkId id, LinkServer::WorkFinished finished) {
      std::unique_lock lock(mutex);
      auto input = inputs.at(id);
      lock.unlock();
      finished(model::WorkState::succeeded, input, std::nullopt);
    };
  }
};

Client::Options options(Rig& rig, std::size_t window = 4096) {
  return {rig.server->unix_target(), "ms_op_test", window};
}

SubmitOptions work(const std::string& input, const std::string& key = {}) {
  SubmitOptions made;
  made.capability = "test.do";
  made.description = "a piece of work";
  made.input = input;
  made.idempotency_key = key;
  return made;
}

TEST(CppClient, SubmitsThroughItsWindowAndHearsOfEveryEnd) {
  Desk desk;
  Rig rig({}, [&](auto& sinks) { desk.attach(sinks); });
  Client client(options(rig, 16));
  std::mutex mutex;
  int accepted = 0;
  std::vector<std::string> outputs;
  constexpr int kItems = 250;  // work_id() has one byte
  for (int i = 0; i < kItems; ++i) {
    client.submit(
        work(std::to_string(i)),
        [&](const Accepted& reply) {
          std::lock_guard lock(mutex);
          accepted += reply.problem ? 0 : 1;
        },
        [&](const Finished& finished) {
          std::lock_guard lock(mutex);
          EXPECT_EQ(finished.state, "succeeded");
          outputs.push_back(finished.output);
        });
  }
  ASSERT_TRUE(client.wait_idle(kPatience));
  EXPECT_EQ(accepted, kItems);
  ASSERT_EQ(outputs.size(), static_cast<std::size_t>(kItems));
  EXPECT_EQ(outputs.back(), std::to_string(kItems - 1));
}

TEST(CppClient, RunWaitsForTheEnd) {
  Desk desk;
  Rig rig({}, [&](auto& sinks) { desk.attach(sinks); });
  Client client(options(rig));
  auto finished = client.run(work("{\"a\":1}"));
  EXPECT_EQ(finished.state, "succeeded");
  EXPECT_EQ(finished.output, "{\"a\":1}");
  EXPECT_EQ(finished.work_id.size(), 36U);
  auto refused = client.run({});
  EXPECT_EQ(refused.state, "");
  EXPECT_EQ(refused.code, "work_invalid");
}

TEST(CppClient, AWrongTokenIsToldToEveryone) {
  Rig rig;
  Client::Options wrong = options(rig);
  wrong.token = "wrong";
  Client client(wrong);
  EXPECT_EQ(client.run(work("1")).code, "unauthenticated");
  EXPECT_EQ(client.run(work("1")).code, "unauthenticated");
}

TEST(CppClient, AfterALostConnectionKeysAreSentAgainAndTheRestIsUnknown) {
  Desk desk;
  desk.hold_back = true;
  Rig rig({}, [&](auto& sinks) { desk.attach(sinks); });
  Client client(options(rig));
  std::mutex mutex;
  std::vector<Accepted> keyed;
  std::vector<Accepted> keyless;
  client.submit(work("1", "key"), [&](const Accepted& reply) {
    std::lock_guard lock(mutex);
    keyed.push_back(reply);
  });
  client.submit(work("2"), [&](const Accepted& reply) {
    std::lock_guard lock(mutex);
    keyless.push_back(reply);
  });
  {
    std::unique_lock lock(desk.mutex);
    desk.came.wait_for(lock, kPatience, [&] { return desk.held_back.size() == 2; });
    desk.hold_back = false;
  }
  rig.server->stop();
  LinkServer::Options again;
  again.unix_path = rig.dir_ / "link.sock";
  LinkServer::Sinks sinks;
  sinks.fact = [](model::Fact) {};
  sinks.is_operator = [](std::string_view) { return true; };
  sinks.find_work_keys = [](std::vector<std::string> keys, auto done) {
    done(LinkServer::KnownKeys(keys.size()));
  };
  desk.attach(sinks);
  rig.server = LinkServer::start(again, sinks).value();
  ASSERT_TRUE(client.wait_idle(kPatience));
  ASSERT_EQ(keyed.size(), 1U);
  EXPECT_FALSE(keyed[0].problem.has_value());
  ASSERT_EQ(keyless.size(), 1U);
  ASSERT_TRUE(keyless[0].problem.has_value());
  EXPECT_EQ(keyless[0].problem->code, "unavailable");
  EXPECT_TRUE(keyless[0].problem->retryable);
}

TEST(CppClient, ClosedItAnswersWhatIsStillOpen) {
  Desk desk;
  desk.hold_back = true;
  Rig rig({}, [&](auto& sinks) { desk.attach(sinks); });
  std::string code;
  Client client(options(rig));
  client.submit(work("1"), [&](const Accepted& reply) { code = reply.problem->code; });
  client.close();
  EXPECT_EQ(code, "unavailable");
  EXPECT_EQ(client.run(work("2")).code, "unavailable");
}

}  // namespace
}  // namespace mainstay
