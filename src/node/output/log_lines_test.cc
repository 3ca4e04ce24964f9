#include "node/output/log_lines.h"

#include <gtest/gtest.h>

#include <vector>

#include "base/text.h"

namespace mainstay::node {
namespace {

using namespace std::string_literals;

struct Line {
  std::string text;
  std::size_t dropped;
  bool operator==(const Line&) const = default;
};

std::vector<Line> split(const std::string& bytes, std::size_t piece) {
  std::vector<Line> lines;
  auto take = [&](std::string_view line, std::size_t dropped) {
    lines.push_back({std::string(line), dropped});
  };
  LineSplitter splitter;
  for (std::size_t at = 0; at < bytes.size(); at += piece) {
    splitter.feed(std::string_view(bytes).substr(at, piece), take);
  }
  splitter.finish(take);
  return lines;
}

TEST(LineSplitter, GivesTheSameLinesHoweverTheBytesCome) {
  std::string bytes = "one\n\nthree is longer\r\nfour";
  std::vector<Line> lines = {{"one", 0}, {"", 0}, {"three is longer\r", 0}, {"four", 0}};
  for (std::size_t piece : {1U, 2U, 3U, 7U, 100U}) EXPECT_EQ(split(bytes, piece), lines) << piece;
}

/// Faults A11: an endless line takes no more memory than one line may.
TEST(LineSplitter, CutsLongLinesAndCountsWhatIsLost) {
  std::string bytes = std::string(kMaxLineBytes, 'a') + "\n" + std::string(3 * kMaxLineBytes, 'b') +
                      "\nafter\n" + std::string(kMaxLineBytes + 1, 'c');
  std::vector<Line> lines = {{std::string(kMaxLineBytes, 'a'), 0},
                             {std::string(kMaxLineBytes, 'b'), 2 * kMaxLineBytes},
                             {"after", 0},
                             {std::string(kMaxLineBytes, 'c'), 1}};
  for (std::size_t piece : {1000U, 65536U, 1U << 20}) EXPECT_EQ(split(bytes, piece), lines);
}

TEST(ValidUtf8, ReplacesOnlyWhatIsBroken) {
  EXPECT_EQ(with_valid_utf8("grün €"), "grün €");
  EXPECT_EQ(with_valid_utf8("a\xff"
                            "b"),
            "a\xef\xbf\xbd"
            "b");
  EXPECT_EQ(with_valid_utf8("\xc3"), "\xef\xbf\xbd");
  for (const std::string& bad : {"\xed\xa0\x80"s, "\xc0\xaf"s, "\xf5\x80\x80\x80"s, "\xe2\x82"s,
                                 "\xf0\x80\x80\x80"s, "\x80\xff\xfe"s}) {
    std::string text = with_valid_utf8("x" + bad + "y");
    EXPECT_TRUE(base::is_valid_utf8(text));
    EXPECT_TRUE(text.starts_with("x\xef\xbf\xbd"));
    EXPECT_TRUE(text.ends_with("\xef\xbf\xbdy"));
  }
}

class RecordOfLine : public testing::Test {
 protected:
  model::LogRecord record(std::string_view line, std::size_t dropped = 0) {
    return record_of_line(line, dropped, context_, "stdout", Wall{});
  }
  model::LogContext context_;
};

TEST_F(RecordOfLine, PlainTextIsTheMessage) {
  context_.agent = "scout";
  auto r = record("hello\r");
  EXPECT_EQ(r.message, "hello");
  EXPECT_EQ(r.level, model::LogLevel::INFO);
  EXPECT_EQ(r.context.agent, "scout");
  EXPECT_EQ(r.context.component, "stdout");
  EXPECT_EQ(r.fields, R"({"stream":"stdout"})");
  EXPECT_EQ(record("x", 7).fields, R"({"stream":"stdout","truncated_bytes":7})");
}

TEST_F(RecordOfLine, AStructuredLineIsMerged) {
  auto r = record(R"({"severity":"Fatal","msg":"m","path":"a/b","step":4,)"
                  R"("run_id":"0192f3c8-7b1a-7cc3-98c4-dc0c0c07398f","stage":"scan",)"
                  R"("component":"git","time":"2026-11-21T10:14:39Z"})");
  EXPECT_EQ(r.message, "m");
  EXPECT_EQ(r.level, model::LogLevel::CRITICAL);
  EXPECT_EQ(r.context.run_id, "0192f3c8-7b1a-7cc3-98c4-dc0c0c07398f");
  EXPECT_EQ(r.context.stage, "scan");
  EXPECT_EQ(r.context.step, 4);
  EXPECT_EQ(r.context.component, "git");
  EXPECT_EQ(r.fields, R"({"path":"a/b","time":"2026-11-21T10:14:39Z","stream":"stdout"})");
}

/// H10, I3: a line cannot speak for another run, agent or file than its process may.
TEST_F(RecordOfLine, ClaimsDoNotOverrideOrEscape) {
  context_.agent = "scout";
  context_.run_id = "0192f3c8-7b1a-7cc3-98c4-dc0c0c07398f";
  auto r = record(R"({"message":"m","agent":"root","component":"../../etc",)"
                  R"("run_id":"0192f3c8-0000-7cc3-98c4-dc0c0c07398f","stage":"a/b","level":9})");
  EXPECT_EQ(r.context.agent, "scout");
  EXPECT_EQ(r.context.run_id, context_.run_id);
  EXPECT_EQ(r.context.stage, "");
  EXPECT_EQ(r.context.component, "stdout");
  EXPECT_EQ(r.level, model::LogLevel::INFO);
  EXPECT_EQ(record(R"({"message":"m","run_id":"../x"})").context.run_id, context_.run_id);
}

TEST_F(RecordOfLine, WhatIsNotALogObjectIsText) {
  for (const char* line : {"{", "{}", R"({"message":5})", R"({"message":"a"} x)", "[1]",
                           R"({"message":"a","message":"b"})"}) {
    EXPECT_EQ(record(line).message, line);
  }
  EXPECT_EQ(record("\x1b[31mred\x1b[0m").message, "\x1b[31mred\x1b[0m");
}

}  // namespace
}  // namespace mainstay::node
