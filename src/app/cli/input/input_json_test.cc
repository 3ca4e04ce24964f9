#include "app/cli/input/input_json.h"

#include <gtest/gtest.h>

namespace mainstay::app {
namespace {

std::string text_of(const std::vector<std::string>& members,
                    const std::optional<std::string>& whole = std::nullopt) {
  const auto text = read_input(members, whole);
  return text ? *text : "error: " + std::string(text.error().message());
}

TEST(InputJson, NumbersStayAsTheyWereTyped) {
  EXPECT_EQ(text_of({"id=123456789012345678901234"}), R"({"id":123456789012345678901234})");
  EXPECT_EQ(text_of({}, R"({"id":12345678901234567890123,"v":1.10})"),
            R"({"id":12345678901234567890123,"v":1.10})");
  EXPECT_EQ(text_of({"a=2.50", "v=x"}, R"({ "v" : [1.10, 2], "w": 1e400000 })").substr(0, 5),
            "error")
      << "beyond any number";
  EXPECT_EQ(text_of({"a=2.50", "v=x"}, R"({ "v" : [1.10, 2], "w": 1e3 })"),
            R"({"v":"x","w":1e3,"a":2.50})");
}

TEST(InputJson, WhatIsNotJsonIsText) {
  EXPECT_EQ(text_of({"p=.", "n=007", "q=a\"b", "e=", "l=[1, 2]"}),
            R"({"p":".","n":"007","q":"a\"b","e":"","l":[1, 2]})");
  EXPECT_EQ(text_of({}), "{}");
  EXPECT_EQ(text_of({"\u00e9=1"}, "{\"\\u00e9\":2}"), "{\"\u00e9\":1}");
}

TEST(InputJson, NothingIsNotAnEmptyObject) {
  EXPECT_TRUE(text_of({}, "").starts_with("error: --input-json: ")) << text_of({}, "");
  EXPECT_TRUE(text_of({"a=1"}, "").starts_with("error: --input-json: "));
  EXPECT_TRUE(text_of({}, "@/dev/null").starts_with("error: --input-json: "));
}

}  // namespace
}  // namespace mainstay::app
