#include "platform/json/json_layout.h"

#include <gtest/gtest.h>

#include "platform/json/json.h"

namespace mainstay::platform {
namespace {

TEST(JsonLayout, KeepsEveryTokenAsItWasWritten) {
  const std::string text =
      "{\"id\":12345678901234567890123 , \"v\" : 1.10,\"s\":\"\\u0041 ,{\\\"\"}";
  EXPECT_EQ(pretty_json_text(text),
            "{\n  \"id\": 12345678901234567890123,\n  \"v\": 1.10,\n"
            "  \"s\": \"\\u0041 ,{\\\"\"\n}");
  EXPECT_EQ(compact_json_text(text),
            "{\"id\":12345678901234567890123,\"v\":1.10,\"s\":\"\\u0041 ,{\\\"\"}");
}

TEST(JsonLayout, LaysOutAsTheWriterOfValuesDoes) {
  for (const char* text : {"1", "\"a\"", "[]", "{}", "[ ]", "[[],{}]", "null",
                           R"({"a":[1,{}],"b":[],"c":{"d":[{"e":-1.5},true]}})"}) {
    EXPECT_EQ(pretty_json_text(text), to_pretty_text(*parse_json(text))) << text;
    EXPECT_EQ(compact_json_text(pretty_json_text(text)), to_text(*parse_json(text))) << text;
  }
}

}  // namespace
}  // namespace mainstay::platform
