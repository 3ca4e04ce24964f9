#include "app/cli/input/usage_slip.h"

#include <gtest/gtest.h>

namespace mainstay::app {
namespace {

CommandShape shape() {
  const CommandShape show{"show", {}, {{"ID"}}, {}};
  const CommandShape list{"list", {{{"-n", "--limit"}, true}}, {}, {}};
  return {"mainstay",
          {{{"-o", "--output"}, true}, {{"-h", "--help"}, false}},
          {},
          {{"work", {}, {}, {list, show}}, {"status", {}, {}, {}}}};
}

std::string said(const std::vector<std::string>& words) {
  return find_slip(shape(), words).message;
}

TEST(UsageSlip, ATypoOfACommandIsNamedWithWhatWasMeant) {
  EXPECT_EQ(said({"statsu"}), "\"statsu\" is not a command of `mainstay`; did you mean `status`?");
  EXPECT_EQ(said({"-o", "json", "work", "lst"}),
            "\"lst\" is not a command of `mainstay work`; did you mean `list`?");
}

TEST(UsageSlip, AWordIsQuotedWithoutItsControlCharacters) {
  EXPECT_EQ(said({"x\x1b]0;pwn\x07"}), "\"x\\x1b]0;pwn\\x07\" is not a command of `mainstay`");
}

TEST(UsageSlip, ATypoOfAnOptionIsNamedWithWhatWasMeant) {
  EXPECT_EQ(said({"status", "--ouput", "json"}),
            "`mainstay status` has no option \"--ouput\"; did you mean `--output`?");
  EXPECT_EQ(said({"work", "list", "--limt=3"}),
            "`mainstay work list` has no option \"--limt\"; did you mean `--limit`?");
  EXPECT_EQ(said({"status", "-x"}), "`mainstay status` has no option \"-x\"");
}

TEST(UsageSlip, WhatIsMissingIsNoWrongWord) {
  for (const auto& words : std::vector<std::vector<std::string>>{
           {"work", "--help"}, {"work", "show", "-h"}, {"--help"}, {"status", "--help"}}) {
    const UsageSlip slip = find_slip(shape(), words);
    EXPECT_TRUE(slip.message.empty() || slip.is_missing) << slip.message;
  }
  for (const auto& words : std::vector<std::vector<std::string>>{
           {"nope", "--help"}, {"work", "nope", "--help"}, {"status", "x", "--help"}}) {
    EXPECT_FALSE(find_slip(shape(), words).is_missing);
    EXPECT_FALSE(find_slip(shape(), words).message.empty());
  }
}

TEST(UsageSlip, WhatIsMissingIsNamed) {
  EXPECT_EQ(said({"work"}), "`mainstay work` needs a command: list, show");
  EXPECT_EQ(said({"work", "show"}), "`mainstay work show` needs ID");
  EXPECT_EQ(said({"status", "-o"}), "-o needs a value");
}

TEST(UsageSlip, WhatIsTooMuchIsNamed) {
  EXPECT_EQ(said({"work", "show", "a", "b"}), "`mainstay work show` takes no argument \"b\"");
}

TEST(UsageSlip, ValuesAreNoCommands) {
  EXPECT_EQ(said({"-o", "status", "work", "list", "-n5", "--limit", "7", "--output=json"}), "");
  EXPECT_EQ(said({"work", "show", "--", "-x"}), "`mainstay work show` needs ID");
}

TEST(UsageSlip, TheHelpOfTheCommandIsNamed) {
  EXPECT_EQ(find_slip(shape(), {"work", "show", "--bad"}).command, "mainstay work show");
}

TEST(UsageSlip, AValueIsToldWithWhatWouldBeRight) {
  EXPECT_EQ(not_one_of("json", {"json", "yaml"}), "");
  EXPECT_EQ(not_one_of("jsn", {"json", "yaml"}),
            "expected one of json, yaml, got \"jsn\"; did you mean `json`?");
  EXPECT_EQ(not_between("9", 0, 9), "");
  for (const char* wrong : {"10", "-1", "x", "", "9 ", "1e1", "99999999999999999999"}) {
    EXPECT_EQ(not_between(wrong, 0, 9),
              "expected a whole number from 0 to 9, got \"" + std::string(wrong) + "\"");
  }
}

}  // namespace
}  // namespace mainstay::app
