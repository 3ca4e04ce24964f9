// What one small request costs: parsing alone, and a whole round trip over loopback.
#include <benchmark/benchmark.h>

#include "platform/http/client.h"
#include "platform/http/request_parser.h"
#include "platform/http/server.h"
#include "platform/json/json.h"

namespace mainstay::platform {
namespace {

constexpr std::string_view kPost =
    "POST /v1/work HTTP/1.1\r\nHost: 127.0.0.1:7000\r\nUser-Agent: bench\r\nAccept: */*\r\n"
    "Authorization: Bearer ms_op_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\r\n"
    "Content-Type: application/json\r\nContent-Length: 49\r\n\r\n"
    R"({"capability":"file.analyse","description":"abc"})";

void parse_request(benchmark::State& state) {
  RequestParser parser({});
  for (auto _ : state) {
    std::string_view input = kPost;
    auto result = RequestParser::State::head;
    while (result != RequestParser::State::complete) {
      std::size_t consumed = 0;
      result = parser.feed(input, consumed);
      input.remove_prefix(consumed);
    }
    benchmark::DoNotOptimize(parser.take());
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(parse_request);

void parse_json_body(benchmark::State& state) {
  const std::string_view body = kPost.substr(kPost.find("\r\n\r\n") + 4);
  for (auto _ : state) benchmark::DoNotOptimize(parse_json(body));
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(parse_json_body);

void round_trip(benchmark::State& state) {
  EventLoop loop;
  HttpServerSettings settings;
  settings.listen = "127.0.0.1:0";
  HttpServerHooks hooks;
  hooks.handler = [](HttpRequest, const Responder& responder) {
    responder.send({.body = R"({"status":"ok"})"});
  };
  HttpServer server(loop, settings, hooks);
  if (!loop.start() || !server.start()) return state.SkipWithError("cannot start");
  HttpClient client(server.address());
  for (auto _ : state) benchmark::DoNotOptimize(client.call({.target = "/healthz"}));
  state.SetItemsProcessed(state.iterations());
  server.stop(Duration(0));
}
BENCHMARK(round_trip)->UseRealTime();

}  // namespace
}  // namespace mainstay::platform
