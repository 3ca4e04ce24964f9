// Strict reading (fault H2) and plain writing of JSON.
#include "platform/json/json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <limits>

namespace mainstay::platform {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string refusal(std::string_view text) {
  const Result<Json> value = parse_json(text);
  return value ? "accepted as " + to_text(*value) : value.error().message();
}

TEST(Json, RoundTripsCompactly) {
  for (const std::string_view text :
       {"null", "true", R"({"a":[1,-2,18446744073709551615,1.5,"x\ny"],"b":{}})", "[]", "\"\"",
        "1e+300", R"(["ä€😀"])"}) {
    const Result<Json> value = parse_json(text);
    ASSERT_TRUE(value) << value.error().to_text();
    EXPECT_EQ(to_text(*value), text);
  }
  EXPECT_EQ(to_text(*parse_json(" { \"z\" : 1 , \"a\" : 2.0 } ")), R"({"z":1,"a":2.0})");
}

TEST(Json, H2RefusesWhatIsNotStrict) {
  EXPECT_THAT(refusal(R"({"a":1,"b":{"x":1,"x":2}})"),
              HasSubstr("byte 18: the key \"x\" comes twice"));
  EXPECT_THAT(refusal(R"({"a":1,"\u0061":2})"), HasSubstr("byte 7: the key \"a\" comes twice"));
  EXPECT_THAT(refusal("{\"a\":1} x"), HasSubstr("byte"));
  for (const std::string_view text : {"",
                                      "{",
                                      "[1,]",
                                      "{'a':1}",
                                      "// c\n1",
                                      "nul",
                                      "01",
                                      "+1",
                                      ".5",
                                      "1.",
                                      "NaN",
                                      "Infinity",
                                      "\"\xff\"",
                                      "\"\xc0\x80\"",
                                      "\"\xed\xa0\x80\"",
                                      "\"\\ud800\"",
                                      "\"\\x41\"",
                                      "\"a\nb\"",
                                      "1e400",
                                      "\xef\xbb\xbf{}",
                                      "[1] [2]",
                                      "\"open"}) {
    EXPECT_THAT(refusal(text), HasSubstr("not valid JSON at byte")) << text;
  }
  EXPECT_THAT(refusal(std::string_view("[1\0]", 4)), HasSubstr("not valid JSON"));
}

TEST(Json, H2BoundsDepthAndSize) {
  const auto nested = [](std::size_t depth) {
    return std::string(depth, '[') + std::string(depth, ']');
  };
  EXPECT_TRUE(parse_json(nested(64)));
  EXPECT_FALSE(parse_json(nested(65)));
  EXPECT_FALSE(parse_json(std::string(1'000'000, '[')));
  const Result<Json> large = parse_json("[1,2,3]", {.max_depth = 4, .max_bytes = 3});
  ASSERT_FALSE(large);
  EXPECT_EQ(large.error().code(), Code::payload_too_large);
}

TEST(Json, ColonsAndQuotesInStringsAreNotMembers) {
  EXPECT_TRUE(parse_json(R"({"a:b":"c:\"d\":e","f\\":":"})"));
}

TEST(Json, WritesAnyBytesAsAValidString) {
  std::string out;
  append_json_string(out, std::string_view("a\"\\\n\x01\xff\xed\xa0\x80 \xe2\x82\xac\x7f", 14));
  EXPECT_EQ(out,
            "\"a\\\"\\\\\\n\\u0001\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD "
            "\xe2\x82\xac\\u007f\"");
  EXPECT_TRUE(parse_json(out));
}

TEST(Json, H2ReadsEveryNumberToItsNearestDouble) {
  for (const std::string_view text :
       {"1844674407407730955144077306555073709551615477587", "0.1234567890123456789012345678901",
        "9007199254740993.0", "2.2250738585072011e-308", "179769313486231570000000000000e279"}) {
    const Result<Json> value =
        parse_json("{\"a\" : [ 1, \"x,]\" , " + std::string(text) + " ], \"b\": {\"c\":0.3}}");
    ASSERT_TRUE(value) << value.error().to_text();
    EXPECT_EQ(at_pointer(*value, "/a/2")->get_double(), std::strtod(text.data(), nullptr)) << text;
    EXPECT_EQ(at_pointer(*value, "/b/c")->get_double(), 0.3);
  }
}

TEST(Json, WritesNumbersShortly) {
  std::string out;
  for (const double value : {0.5, 1.0, 0.1, 1e21, std::numeric_limits<double>::infinity()}) {
    append_json_number(out, value);
    out += ' ';
  }
  EXPECT_EQ(out, "0.5 1.0 0.1 1e+21 null ");
}

TEST(JsonWriter, WritesNestedValues) {
  std::string out;
  JsonWriter json(out);
  json.begin_object().member("a", 1).key("b").begin_array().value("x").value(true).null();
  json.begin_object().end_object().end_array().member_raw("c", "[1]").member("d", 1.5);
  json.key("e").begin_array().end_array().member("f", std::string("y")).end_object();
  EXPECT_EQ(out, R"({"a":1,"b":["x",true,null,{}],"c":[1],"d":1.5,"e":[],"f":"y"})");
}

TEST(Json, FollowsPointers) {
  const Json root = *parse_json(R"({"a":[{"b/c":7}],"":1,"m~n":2})");
  EXPECT_EQ(at_pointer(root, ""), &root);
  EXPECT_EQ(to_text(*at_pointer(root, "/a/0/b~1c")), "7");
  EXPECT_EQ(to_text(*at_pointer(root, "/m~0n")), "2");
  EXPECT_EQ(to_text(*at_pointer(root, "/")), "1");
  for (const std::string_view wrong : {"a", "/a/1", "/a/01", "/a/-", "/x", "/a/0/b~2c", "/a/x"}) {
    EXPECT_EQ(at_pointer(root, wrong), nullptr) << wrong;
  }
}

TEST(Json, FindsTextsAsTheyWereWritten) {
  const std::string_view text = R"({"x":"in\"put", "input" : { "n": 1.10 , "s":"}" } ,"y":[ ]})";
  EXPECT_EQ(member_text(text, "input"), R"({ "n": 1.10 , "s":"}" })");
  EXPECT_EQ(member_text(text, "y"), "[ ]");
  EXPECT_EQ(member_text(text, "n"), std::nullopt);
  EXPECT_THAT(element_texts(R"( [1, {"a":[2,3]} ,"x,y",[]] )"),
              ElementsAre("1", R"({"a":[2,3]})", R"("x,y")", "[]"));
  EXPECT_TRUE(element_texts("[]").empty());
}

TEST(Json, PrettyTextIsForPeople) {
  EXPECT_EQ(to_pretty_text(*parse_json(R"({"a":[1,{}],"b":[]})")),
            "{\n  \"a\": [\n    1,\n    {}\n  ],\n  \"b\": []\n}");
}

TEST(Json, EqualValuesHaveOneCanonicalSpelling) {
  const auto spelled = [](const char* text) { return canonical_json(text); };
  EXPECT_EQ(spelled(R"( { "b" : [ 1 , {"d":null,"c":"\u0041\/"} ] , "a" : true } )"),
            R"({"a":true,"b":[1,{"c":"A/","d":null}]})");
  EXPECT_EQ(spelled("{}"), "{}");
  EXPECT_EQ(spelled("[ [] , [ ] ]"), "[[],[]]");
  EXPECT_EQ(spelled(" \"x\" "), "\"x\"");
  // Beyond a double: numbers are not read, so no two of them become one.
  EXPECT_EQ(spelled("[18446744073709551617, 1.0]"), "[18446744073709551617,1.0]");
  EXPECT_NE(spelled("[[1],2]"), spelled("[1,[2]]"));
}

}  // namespace
}  // namespace mainstay::platform
