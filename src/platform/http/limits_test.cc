// The server's limits in time and number: slow clients, too many, no descriptor left (G4, C9).
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <future>

#include "platform/clock.h"
#include "platform/http/raw_client.h"
#include "platform/http/server.h"

namespace mainstay::platform {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr std::string_view kGet = "GET /x HTTP/1.1\r\nHost: a\r\n\r\n";
/// Far above the limits of these tests, and below what RawClient waits.
constexpr Duration kPatience = seconds(20);

class HttpLimitsTest : public ::testing::Test {
 protected:
  HttpLimitsTest() {
    settings.listen = "127.0.0.1:0";
    // Longer than a busy machine may take between a test's connecting and its first byte.
    settings.header_timeout = seconds(1);
    settings.idle_timeout = seconds(1);
    settings.body_idle_timeout = seconds(1);
    settings.write_timeout = milliseconds(100);
  }
  void serve() {
    HttpServerHooks hooks;
    hooks.handler = [this](HttpRequest, const Responder& responder) {
      responder.send({.content_type = "text/plain", .body = body});
    };
    hooks.on_trouble = [this](const Error& error) {
      if (troubles.fetch_add(1) == 0) trouble.set_value(error.message());
    };
    server = std::make_unique<HttpServer>(loop, settings, hooks);
    ASSERT_TRUE(loop.start());
    ASSERT_TRUE(server->start());
  }
  void TearDown() override {
    if (server) server->stop(Duration(0));
  }

  EventLoop loop;
  HttpServerSettings settings;
  std::string body = "ok";
  std::unique_ptr<HttpServer> server;
  std::atomic<int> troubles{0};
  std::promise<std::string> trouble;
};

TEST_F(HttpLimitsTest, G4SlowHeadsSlowBodiesAndIdlersAreClosed) {
  serve();
  const Mono start = mono_now();
  RawClient silent(server->port());
  RawClient slow_head(server->port());
  slow_head.send("GET / HTTP/1.1\r\nHo");
  RawClient slow_body(server->port());
  slow_body.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nab");
  RawClient idle(server->port());
  idle.send(kGet);
  EXPECT_EQ(silent.read_to_end(), "");
  EXPECT_THAT(slow_head.read_to_end(), StartsWith("HTTP/1.1 408 "));
  EXPECT_THAT(slow_body.read_to_end(), StartsWith("HTTP/1.1 408 "));
  EXPECT_THAT(idle.read_to_end(), StartsWith("HTTP/1.1 200 "));
  EXPECT_TRUE(idle.ended());
  EXPECT_LT(mono_now() - start, kPatience);
  EXPECT_EQ(server->stats().timed_out, 2U);
}

TEST_F(HttpLimitsTest, G4AHeadThatTricklesDoesNotGetMoreTime) {
  serve();
  RawClient client(server->port());
  std::string answer;
  const Mono start = mono_now();
  while (answer.empty() && mono_now() - start < kPatience) {
    client.send("G");  // each byte is progress, and none of them buys time
    pollfd wait{client.fd(), POLLIN, 0};
    if (::poll(&wait, 1, 10) > 0) answer = client.read_to_end();
  }
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 408 "));
}

TEST_F(HttpLimitsTest, G4ABodyBelowTheLeastRateIsRefusedThoughItNeverStops) {
  settings.min_body_bytes_per_s = 1'000'000;
  settings.body_idle_timeout = milliseconds(200);
  serve();
  RawClient client(server->port());
  client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n");
  std::string answer;
  const Mono start = mono_now();
  while (answer.empty() && mono_now() - start < kPatience) {
    client.send("x");
    pollfd wait{client.fd(), POLLIN, 0};
    if (::poll(&wait, 1, 10) > 0) answer = client.read_to_end();
  }
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 408 "));
}

TEST_F(HttpLimitsTest, G4AClientThatTakesNothingIsCutOff) {
  body = std::string(32UL * 1024 * 1024, 'x');
  serve();
  RawClient client;
  client.shrink_buffers();
  client.connect(server->port());
  client.send(kGet);
  const Mono start = mono_now();
  const auto is_cut_off = [this] {
    const auto stats = server->stats();
    return stats.timed_out > 0 && stats.open == 0;
  };
  while (!is_cut_off() && mono_now() - start < kPatience) {
    pollfd none{-1, 0, 0};
    ::poll(&none, 1, 5);
  }
  EXPECT_EQ(server->stats().timed_out, 1U);
  EXPECT_EQ(server->stats().open, 0U);
}

TEST_F(HttpLimitsTest, G4IdleConnectionsGiveWayToNewOnes) {
  settings.max_connections = 8;
  settings.header_timeout = settings.idle_timeout = seconds(60);
  serve();
  std::vector<std::unique_ptr<RawClient>> idlers;
  for (int i = 0; i < 100; ++i) idlers.push_back(std::make_unique<RawClient>(server->port()));
  RawClient client(server->port());
  client.send(kGet);
  EXPECT_THAT(client.read_until("ok"), StartsWith("HTTP/1.1 200 "));
  EXPECT_LE(server->stats().open, 9U);
  EXPECT_EQ(idlers.front()->read_to_end(), "");
}

TEST_F(HttpLimitsTest, C9WithoutDescriptorsCallersAreRefusedAndServiceReturns) {
  serve();
  std::vector<std::unique_ptr<RawClient>> clients;
  for (int i = 0; i < 20; ++i) clients.push_back(std::make_unique<RawClient>());
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  const rlimit none{static_cast<rlim_t>(clients.back()->fd() + 1), before.rlim_max};
  const Mono start = mono_now();
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &none), 0);
  for (auto& client : clients) client->connect(server->port());
  EXPECT_THAT(trouble.get_future().get(), HasSubstr("Too many open files"));
  EXPECT_THAT(clients.front()->read_to_end(), StartsWith("HTTP/1.1 503 "));
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
  RawClient after(server->port());
  after.send(kGet);
  EXPECT_THAT(after.read_until("ok"), StartsWith("HTTP/1.1 200 "));
  const int told = troubles;
  EXPECT_LE(told, 2 + (mono_now() - start) / milliseconds(50)) << "it backs off; it does not spin";
}

}  // namespace
}  // namespace mainstay::platform
