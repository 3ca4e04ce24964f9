// Durations, sizes, suggestions, UTF-8 and times as people write them.
#include <gtest/gtest.h>

#include "base/random.h"
#include "base/text.h"

namespace mainstay::base {
namespace {

using std::chrono::hours;
using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

TEST(Duration, ReadsWhatPeopleWrite) {
  EXPECT_EQ(parse_duration("200ms"), milliseconds(200));
  EXPECT_EQ(parse_duration("10s"), seconds(10));
  EXPECT_EQ(parse_duration("1m30s"), seconds(90));
  EXPECT_EQ(parse_duration("2h"), hours(2));
  EXPECT_EQ(parse_duration("7d"), hours(168));
  EXPECT_EQ(parse_duration("0"), Duration(0));
  EXPECT_EQ(parse_duration("0s"), Duration(0));
  EXPECT_EQ(parse_duration("1d2h3m4s5ms6us"),
            hours(26) + minutes(3) + seconds(4) + milliseconds(5) + microseconds(6));
}

TEST(Duration, RefusesEverythingElse) {
  for (const char* text :
       {"",      "10",   "-1s",       "+1s",  "1.5s", "1 s", " 1s",     "1s ",
        "1m1m",  "1s1m", "s",         "10S",  "1ns",  "1w",  "106752d", "99999999999999999999s",
        "1ms1m", "0x1s", "\xd9\xa1s", "1e3s", "00"}) {
    EXPECT_FALSE(parse_duration(text)) << text;
  }
  EXPECT_TRUE(parse_duration("106751d"));  // the most that 63 bits of nanoseconds hold
}

TEST(Duration, TextReadsBackAsTheSameDuration) {
  EXPECT_EQ(duration_to_text(Duration(0)), "0s");
  EXPECT_EQ(duration_to_text(seconds(90)), "1m30s");
  EXPECT_EQ(duration_to_text(milliseconds(1500)), "1s500ms");
  EXPECT_EQ(duration_to_text(hours(49)), "2d1h");
  EXPECT_EQ(duration_to_text(seconds(-90)), "-1m30s");
  EXPECT_EQ(duration_to_text(Duration(999)), "0s");
  EXPECT_EQ(duration_to_text(Duration::min()).front(), '-');
  Random random(7);
  for (int i = 0; i < 10'000; ++i) {
    const auto d = microseconds(random.below(1ULL << (1 + random.below(52))));
    ASSERT_EQ(parse_duration(duration_to_text(d)), Duration(d)) << duration_to_text(d);
  }
}

TEST(Duration, ForPeopleIsShort) {
  EXPECT_EQ(duration_for_people(Duration(0)), "0s");
  EXPECT_EQ(duration_for_people(microseconds(20)), "<1ms");
  EXPECT_EQ(duration_for_people(milliseconds(45)), "45ms");
  EXPECT_EQ(duration_for_people(milliseconds(300)), "0.3s");
  EXPECT_EQ(duration_for_people(milliseconds(9'949)), "9.9s");
  EXPECT_EQ(duration_for_people(milliseconds(9'950)), "10s");
  EXPECT_EQ(duration_for_people(seconds(12)), "12s");
  EXPECT_EQ(duration_for_people(milliseconds(59'600)), "1m 00s");
  EXPECT_EQ(duration_for_people(seconds(154)), "2m 34s");
  EXPECT_EQ(duration_for_people(minutes(65)), "1h 05m");
  EXPECT_EQ(duration_for_people(hours(51)), "2d 03h");
  EXPECT_EQ(duration_for_people(-seconds(12)), "-12s");
}

TEST(Size, ReadsBinaryAndDecimalUnits) {
  EXPECT_EQ(parse_size("512MiB"), 512ULL << 20U);
  EXPECT_EQ(parse_size("64KiB"), 65536U);
  EXPECT_EQ(parse_size("2GiB"), 2ULL << 30U);
  EXPECT_EQ(parse_size("1048576"), 1048576U);
  EXPECT_EQ(parse_size("3MB"), 3'000'000U);
  EXPECT_EQ(parse_size("7B"), 7U);
  EXPECT_EQ(parse_size("0"), 0U);
  EXPECT_EQ(parse_size("18446744073709551615"), 18446744073709551615ULL);
  for (const char* text : {"", "MiB", "1 MiB", "1.5GiB", "-1", "512mib", "1K", "1MiBs",
                           "18446744073709551616", "16777216TiB", "0x10"}) {
    EXPECT_FALSE(parse_size(text)) << text;
  }
}

TEST(Nearest, FindsTyposAndNothingElse) {
  const std::vector<std::string> names{"file.analyse", "file.lint", "report.write", "timeout"};
  EXPECT_EQ(nearest("file.lnit", names), "file.lint");
  EXPECT_EQ(nearest("timeuot", names), "timeout");
  EXPECT_EQ(nearest("TIMEOUT", names), "timeout");
  EXPECT_EQ(nearest("report-write", names), "report.write");
  EXPECT_FALSE(nearest("memory", names));
  EXPECT_FALSE(nearest("", names));
  EXPECT_FALSE(nearest("x", {"y", "ab"}));
  EXPECT_FALSE(nearest(std::string(100'000, 'a'), names));
  EXPECT_EQ(nearest("cat", {"bat", "cat"}), "cat");
}

TEST(EditDistance, CountsSwapsAsOne) {
  EXPECT_EQ(edit_distance("", ""), 0U);
  EXPECT_EQ(edit_distance("", "abc"), 3U);
  EXPECT_EQ(edit_distance("lint", "lnit"), 1U);
  EXPECT_EQ(edit_distance("kitten", "sitting"), 3U);
  EXPECT_EQ(edit_distance("abcdef", "badcfe"), 3U);
}

TEST(Utf8, RefusesOverlongSurrogatesAndCutCharacters) {
  EXPECT_TRUE(is_valid_utf8(""));
  EXPECT_TRUE(is_valid_utf8("grüße … 😀 \xf4\x8f\xbf\xbf"));
  for (const char* text :
       {"\x80", "\xc0\xaf", "\xc1\xbf", "\xe0\x80\xaf", "\xed\xa0\x80", "\xe2\x82",
        "\xf0\x80\x80\x80", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xff", "a\xc3"}) {
    EXPECT_FALSE(is_valid_utf8(text)) << to_hex(text);
  }
}

TEST(Excerpt, CutsAtCharacterEdges) {
  EXPECT_EQ(excerpt("short", 5), "short");
  EXPECT_EQ(excerpt("longer", 5), "lo…");
  EXPECT_EQ(excerpt("grüße!!", 6), "gr…");
  EXPECT_EQ(excerpt("grüße", 2), "gr");
  EXPECT_EQ(excerpt("😀😀", 0), "");
  const std::string text = "añ€😀añ€😀";
  for (std::size_t limit = 0; limit <= text.size() + 1; ++limit) {
    EXPECT_LE(excerpt(text, limit).size(), limit);
    EXPECT_TRUE(is_valid_utf8(excerpt(text, limit))) << limit;
  }
}

TEST(Pieces, SplitTrimJoin) {
  EXPECT_EQ(split("a,,b", ','), (std::vector<std::string_view>{"a", "", "b"}));
  EXPECT_EQ(split("", ','), (std::vector<std::string_view>{""}));
  EXPECT_EQ(trim(" \t a b \r\n"), "a b");
  EXPECT_EQ(trim("  "), "");
  EXPECT_EQ(join({"a", "b", "c"}, " -> "), "a -> b -> c");
  EXPECT_EQ(join({}, ","), "");
}

TEST(WallText, IsRfc3339) {
  const Wall wall = wall_from_micros(1'790'000'079'123'456);
  EXPECT_EQ(wall_to_text(wall), "2026-09-21T14:14:39.123456Z");
  EXPECT_EQ(wall_from_text("2026-09-21T14:14:39.123456Z"), wall);
  EXPECT_EQ(wall_from_text("2026-09-21T16:14:39.1234569+02:00"), wall);
  EXPECT_EQ(wall_from_text("2026-09-21t14:14:39.123456z"), wall);
  EXPECT_EQ(wall_to_text(Wall{}), "1970-01-01T00:00:00.000000Z");
  EXPECT_EQ(wall_to_text(wall_from_micros(-1)), "1969-12-31T23:59:59.999999Z");
  EXPECT_EQ(wall_from_text("2016-12-31T23:59:60Z"), wall_from_text("2017-01-01T00:00:00Z"));
  EXPECT_EQ(wall_from_text("2024-02-29T00:00:00.5-00:30"),
            wall_from_text("2024-02-29T00:30:00.5Z"));
  Random random(11);
  for (int i = 0; i < 10'000; ++i) {
    const Wall any = wall_from_micros(static_cast<std::int64_t>(random.below(1ULL << 57U)));
    ASSERT_EQ(wall_from_text(wall_to_text(any)), any) << wall_to_text(any);
  }
}

TEST(WallText, RefusesWhatIsNoMoment) {
  for (const char* text :
       {"", "2026-11-21", "2026-11-21T10:14:39", "2026-11-21 10:14:39Z", "2026-13-01T00:00:00Z",
        "2026-02-29T00:00:00Z", "2026-00-10T00:00:00Z", "2026-11-21T24:00:00Z",
        "2026-11-21T10:60:00Z", "2026-11-21T10:10:60Z", "2026-11-21T10:14:39.Z",
        "2026-11-21T10:14:39+2:00", "2026-11-21T10:14:39+24:00", "2026-11-21T10:14:39Zx",
        "26-11-21T10:14:39Z", "+2026-11-21T10:14:39Z"}) {
    EXPECT_FALSE(wall_from_text(text)) << text;
  }
}

TEST(Hex, IsLowerCase) { EXPECT_EQ(to_hex(std::string_view("\x00\xaf\xff", 3)), "00afff"); }

TEST(Name, IsLowerCaseAndBounded) {
  for (const char* name : {"a", "scout", "file.lint", "a_b-c.1", "1"}) {
    EXPECT_TRUE(is_valid_name(name)) << name;
  }
  EXPECT_TRUE(is_valid_name(std::string(63, 'a')));
  EXPECT_FALSE(is_valid_name(std::string(64, 'a')));
  for (const char* name : {"", "A", "a b", "-a", "a-", ".a", "a/b", "grün", "a_"}) {
    EXPECT_FALSE(is_valid_name(name)) << name;
  }
}

}  // namespace
}  // namespace mainstay::base
