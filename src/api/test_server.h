// For tests: the API over real sockets, with a Backend in memory.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "api/api.h"
#include "api/test_backend.h"
#include "platform/clock.h"
#include "platform/http/client.h"
#include "platform/json/json.h"
#include "platform/loop/event_loop.h"

namespace mainstay::api {

inline const std::string kTestToken = "ms_op_" + std::string(43, 'A');

class ApiTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ApiSettings settings;
    settings.debug = debug;
    settings.version = "0.1.0";
    settings.commit = "abc";
    settings.operator_token = kTestToken;
    settings.phases = {"analysis", "planning"};
    settings.allowed_hosts = {"box.example"};
    settings.wall = [] { return platform::wall_now(); };
    settings.http.listen = "127.0.0.1:0";
    api = std::make_unique<Api>(loop, backend, settings);
    ASSERT_TRUE(loop.start());
    const auto started = api->start();
    ASSERT_TRUE(started) << started.error().to_text();
    client = std::make_unique<platform::HttpClient>(api->address());
  }
  void TearDown() override {
    client.reset();
    api->stop(std::chrono::seconds(2));
    loop.stop();
  }

  platform::HttpReply call(const std::string& method, const std::string& target,
                           const std::string& body = "", platform::HttpHeaders headers = {}) {
    headers.emplace_back("Authorization", "Bearer " + kTestToken);
    return raw(method, target, body, headers);
  }
  platform::HttpReply raw(const std::string& method, const std::string& target,
                          const std::string& body = "", const platform::HttpHeaders& headers = {}) {
    auto reply = client->call({method, target, headers, body, std::chrono::seconds(20)});
    EXPECT_TRUE(reply) << method << " " << target << ": " << (reply ? "" : reply.error().to_text());
    return reply ? *reply : platform::HttpReply{};
  }
  static platform::Json json(const platform::HttpReply& reply) {
    auto value = platform::parse_json(reply.body);
    EXPECT_TRUE(value) << reply.body;
    return value ? *value : platform::Json(nullptr);
  }
  static std::string text_at(const platform::Json& value, std::string_view pointer) {
    const platform::Json* found = platform::at_pointer(value, pointer);
    if (found == nullptr) return "(nothing at " + std::string(pointer) + ")";
    return found->is_string() ? std::string(found->get_string().data(), found->get_string().size())
                              : platform::to_text(*found);
  }

  platform::EventLoop loop{"api", 2};
  /// The setting debug; to be said before SetUp.
  bool debug = false;
  TestBackend backend;
  std::unique_ptr<Api> api;
  std::unique_ptr<platform::HttpClient> client;
};

constexpr const char* kItem = R"({"description":"look","capability":"file.analyse"})";

}  // namespace mainstay::api
