// Secrets never reach a log, in whatever form they come (faults I9).
#include "telemetry/redactor.h"

#include <gtest/gtest.h>

#include <string>
#include <thread>
#include <vector>

#include "base/random.h"
#include "platform/json/json.h"
#include "telemetry/log_line.h"

namespace mainstay::telemetry {
namespace {

TEST(Redactor, ReplacesEveryOccurrence) {
  Redactor redactor;
  EXPECT_FALSE(redactor.redact("nothing is registered"));
  ASSERT_TRUE(redactor.add("hunter2-secret"));
  EXPECT_EQ(redactor.redact("a hunter2-secret and hunter2-secret"), "a [redacted] and [redacted]");
  EXPECT_EQ(redactor.redact("hunter2-secret"), "[redacted]");
  EXPECT_FALSE(redactor.redact("hunter2-secre"));
  EXPECT_FALSE(redactor.redact(""));
}

TEST(Redactor, RefusesWhatIsTooShortToBeTold) {
  Redactor redactor;
  EXPECT_FALSE(redactor.add("abc"));
  EXPECT_FALSE(redactor.add(""));
  EXPECT_FALSE(redactor.redact("abcdef"));
}

TEST(Redactor, TheLongestSecretGoes) {
  Redactor redactor;
  redactor.add("token-1");
  redactor.add("token-1234");
  redactor.add("2345678");
  EXPECT_EQ(redactor.redact("x token-12345678 y"), "x [redacted]5678 y");
  EXPECT_EQ(redactor.redact("token-1token-1234"), "[redacted][redacted]");
}

TEST(Redactor, KnowsTheFormsOfJson) {
  Redactor redactor;
  const std::string secret = "p\"a\\ss/w\xc3\xb6rt\n\xf0\x9f\x94\x91";
  redactor.add(secret);
  std::string ours;
  platform::append_json_string(ours, secret);
  EXPECT_EQ(redactor.redact(ours), "\"[redacted]\"");
  // json.dumps(secret), and json.dumps(json.dumps(secret))
  const std::string python = R"("p\"a\\ss/w\u00f6rt\n\ud83d\udd11")";
  EXPECT_EQ(redactor.redact(python), "\"[redacted]\"");
  std::string twice;
  platform::append_json_string(twice, python);
  EXPECT_EQ(redactor.redact(twice), R"("\"[redacted]\"")");
  EXPECT_EQ(redactor.redact(R"("p\"a\\ss\/w\u00f6rt\n\ud83d\udd11")"), "\"[redacted]\"");
}

TEST(Redactor, FieldsStayValidJson) {
  Redactor redactor;
  redactor.add("123456789");
  model::LogRecord record;
  record.message = "token 123456789";
  record.fields = R"({"token":"123456789"})";
  record.context.agent = "a-123456789";
  redactor.redact_in(record);
  EXPECT_EQ(record.message, "token [redacted]");
  EXPECT_EQ(record.fields, R"({"token":"[redacted]"})");
  EXPECT_EQ(record.context.agent, "a-[redacted]");
  record.fields = R"({"number":123456789})";
  redactor.redact_in(record);
  EXPECT_TRUE(platform::parse_json(record.fields));
  EXPECT_EQ(record.fields.find("123456789"), std::string::npos);
  EXPECT_TRUE(platform::parse_json_object(to_json_line(record)));
}

// Against a scan that tries every secret at every place.
TEST(Redactor, ASpanIsCleanInAllItsParts) {
  Redactor redactor;
  redactor.add("hunter2-hunter2");
  redactor.add("12345678");
  model::SpanRecord span;
  span.name = "call hunter2-hunter2";
  span.status_message = "refused: hunter2-hunter2";
  span.attributes = R"({"key":"hunter2-hunter2"})";
  span.events = "[12345678]";
  redactor.redact_in(span);
  EXPECT_EQ(span.name, "call [redacted]");
  EXPECT_EQ(span.status_message, "refused: [redacted]");
  EXPECT_EQ(span.attributes, R"({"key":"[redacted]"})");
  EXPECT_EQ(span.events, R"(["[redacted]"])");
}

TEST(Redactor, PropertyAgreesWithAPlainScan) {
  for (std::uint64_t seed = 1; seed <= 300; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    base::Random random(seed);
    auto word = [&](std::size_t length) {
      std::string text;
      while (text.size() < length) text += static_cast<char>('a' + random.below(2));
      return text;
    };
    Redactor redactor;
    std::vector<std::string> secrets;
    for (std::size_t i = 0; i <= random.below(6); ++i) secrets.push_back(word(6 + random.below(5)));
    for (const std::string& secret : secrets) redactor.add(secret);
    const std::string text = word(random.below(200));
    std::string expected;
    for (std::size_t at = 0; at < text.size();) {
      std::size_t longest = 0;
      for (const std::string& secret : secrets) {
        if (text.compare(at, secret.size(), secret) == 0)
          longest = std::max(longest, secret.size());
      }
      expected += longest > 0 ? std::string(Redactor::kMark) : text.substr(at, 1);
      at += std::max<std::size_t>(1, longest);
    }
    EXPECT_EQ(redactor.redact(text).value_or(text), expected);
  }
}

TEST(Redactor, SecretsMayComeWhileOthersRead) {
  Redactor redactor;
  redactor.add("first-secret");
  std::vector<std::thread> readers;
  for (int i = 0; i < 3; ++i) {
    readers.emplace_back([&] {
      for (int n = 0; n < 2000; ++n) {
        EXPECT_EQ(redactor.redact("the first-secret stays"), "the [redacted] stays");
      }
    });
  }
  for (int n = 0; n < 200; ++n) redactor.add("another-secret-" + std::to_string(n));
  for (std::thread& reader : readers) reader.join();
  EXPECT_EQ(redactor.redact("another-secret-199!"), "[redacted]!");
}

}  // namespace
}  // namespace mainstay::telemetry
