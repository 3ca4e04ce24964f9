#include "fleet/agent_endpoint.h"

#include <gtest/gtest.h>

namespace mainstay::fleet {
namespace {

TEST(AgentEndpoint, WhatOneCanCallIsRight) {
  for (const char* right :
       {"http://10.0.0.5:8000", "https://agents.example/a2a?x=1#y", "http://x", "grpc://[::1]:7",
        "http://[fe80::1%25eth0]/", "h2c+unix.x://host_1:65535/", "10.0.0.5:8000", "localhost:1",
        "[::1]:9000", "unix:/run/agent.sock", "http://me:secret@host:1/"}) {
    EXPECT_EQ(endpoint_problem(right), "") << right;
  }
}

TEST(AgentEndpoint, AnythingElseIsToldWithItsValue) {
  for (const char* wrong : {"",
                            "not a url",
                            "x",
                            "http://",
                            "http:///path",
                            "://host",
                            "1a://host",
                            "host:",
                            "host:0",
                            "host:65536",
                            "host:12x",
                            ":80",
                            "http://ho st",
                            "http://host:port/",
                            "unix:relative",
                            "unix:/",
                            "http://h\x7f",
                            "\xff",
                            "http://[::1",
                            "http://h\"",
                            "http://h\u00e9"}) {
    EXPECT_NE(endpoint_problem(wrong).find("expected a URL such as http://10.0.0.5:8000"),
              std::string::npos)
        << wrong;
  }
  EXPECT_NE(endpoint_problem("not a url \x1b[31m").find(R"(got "not a url \x1b[31m")"),
            std::string::npos);
  EXPECT_EQ(endpoint_problem("http://" + std::string(2048, 'x')), "2055 bytes, the limit is 2048");
}

}  // namespace
}  // namespace mainstay::fleet
