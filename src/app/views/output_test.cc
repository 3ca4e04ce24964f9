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
  EXPECT_EQ(to_yaml(R"({"a":"no","b":"012","c":"plain text","d":[],
                        "e":[1,{"f":"x: y","h":[{}]}],"g":null})"),
            "a: \"no\"\nb: \"012\"\nc: plain text\nd: []\ne:\n  - 1\n  - f: \"x: y\"\n    h:\n"
            "      - {}\ng: null\n");
}

TEST(Output, NumbersAreAsTheyWereWritten) {
  const std::string text = R"({"id":12345678901234567890123,"v":[1.10,-0.0]})";
  EXPECT_EQ(to_yaml(text), "id: 12345678901234567890123\nv:\n  - 1.10\n  - -0.0\n");
  EXPECT_EQ(render(OutputForm::json, std::string_view(text), ""),
            "{\n  \"id\": 12345678901234567890123,\n  \"v\": [\n    1.10,\n    -0.0\n  ]\n}\n");
}

TEST(Output, AMemberIsAddedToTheTextOfAnObject) {
  EXPECT_EQ(with_member(R"({"a":1.10})", "b", "[2]"), R"({"a":1.10,"b":[2]})");
  EXPECT_EQ(with_member("{}", "b", "1"), R"({"b":1})");
}

TEST(Output, TablesAreMadePrintable) {
  EXPECT_EQ(render(OutputForm::table, std::string_view("{}"), "a\n\x1b[2J\n"), "a\n\\x1b[2J\n");
}

}  // namespace
}  // namespace mainstay::app
