// The HTTP server over real sockets: order, keep-alive, answers from other threads, streams.
#include "platform/http/server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>
#include <thread>

#include "platform/http/raw_client.h"

namespace mainstay::platform {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

class HttpServerTest : public ::testing::Test {
 protected:
  void serve(HttpHandler handler, HttpServerSettings settings = {}) {
    settings.listen = "127.0.0.1:0";
    hooks.handler = std::move(handler);
    server = std::make_unique<HttpServer>(loop, settings, hooks);
    ASSERT_TRUE(loop.start());
    const auto started = server->start();
    ASSERT_TRUE(started) << started.error().to_text();
  }
  void serve_echo(HttpServerSettings settings = {}) {
    serve(
        [](HttpRequest request, const Responder& responder) {
          responder.send({.status = 200,
                          .content_type = "text/plain",
                          .body = std::string(request.target()) + "|" + request.body()});
        },
        settings);
  }
  void TearDown() override {
    if (server) server->stop(seconds(1));
  }

  EventLoop loop{"http", 2};
  HttpServerHooks hooks;
  std::unique_ptr<HttpServer> server;
};

constexpr std::string_view kGet = "GET /x HTTP/1.1\r\nHost: a\r\n\r\n";

TEST_F(HttpServerTest, AnswersAndKeepsTheConnection) {
  serve_echo();
  RawClient client(server->port());
  for (int i = 0; i < 3; ++i) {
    client.send("POST /n HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi");
    EXPECT_THAT(client.read_until("/n|hi"), StartsWith("HTTP/1.1 200 OK\r\nDate: "));
  }
  client.send("GET /last HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
  const std::string last = client.read_to_end();
  EXPECT_THAT(last, HasSubstr("Connection: close\r\n"));
  EXPECT_THAT(last, ::testing::EndsWith("/last|"));
  EXPECT_EQ(server->stats().requests, 4U);
  EXPECT_EQ(server->stats().accepted, 1U);
}

TEST_F(HttpServerTest, PipelinedRequestsAreAnsweredInOrderThoughAnsweredLate) {
  std::mutex mutex;
  std::vector<std::thread> threads;
  std::atomic<int> under_way{0};
  std::atomic<bool> overlapped{false};
  serve([&](HttpRequest request, Responder responder) {
    if (under_way.fetch_add(1) > 0) overlapped = true;
    const std::lock_guard lock(mutex);
    threads.emplace_back([&, target = std::string(request.target()), responder] {
      under_way.fetch_sub(1);
      responder.send({.body = "[" + target + "]"});
    });
  });
  RawClient client(server->port());
  std::string all;
  for (int i = 0; i < 100; ++i) {
    all += "GET /" + std::to_string(i) + " HTTP/1.1\r\nHost: a\r\n\r\n";
  }
  client.send(all);
  client.finish_sending();
  const std::string answers = client.read_to_end();
  std::size_t at = 0;
  for (int i = 0; i < 100; ++i) {
    at = answers.find("[/" + std::to_string(i) + "]", at);
    ASSERT_NE(at, std::string::npos) << i;
  }
  EXPECT_FALSE(overlapped);
  for (std::thread& thread : threads) thread.join();
}

TEST_F(HttpServerTest, BodiesComeChunkedLargeAndInPieces) {
  serve_echo();
  RawClient client(server->port());
  client.send("POST /c HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nab");
  client.send("c\r\n1");
  client.send("\r\nd\r\n0\r\n\r\n");
  EXPECT_THAT(client.read_until("/c|abcd"), HasSubstr("Content-Length: 7\r\n"));
  const std::string large(3'000'000, 'x');
  client.send("POST /l HTTP/1.1\r\nHost: a\r\nContent-Length: 3000000\r\n\r\n" + large);
  EXPECT_THAT(client.read_until("/l|" + large), HasSubstr("200 OK"));
  client.send("POST /e HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n");
  EXPECT_EQ(client.read_until("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
  client.send("ok");
  EXPECT_THAT(client.read_until("/e|ok"), HasSubstr("200 OK"));
}

TEST_F(HttpServerTest, H1BadRequestsAreAnsweredAndClosedAndNothingBehindThemIsRead) {
  serve_echo();
  for (const std::string_view bad :
       {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n",
        "GET / HTTP/1.1\nHost: a\n\n", "GET / HTTP/1.1\r\nHost: a\r\nX: 1\r\n 2\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +5\r\n\r\n"}) {
    RawClient client(server->port());
    client.send(std::string(kGet) + std::string(bad) + "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n");
    const std::string answers = client.read_to_end();
    EXPECT_THAT(answers, HasSubstr("/x|"));
    EXPECT_THAT(answers, HasSubstr("HTTP/1.1 400 Bad Request\r\n")) << bad;
    EXPECT_THAT(answers, Not(HasSubstr("smuggled")));
    EXPECT_TRUE(client.ended());
  }
  EXPECT_EQ(server->stats().malformed, 4U);
}

TEST_F(HttpServerTest, H1TooLargeIsRefusedBeforeItIsRead) {
  HttpServerSettings settings;
  settings.limits = {.max_head_bytes = 1024, .max_body_bytes = 100};
  settings.max_bodies_bytes = 50;
  serve_echo(settings);
  const auto answer_to = [&](const std::string& request) {
    RawClient client(server->port());
    client.send(request);
    return client.read_to_end();
  };
  EXPECT_THAT(answer_to("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 101\r\n\r\n"),
              StartsWith("HTTP/1.1 413 "));
  EXPECT_THAT(answer_to("GET / HTTP/1.1\r\nHost: a\r\nX: " + std::string(2000, 'x')),
              StartsWith("HTTP/1.1 431 "));
  const std::string all = answer_to("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 60\r\n\r\n");
  EXPECT_THAT(all, StartsWith("HTTP/1.1 503 "));
  EXPECT_THAT(all, HasSubstr("Retry-After: 1\r\n"));
}

TEST_F(HttpServerTest, AdmissionRefusesBeforeTheBody) {
  hooks.admit = [](const HttpRequest& request) -> std::optional<HttpResponse> {
    if (request.header("authorization")) return std::nullopt;
    return HttpResponse{.status = 401, .content_type = "text/plain", .body = "no token"};
  };
  serve_echo();
  RawClient client(server->port());
  client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 90\r\nExpect: 100-continue\r\n\r\n");
  const std::string answer = client.read_to_end();
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 401 Unauthorized\r\n"));
  EXPECT_THAT(answer, Not(HasSubstr("100 Continue")));
  RawClient other(server->port());
  other.send(kGet);
  EXPECT_THAT(other.read_until("no token"), StartsWith("HTTP/1.1 401 "));
  other.send("GET /x HTTP/1.1\r\nHost: a\r\nAuthorization: b\r\n\r\n");
  EXPECT_THAT(other.read_until("/x|"), StartsWith("HTTP/1.1 200 "));
}

TEST_F(HttpServerTest, HeadHasNoBodyAndADroppedResponderIsA500) {
  serve([](HttpRequest request, const Responder& responder) {
    if (request.path() == "/dropped") return;
    EXPECT_TRUE(responder.send({.body = "12345"}));
    EXPECT_FALSE(responder.send({.body = "twice"}));
  });
  RawClient client(server->port());
  client.send(
      "HEAD /h HTTP/1.1\r\nHost: a\r\n\r\nGET /dropped HTTP/1.1\r\nHost: a\r\n"
      "Connection: close\r\n\r\n");
  const std::string answers = client.read_to_end();
  EXPECT_THAT(answers, HasSubstr("Content-Length: 5\r\n\r\nHTTP/1.1 500 "));
}

TEST_F(HttpServerTest, TheHandlerLearnsThatItsClientIsGone) {
  std::promise<void> gone;
  std::promise<Responder> held;
  serve([&](HttpRequest, const Responder& responder) {
    responder.on_gone([&] { gone.set_value(); });
    held.set_value(responder);
  });
  RawClient client(server->port());
  client.send(kGet);
  const Responder responder = held.get_future().get();
  client.close();
  ASSERT_EQ(gone.get_future().wait_for(seconds(60)), std::future_status::ready);
  EXPECT_TRUE(responder.send({}));  // dropped quietly
}

TEST_F(HttpServerTest, StreamsEventsFromAnyThreadWithHeartbeats) {
  HttpServerSettings settings;
  settings.events.heartbeat = milliseconds(20);
  std::promise<std::shared_ptr<EventStream>> opened;
  serve(
      [&](HttpRequest request, const Responder& responder) {
        if (request.path() == "/beats") {
          responder.start_events(settings.events);
        } else {
          opened.set_value(responder.start_events());
        }
      },
      settings);
  RawClient listening(server->port());
  listening.send("GET /beats HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_THAT(listening.read_until(":\n\n"), HasSubstr("\r\n\r\n3\r\n:\n\n"));
  listening.close();
  RawClient client(server->port());
  client.send(kGet);
  const auto events = opened.get_future().get();
  EXPECT_THAT(client.read_until("\r\n\r\n"), HasSubstr("Content-Type: text/event-stream\r\n"));
  std::string text;
  append_event(text, "7", "work.accepted", "a\nb");
  EXPECT_TRUE(events->send(text));
  EXPECT_EQ(client.read_until("\n\n"), "2c\r\nid: 7\nevent: work.accepted\ndata: a\ndata: b\n\n");
  std::promise<void> closed;
  events->on_closed([&] { closed.set_value(); });
  events->end();
  EXPECT_THAT(client.read_until("0\r\n\r\n"), HasSubstr("0\r\n\r\n"));
  ASSERT_EQ(closed.get_future().wait_for(seconds(60)), std::future_status::ready);
  EXPECT_FALSE(events->send(text));
  EXPECT_EQ(server->stats().event_streams, 2U);
}

TEST_F(HttpServerTest, ASlowReaderOfEventsIsCutOffWithAMarker) {
  std::promise<std::shared_ptr<EventStream>> opened;
  serve([&](HttpRequest, const Responder& responder) {
    opened.set_value(responder.start_events({.max_pending_bytes = 64 * 1024}));
  });
  RawClient client;
  client.shrink_buffers();
  client.connect(server->port());
  client.send(kGet);
  const auto events = opened.get_future().get();
  const std::string event = "data: " + std::string(8000, 'x') + "\n\n";
  int sent = 0;
  while (events->send(event) && sent < 100'000) ++sent;
  EXPECT_LT(sent, 100'000);
  const std::string all = client.read_to_end();
  EXPECT_THAT(all.substr(all.size() - 200), HasSubstr("event: overflow\n"));
  EXPECT_TRUE(client.ended());
  EXPECT_EQ(server->stats().overflows, 1U);
}

TEST_F(HttpServerTest, AClientThatLeavesEndsItsStream) {
  std::promise<void> closed;
  serve([&](HttpRequest, const Responder& responder) {
    responder.start_events()->on_closed([&] { closed.set_value(); });
  });
  RawClient client(server->port());
  client.send(kGet);
  client.read_until("\r\n\r\n");
  client.close();
  EXPECT_EQ(closed.get_future().wait_for(seconds(60)), std::future_status::ready);
}

TEST_F(HttpServerTest, StopAnswersWhatIsUnderWayAndEndsTheRest) {
  std::promise<Responder> held;
  serve([&](HttpRequest request, const Responder& responder) {
    if (request.path() == "/events") {
      responder.start_events();
    } else {
      held.set_value(responder);
    }
  });
  RawClient idle(server->port());
  RawClient listening(server->port());
  listening.send("GET /events HTTP/1.1\r\nHost: a\r\n\r\n");
  listening.read_until("\r\n\r\n");
  RawClient waiting(server->port());
  waiting.send(kGet);
  Responder responder = held.get_future().get();
  auto stopping = std::async(std::launch::async, [&] { server->stop(seconds(10)); });
  EXPECT_EQ(idle.read_to_end(), "");
  EXPECT_EQ(listening.read_to_end(), "0\r\n\r\n");
  listening.close();
  responder.send({.body = "done"});
  EXPECT_THAT(waiting.read_to_end(), HasSubstr("Connection: close\r\n\r\ndone"));
  waiting.close();
  stopping.get();
  EXPECT_EQ(server->stats().open, 0U);
}

TEST_F(HttpServerTest, TwoServersOnOneAddressIsAnError) {
  serve_echo();
  HttpServer second(loop, {.listen = server->address()}, hooks);
  const auto started = second.start();
  ASSERT_FALSE(started);
  EXPECT_THAT(started.error().message(), HasSubstr(server->address()));
  HttpServer third(loop, {.listen = "example.org:80"}, hooks);
  EXPECT_EQ(third.start().error().code(), Code::invalid_argument);
}

}  // namespace
}  // namespace mainstay::platform
