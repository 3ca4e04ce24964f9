// One strict reading of HTTP/1.1 (fault H1), however the bytes are cut.
#include "platform/http/request_parser.h"

#include <gtest/gtest.h>

#include <string>

namespace mainstay::platform {
namespace {

using namespace std::string_literals;
using State = RequestParser::State;

struct Outcome {
  State state = State::head;
  int status = 0;
  std::string reason;
  std::size_t consumed = 0;
  std::string target;
  std::string body;
  bool keep_alive = false;

  bool operator==(const Outcome&) const = default;
};

/// Feeds `text` in pieces of `step` bytes until the first request is complete or refused.
Outcome read(std::string_view text, std::size_t step, RequestLimits limits = {}) {
  RequestParser parser(limits);
  Outcome outcome;
  std::size_t given = 0;
  State state = State::head;
  while (state != State::complete && state != State::failed) {
    std::size_t consumed = 0;
    const State before = state;
    state = parser.feed(text.substr(outcome.consumed, given - outcome.consumed), consumed);
    outcome.consumed += consumed;
    if (consumed > 0 || state != before) continue;
    if (given == text.size()) break;
    given = std::min(text.size(), given + step);
  }
  outcome.state = state;
  if (state == State::failed) {
    outcome.status = parser.failure().status;
    outcome.reason = parser.failure().reason;
    outcome.consumed = 0;  // how much was read before the refusal does not matter
  } else if (state == State::complete) {
    const HttpRequest request = parser.take();
    outcome.target = request.target();
    outcome.body = request.body();
    outcome.keep_alive = request.keep_alive();
  }
  return outcome;
}

Outcome read_all_ways(std::string_view text, RequestLimits limits = {}) {
  Outcome whole = read(text, text.size() + 1, limits);
  for (const std::size_t step : {1U, 2U, 3U, 7U}) {
    const Outcome pieces = read(text, step, limits);
    EXPECT_EQ(pieces.state, whole.state) << step << " " << text;
    EXPECT_EQ(pieces.status, whole.status) << step << " " << text;
    EXPECT_EQ(pieces.body, whole.body) << step << " " << text;
    EXPECT_EQ(pieces.consumed, whole.consumed) << step << " " << text;
  }
  return whole;
}

std::string post(std::string_view fields, std::string_view body) {
  return "POST /v1/work HTTP/1.1\r\nHost: a\r\n" + std::string(fields) + "\r\n" + std::string(body);
}

TEST(RequestParser, ReadsOrdinaryRequests) {
  const std::string get = "GET /v1/work?limit=2 HTTP/1.1\r\nHost: a\r\nX-Empty:\r\n\r\n";
  Outcome outcome = read_all_ways(get + "GET /next");
  EXPECT_EQ(outcome.state, State::complete);
  EXPECT_EQ(outcome.target, "/v1/work?limit=2");
  EXPECT_EQ(outcome.consumed, get.size());
  EXPECT_TRUE(outcome.keep_alive);

  outcome = read_all_ways(post("Content-Length: 5\r\n", "helloEXTRA"));
  EXPECT_EQ(outcome.body, "hello");

  outcome = read_all_ways(post("transfer-encoding: Chunked\r\n",
                               "5\r\nhello\r\n6;a=b\r\n world\r\n0\r\nX-Trailer: 1\r\n\r\nREST"));
  EXPECT_EQ(outcome.state, State::complete) << outcome.reason;
  EXPECT_EQ(outcome.body, "hello world");

  outcome = read_all_ways("GET / HTTP/1.0\r\n\r\n");
  EXPECT_EQ(outcome.state, State::complete);
  EXPECT_FALSE(outcome.keep_alive);
  EXPECT_FALSE(read_all_ways("GET / HTTP/1.1\r\nHost: a\r\nConnection: Close\r\n\r\n").keep_alive);
  EXPECT_EQ(read_all_ways("GET http://a/x?y HTTP/1.1\r\nHost: A\r\n\r\n").target, "/x?y");
}

TEST(RequestParser, FieldsAreFoundWhateverTheirCase) {
  RequestParser parser({});
  std::size_t consumed = 0;
  ASSERT_EQ(parser.feed("GET /a?b=c HTTP/1.1\r\nHOST:  x:1 \r\naccept: */*\r\n\r\n", consumed),
            State::complete);
  HttpRequest first = parser.take();
  const HttpRequest request = std::move(first);  // views outlive a move
  EXPECT_EQ(request.header("Host"), "x:1");
  EXPECT_EQ(request.header("Accept"), "*/*");
  EXPECT_EQ(request.header("x"), std::nullopt);
  EXPECT_EQ(request.path(), "/a");
  EXPECT_EQ(request.query(), "b=c");
  EXPECT_EQ(request.method(), "GET");
}

struct Refused {
  std::string text;
  int status = 400;
};

const std::string kChunkedField = "Transfer-Encoding: chunked\r\n";

/// Where does the body end?
std::vector<Refused> framing_cases() {
  const std::string& chunked = kChunkedField;
  return {
      {post("Content-Length: 5\r\n" + chunked, "0\r\n\r\n")},
      {post(chunked + "Content-Length: 5\r\n", "0\r\n\r\n")},
      {post("Content-Length: 5\r\nContent-Length: 5\r\n", "hello")},
      {post("Content-Length: 5\r\nContent-Length: 6\r\n", "hello")},
      {post("Content-Length: 5, 5\r\n", "hello")},
      {post("Content-Length: +5\r\n", "hello")},
      {post("Content-Length: -1\r\n", "hello")},
      {post("Content-Length: 0x5\r\n", "hello")},
      {post("Content-Length: 5 \t5\r\n", "hello")},
      {post("Content-Length: 99999999999999999999999\r\n", "hello")},
      {post("Content-Length:\r\n", "hello")},
      {post("Content-Length : 5\r\n", "hello")},
      {post("Transfer-Encoding: identity\r\n", ""), 501},
      {post("Transfer-Encoding: chunked, identity\r\n", ""), 501},
      {post("Transfer-Encoding: gzip, chunked\r\n", ""), 501},
      {post("Transfer-Encoding: xchunked\r\n", ""), 501},
      {post("Transfer-Encoding: \"chunked\"\r\n", ""), 501},
      {post(chunked + chunked, "0\r\n\r\n")},
      {"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"},
      {post(chunked, "5\nhello\r\n0\r\n\r\n")},
      {post(chunked, "0x5\r\nhello\r\n0\r\n\r\n")},
      {post(chunked, "+5\r\nhello\r\n0\r\n\r\n")},
      {post(chunked, " 5\r\nhello\r\n0\r\n\r\n")},
      {post(chunked, "5\r\nhelloX\r\n0\r\n\r\n")},
      {post(chunked, "fffffffffffffffff\r\nhello\r\n0\r\n\r\n"), 413},
      {post(chunked, "\r\nhello")},
      {post(chunked, "5;a=\"b\r\nhello\r\n0\r\n\r\n")},
      {post(chunked, "5;" + std::string(300, 'a') + "\r\nhello\r\n0\r\n\r\n")},
      {post(chunked, "5\r\nhello\r\n0\r\nX: a\r\n b\r\n\r\n")},
      {post(chunked, "0\r\nnot a field\r\n\r\n")},
      {post(chunked, "5 ;a=b\r\nhello\r\n0\r\n\r\n")},
      {post(chunked, "0\r\n\n")},
      {post("Expect: 200-ok\r\n", ""), 417},
  };
}

/// Lines, the request line, Host.
std::vector<Refused> head_cases() {
  return {
      // lines
      {"GET / HTTP/1.1\nHost: a\n\n"},
      {"GET / HTTP/1.1\r\nHost: a\n\r\n"},
      {"GET / HTTP/1.1\r\nHost: a\r\nX: b\rc\r\n\r\n"},
      {"GET / HTTP/1.1\r\nHost: a\r\nX: a\r\n b\r\n\r\n"},
      {"GET / HTTP/1.1\r\nHost: a\r\nX: a\r\n\tb\r\n\r\n"},
      {"GET / HTTP/1.1\r\n Host: a\r\n\r\n"},
      {"\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"},
      {"GET / HTTP/1.1\r\nHost: a\r\nX: a\0b\r\n\r\n"s},
      {"GET /\0 HTTP/1.1\r\nHost: a\r\n\r\n"s},
      {"GET / HTTP/1.1\r\nHost: a\r\nX y: b\r\n\r\n"},
      {"GET / HTTP/1.1\r\nHost: a\r\n: b\r\n\r\n"},
      {"GET / HTTP/1.1\r\nHost: a\r\nnocolon\r\n\r\n"},
      // request line
      {"GET  / HTTP/1.1\r\nHost: a\r\n\r\n"},
      {"GET /a b HTTP/1.1\r\nHost: a\r\n\r\n", 505},
      {"GET /\xc3\xa9 HTTP/1.1\r\nHost: a\r\n\r\n"},
      {"GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n"},
      {"GET a HTTP/1.1\r\nHost: a\r\n\r\n"},
      {"GET http://evil/x HTTP/1.1\r\nHost: a\r\n\r\n"},
      {"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n"},
      {"CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n"},
      {"GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505},
      {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505},
      {"GET / http/1.1\r\nHost: a\r\n\r\n", 505},
      {"\x16\x03\x01\x02"},
      // Host
      {"GET / HTTP/1.1\r\n\r\n"},
      {"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"},
  };
}

TEST(RequestParser, H1RefusesWhatCouldBeReadInTwoWays) {
  std::vector<Refused> cases = framing_cases();
  for (Refused& c : head_cases()) cases.push_back(std::move(c));
  for (const Refused& c : cases) {
    const Outcome outcome = read_all_ways(c.text);
    EXPECT_EQ(outcome.state, State::failed) << c.text;
    EXPECT_EQ(outcome.status, c.status) << c.text << " " << outcome.reason;
    EXPECT_FALSE(outcome.reason.empty());
  }
}

TEST(RequestParser, H1BoundsHeadBodyFieldsAndChunkLines) {
  const RequestLimits limits{.max_head_bytes = 1024, .max_body_bytes = 10};
  const auto get = [](std::size_t padding) {
    return "GET / HTTP/1.1\r\nHost: a\r\nX: " + std::string(padding, 'x') + "\r\n\r\n";
  };
  EXPECT_EQ(read(get(1024 - 32), 4096, limits).state, State::complete);
  EXPECT_EQ(read_all_ways(get(1024), limits).status, 431);
  EXPECT_EQ(read_all_ways(std::string(2000, 'A'), limits).status, 431);
  std::string many = "GET / HTTP/1.1\r\nHost: a\r\n";
  for (int i = 0; i < 100; ++i) many += "a: b\r\n";
  EXPECT_EQ(read_all_ways(many + "\r\n").status, 431);

  EXPECT_EQ(read_all_ways(post("Content-Length: 11\r\n", "hello world"), limits).status, 413);
  const std::string chunked = "Transfer-Encoding: chunked\r\n";
  EXPECT_EQ(read_all_ways(post(chunked, "6\r\nhello \r\n5\r\nworld\r\n0\r\n\r\n"), limits).status,
            413);
  EXPECT_EQ(read_all_ways(post(chunked, std::string(9000, '0'))).status, 400);
  EXPECT_EQ(read_all_ways(post(chunked, "0\r\nX: " + std::string(9000, 'a'))).status, 400);
}

TEST(RequestParser, StopsAfterTheHeadSoThatTheCallerCanRefuse) {
  RequestParser parser({});
  const std::string text = post("Content-Length: 3\r\nExpect: 100-continue\r\n", "abc");
  std::size_t consumed = 0;
  ASSERT_EQ(parser.feed(text, consumed), State::body);
  EXPECT_EQ(consumed, text.size() - 3);
  EXPECT_TRUE(parser.expects_continue());
  EXPECT_EQ(parser.content_length(), 3U);
  EXPECT_EQ(parser.request().path(), "/v1/work");
}

TEST(HttpMessage, DecodesPercentAndQueries) {
  EXPECT_EQ(percent_decode("a%2Fb%20c+d"), "a/b c+d");
  EXPECT_EQ(percent_decode("a+b", true), "a b");
  for (const std::string_view wrong : {"%", "%4", "%zz", "%00", "a%2"}) {
    EXPECT_EQ(percent_decode(wrong), std::nullopt) << wrong;
  }
  EXPECT_EQ(percent_encode("a/b ä"), "a%2Fb%20%C3%A4");
  const QueryParameters expected = {{"a", "1 2"}, {"b", ""}, {"a", "="}};
  EXPECT_EQ(parse_query("a=1+2&b&&a=%3D"), expected);
  EXPECT_EQ(parse_query("a=%"), std::nullopt);
}

TEST(HttpMessage, AHeaderCannotBeSplit) {
  std::string head;
  append_response_head(head, {.status = 200, .headers = {{"X", "a\r\nSet-Cookie: b"}}}, 3, false);
  EXPECT_EQ(head.find("\r\nSet-Cookie"), std::string::npos);
  EXPECT_NE(head.find("Content-Length: 3\r\n"), std::string::npos);
  EXPECT_NE(head.find("Connection: close\r\n"), std::string::npos);
}

}  // namespace
}  // namespace mainstay::platform
