#include "base/printable.h"

#include <gtest/gtest.h>

namespace mainstay::base {
namespace {

TEST(Printable, ControlCharactersAreShownAsWhatTheyAre) {
  EXPECT_EQ(printable("a\nb\tc\rd"), "a\\nb\\tc\\rd");
  EXPECT_EQ(printable("\x1b[31mred\x07"), "\\x1b[31mred\\x07");
  EXPECT_EQ(printable(std::string_view("\0\x7f", 2)), "\\x00\\u007f");
}

TEST(Printable, SoAreThoseBeyondAscii) {
  EXPECT_EQ(printable("\u009b31m \u202eevil\u2066 \u2028 \ufeff \u200f"),
            "\\u009b31m \\u202eevil\\u2066 \\u2028 \\ufeff \\u200f");
}

TEST(Printable, TextStays) {
  for (const char* text : {"", "plain", "é…✓ 日本 😀 العربية", "C:\\n", "\u00a0"}) {
    EXPECT_EQ(printable(text), text);
  }
  const std::string once = printable("\x1b[0m\n");
  EXPECT_EQ(printable(once), once);
}

TEST(Printable, BytesThatAreNoTextAreShown) {
  EXPECT_EQ(printable("a\xff\x80z"), "a\\xff\\x80z");
  EXPECT_EQ(printable("\xe2\x82"), "\\xe2\\x82");
  EXPECT_EQ(printable("\x9b"
                      "31m"),
            "\\x9b31m");
}

TEST(Printable, LinesStayLines) {
  EXPECT_EQ(printable_lines("a\n\tb\x1b[2J\r\n"), "a\n\tb\\x1b[2J\\r\n");
}

}  // namespace
}  // namespace mainstay::base
