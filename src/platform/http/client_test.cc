// The blocking HTTP client against the real server, and against servers that misbehave.
#include "platform/http/client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "platform/clock.h"
#include "platform/http/raw_client.h"
#include "platform/http/response_parser.h"
#include "platform/http/server.h"

namespace mainstay::platform {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::HasSubstr;

class HttpClientTest : public ::testing::Test {
 protected:
  void serve(HttpHandler handler, std::size_t max_connections = 100) {
    HttpServerSettings settings;
    settings.listen = "127.0.0.1:0";
    settings.max_connections = max_connections;
    HttpServerHooks hooks;
    hooks.handler = std::move(handler);
    server = std::make_unique<HttpServer>(loop, settings, hooks);
    ASSERT_TRUE(loop.start());
    ASSERT_TRUE(server->start());
  }
  void TearDown() override {
    if (server) server->stop(Duration(0));
  }

  EventLoop loop;
  std::unique_ptr<HttpServer> server;
};

TEST_F(HttpClientTest, KeepsItsConnectionAndOpensANewOneWhenItWasClosed) {
  serve(
      [](HttpRequest request, const Responder& responder) {
        responder.send({.status = 201,
                        .body = std::string(request.method()) + request.body(),
                        .headers = {{"X-A", "b"}}});
      },
      1);
  HttpClient client(server->address());
  for (int i = 0; i < 3; ++i) {
    const auto reply = client.call({.method = "POST", .target = "/x", .body = "hello"});
    ASSERT_TRUE(reply) << reply.error().to_text();
    EXPECT_EQ(reply->status, 201);
    EXPECT_EQ(reply->body, "POSThello");
    EXPECT_EQ(reply->header("x-a"), "b");
  }
  EXPECT_EQ(server->stats().accepted, 1U);
  const RawClient other(server->port());  // the one that is idle gives way to it
  while (server->stats().accepted < 2 || server->stats().open > 1) std::this_thread::yield();
  EXPECT_TRUE(client.call({.method = "POST", .body = "again"}));
  EXPECT_EQ(server->stats().accepted, 3U);
  const auto head = client.call({.method = "HEAD"});
  ASSERT_TRUE(head);
  EXPECT_EQ(head->body, "");
  EXPECT_EQ(head->header("content-length"), "4");
}

TEST_F(HttpClientTest, EndsByItsDeadlineAndSaysWhenNothingAnswers) {
  std::vector<Responder> held;
  serve([&](HttpRequest, Responder responder) { held.push_back(std::move(responder)); });
  const Mono start = mono_now();
  const auto late = http_call(server->address(), {.timeout = milliseconds(50)});
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().code(), Code::deadline_exceeded);
  EXPECT_LT(mono_now() - start, seconds(5));
  const std::string address = server->address();
  server->stop(Duration(0));
  const auto gone = http_call(address, {.timeout = seconds(5)});
  ASSERT_FALSE(gone);
  EXPECT_EQ(gone.error().code(), Code::not_running);
  EXPECT_THAT(gone.error().to_text(), HasSubstr(address));
  held.clear();
}

TEST(ResponseParser, ReadsEveryFraming) {
  struct Case {
    std::string text;
    std::string body;
    bool ends_by_closing = false;
    bool good = true;
  };
  const std::vector<Case> cases = {
      {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", "hi"},
      {"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", "hi"},
      {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nh\r\n1\r\ni\r\n0\r\n\r\n", "hi"},
      {"HTTP/1.1 204 No Content\r\n\r\n", ""},
      {"HTTP/1.0 200 OK\r\n\r\nhi", "hi", true},
      {"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nhi", "", true, false},
      {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n", "", false, false},
      {"SSH-2.0-OpenSSH\r\n\r\n", "", false, false},
  };
  for (const Case& c : cases) {
    ResponseParser parser(false);
    std::string input;
    std::string body;
    auto state = ResponseParser::State::more;
    for (const char byte : c.text) {  // one at a time: the hardest way
      input += byte;
      if (state == ResponseParser::State::more) state = parser.feed(input, body);
    }
    if (c.ends_by_closing) state = parser.feed_end();
    EXPECT_EQ(state == ResponseParser::State::complete, c.good) << c.text;
    if (c.good) {
      EXPECT_EQ(body, c.body) << c.text;
    }
  }
}

}  // namespace
}  // namespace mainstay::platform
