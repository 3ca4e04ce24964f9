// What is read from YAML, with its places, and what is refused (faults H2).
#include "config/yaml/yaml_document.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "platform/json/json.h"

namespace mainstay::config {
namespace {

using testing::HasSubstr;

std::string errors_of(std::string_view text, YamlLimits limits = {}) {
  Problems problems;
  (void)read_yaml(text, "a.yaml", problems, limits);
  return problems.to_text();
}

YamlNode read(std::string_view text) {
  Problems problems;
  auto node = read_yaml(text, "a.yaml", problems);
  EXPECT_EQ(problems.to_text(), "");
  return node.value_or(YamlNode{});
}

std::string json_of(std::string_view text) { return yaml_to_json(read(text)); }

TEST(YamlDocument, KeepsThePlaceOfKeysAndValues) {
  const YamlNode root = read("work:\n  retry: {max_attempts: 7}\n  phases:\n    - alpha\n");
  const YamlEntry* work = root.find("work");
  ASSERT_NE(work, nullptr);
  EXPECT_EQ(work->key_at, (Position{1, 1}));
  const YamlEntry* retry = work->value.find("retry");
  EXPECT_EQ(retry->key_at, (Position{2, 3}));
  EXPECT_EQ(retry->value.find("max_attempts")->value.at, (Position{2, 25}));
  EXPECT_EQ(work->value.find("phases")->value.items[0].at, (Position{4, 7}));
}

TEST(YamlDocument, CountsColumnsInCharactersAndSkipsAByteOrderMark) {
  const YamlNode root = read("\xef\xbb\xbf{größe: 1, ö: 2}\r\n");
  EXPECT_EQ(root.find("ö")->key_at, (Position{1, 12}));
  EXPECT_EQ(root.find("ö")->value.at, (Position{1, 15}));
}

TEST(YamlDocument, TypesPlainScalarsByTheCoreSchema) {
  EXPECT_EQ(json_of("[no, yes, on, off, y, 1:20, 0x1F, 0o17, 012, -0, +7]"),
            R"(["no","yes","on","off","y","1:20",31,15,12,0,7])");
  EXPECT_EQ(json_of("[true, True, FALSE, ~, null, NULL, '', 'true', \"12\", !!str 12]"),
            R"([true,true,false,null,null,null,"","true","12","12"])");
  EXPECT_EQ(*platform::parse_json(json_of("[1.5, .5, 1e3, -2.5E-1, 1.]")),
            *platform::parse_json("[1.5,0.5,1000.0,-0.25,1.0]"));
  EXPECT_EQ(json_of("[1_000, 2026-11-21, 0b1, 1e, e1, ., -, 0xG, 0o8]"),
            R"(["1_000","2026-11-21","0b1","1e","e1",".",)"
            R"("-","0xG","0o8"])");
  EXPECT_EQ(json_of("a: |\n  12\n"), R"({"a":"12\n"})");
  EXPECT_EQ(read("a: 012").find("a")->value.text, "012");
  EXPECT_EQ(json_of("true: 1\n12: 2\n"), R"({"true":1,"12":2})");
}

TEST(YamlDocument, AnEmptyFileIsNull) {
  for (const char* text : {"", "# nothing\n", "---\n", "~", "\n\n"}) {
    EXPECT_EQ(read(text).kind, YamlKind::null) << text;
  }
}

TEST(YamlDocument, RefusesDuplicateKeysAndReadsOn) {
  Problems problems;
  const auto root = read_yaml("a: 1\nb: {c: 1, c: 2}\na: 3\n", "a.yaml", problems);
  ASSERT_TRUE(root.has_value());
  EXPECT_EQ(root->find("a")->value.integer, 1);
  EXPECT_EQ(problems.to_text(),
            "a.yaml:2:11: expected each key once, got \"c\" again (first in line 2)\n"
            "a.yaml:3:1: expected each key once, got \"a\" again (first in line 1)\n");
}

TEST(YamlDocument, RefusesWhatWouldSurprise) {
  EXPECT_THAT(errors_of("a: &x {b: 1}\nc: {<<: *x}\n"), HasSubstr("a.yaml:2:5: merge keys"));
  EXPECT_THAT(errors_of("? [1, 2]\n: 3\n"), HasSubstr("a.yaml:1:3: expected a plain word as key"));
  EXPECT_THAT(errors_of("a: !secret x\n"), HasSubstr("expected no tag"));
  EXPECT_THAT(errors_of("a: 1\n---\nb: 2\n"), HasSubstr("expected one document"));
  EXPECT_THAT(errors_of("a: 99999999999999999999\n"),
              HasSubstr("a.yaml:1:4: expected a whole number of at most 64 bits"));
  EXPECT_THAT(errors_of("a: 1e999\n"), HasSubstr("range of a double"));
  EXPECT_THAT(errors_of("a: .inf\nb: .nan\n"), HasSubstr("a.yaml:2:4: expected a finite number"));
  EXPECT_THAT(errors_of("a: !!int x\n"), HasSubstr("of the type its tag says"));
  EXPECT_THAT(errors_of("a: \"\xff\"\n"), HasSubstr("a.yaml:1:1: expected UTF-8"));
  EXPECT_THAT(errors_of("a: 1\nb: \x04 2\n"), HasSubstr("a.yaml:2:1: expected text"));
  EXPECT_THAT(errors_of(std::string_view("a\0b", 3)), HasSubstr("control character"));
  EXPECT_THAT(errors_of("a: [1, 2\nb: 3\n"), HasSubstr("a.yaml:"));
  EXPECT_THAT(errors_of("a:\n\tb: 1\n"), HasSubstr("a tab cannot indent"));
  EXPECT_THAT(errors_of("a: *nowhere\n"), HasSubstr("not valid YAML"));
}

TEST(YamlDocument, ReadsOnAfterWhatItRefuses) {
  Problems problems;
  const auto root =
      read_yaml("a: {<<: {b: 1}, c: 2}\nd: \"x\\0y\"\n---\ne: 1\n", "a.yaml", problems);
  ASSERT_TRUE(root.has_value());
  EXPECT_EQ(yaml_to_json(root->find("a")->value), R"({"c":2})");
  EXPECT_EQ(problems.to_text(),
            "a.yaml:1:5: merge keys (<<) are not part of YAML 1.2: write the entries out\n"
            "a.yaml:2:4: expected text without NUL, got \"x\\u0000y\"\n"
            "a.yaml:3:1: expected one document, got a second one\n");
}

TEST(YamlDocument, AliasesAreCopiesWithinTheLimits) {
  EXPECT_EQ(json_of("a: &x {b: [1, 2]}\nc: *x\nd: [*x]\n"),
            R"({"a":{"b":[1,2]},"c":{"b":[1,2]},"d":[{"b":[1,2]}]})");
  EXPECT_THAT(errors_of("a: &x [*x]\n"), HasSubstr("something that contains it"));
  std::string bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
  for (int i = 1; i < 12; ++i) {
    const std::string n = std::to_string(i);
    bomb += "a" + n + ": &a" + n + " [";
    for (int k = 0; k < 10; ++k) bomb += "*a" + std::to_string(i - 1) + ", ";
    bomb += "x]\n";
  }
  EXPECT_THAT(errors_of(bomb), HasSubstr("expected at most 100000 values"));
}

TEST(YamlDocument, BoundsDepthAndSize) {
  const std::string deep(63, '[');
  EXPECT_EQ(errors_of(deep + "1" + std::string(63, ']')), "");
  for (const std::size_t depth : {65UL, 1000UL, 400'000UL}) {
    EXPECT_THAT(errors_of(std::string(depth, '[') + std::string(depth, ']')),
                HasSubstr("at most 64 levels"));
    EXPECT_NE(errors_of(std::string(depth, '[')), "");
  }
  std::string blocks;
  for (int i = 0; i < 100; ++i) {
    blocks += std::string(static_cast<std::size_t>(i), ' ').append("a:\n");
  }
  EXPECT_THAT(errors_of(blocks), HasSubstr("at most 64 levels"));
  EXPECT_THAT(errors_of(std::string(2'000'000, ' ')), HasSubstr("expected at most 1048576 bytes"));
  EXPECT_THAT(errors_of("[1, 2, 3]", {.max_nodes = 3}), HasSubstr("at most 3 values"));
}

TEST(Problems, AreSortedGroupedAndCounted) {
  Problems problems;
  problems.error("b.yaml", {9, 1}, "work.timeout", "expected x");
  problems.warning("b.yaml", {2, 4}, "agents.a", "hm");
  problems.error("--set", {}, "work.idle_timeout", "expected y, got \"z\"", "near");
  problems.error("b.yaml", {2, 3}, "", "not valid");
  EXPECT_EQ(problems.to_text(),
            "b.yaml:2:3: not valid\n"
            "b.yaml:2:4: warning: agents.a: hm\n"
            "b.yaml:9:1: work.timeout: expected x\n"
            "--set: work.idle_timeout: expected y, got \"z\"; did you mean \"near\"?\n");
  EXPECT_EQ(problems.error_count(), 3U);
  const auto json = platform::parse_json(problems.to_json());
  ASSERT_TRUE(json);
  EXPECT_EQ(json->at("ok"), false);
  EXPECT_EQ(json->at("sections").at("work").as_array().size(), 2U);
  EXPECT_EQ(json->at("sections").at("work").at(1).at("suggestion"), "near");
  EXPECT_EQ(json->at("sections").at("file").at(0).at("line"), 2);
  EXPECT_THAT(problems.to_error().to_text(), HasSubstr("(and 2 more) (config_invalid)"));
  EXPECT_EQ(quote("a\x1b[31m\"" + std::string(100, 'x')).find('\x1b'), std::string::npos);
}

// A key is a file's text too: it must not move the cursor of who reads the error.
TEST(Problems, ShowKeysThatAreNoWordsInQuotes) {
  Problems problems;
  problems.error("a", {1, 1}, "x\n\x1b[31m", "m");
  problems.error("a", {2, 1}, " x", "m");
  problems.error("a", {3, 1}, "größe.x", "m");
  problems.error("a", {4, 1}, std::string(1000, 'k'), "m");
  const std::string text = problems.to_text();
  EXPECT_THAT(text, testing::StartsWith("a:1:1: \"x\\n\\u001b[31m\": m\na:2:1: \" x\": m\n"
                                        "a:3:1: größe.x: m\n"));
  EXPECT_LT(text.size(), 400U);
}

TEST(Problems, AnUnreadableValueIsSaidOnce) {
  Problems problems;
  problems.error("a", {1, 4}, "", "expected no tag");
  problems.error("a", {1, 4}, "k", "expected a number");
  problems.error("a", {1, 5}, "k", "expected a number");
  problems.error("b", {1, 4}, "k", "expected a number");
  problems.error("a", {}, "", "too large");
  problems.error("a", {}, "k", "m");
  EXPECT_EQ(problems.error_count(), 5U);
  EXPECT_THAT(problems.to_text(), HasSubstr("a:1:4: k: expected no tag\n"));
}

TEST(Problems, AreLinesWithoutControlCharactersOfTheFile) {
  Problems problems;
  problems.error("a.yaml", {1, 1}, "\x1b]0;pwn\x07\n", "unknown key \u202e");
  EXPECT_EQ(problems.to_text(), "a.yaml:1:1: \"\\u001b]0;pwn\\u0007\\n\": unknown key \\u202e\n");
}

TEST(Problems, KeepABoundedNumber) {
  Problems problems;
  for (int i = 0; i < 1000; ++i) problems.error("a", {i + 1, 1}, "k", "m");
  EXPECT_EQ(problems.error_count(), 1000U);
  EXPECT_EQ(problems.sorted().size(), Problems::kLimit);
  EXPECT_THAT(problems.to_text(), HasSubstr("and 500 more\n"));
}

}  // namespace
}  // namespace mainstay::config
