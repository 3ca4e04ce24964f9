#include "app/views/output.h"

#include <gtest/gtest.h>

namespace mainstay::app {
namespace {

TEST(Table, PadsToTheWidestCellByCharacters) {
  Table table({"NAME", "STATE"});
  table.row({"é", "healthy"});
  table.row({"analyst-1", "x\x1b[31m"});
  EXPECT_EQ(table.to_text(), "NAME       STATE\né          healthy\nanalyst-1  x\\x1b[31m\n");
}

TEST(Yaml, QuotesWhatAReaderCouldMistake) {
  const auto value = platform::parse_json(
      R"({"a":"no","b":"012","c":"plain text","d":[],"e":[1,{"f":"x: y","h":[{}]}],"g":null})");
  ASSERT_TRUE(value);
  EXPECT_EQ(to_yaml(*value),
            "a: \"no\"\nb: \"012\"\nc: plain text\nd: []\ne:\n  - 1\n  - f: \"x: y\"\n    h:\n"
            "      - {}\ng: null\n");
}

}  // namespace
}  // namespace mainstay::app
