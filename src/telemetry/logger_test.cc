// Log records on their way: context, levels, queue, loss, sinks.
#include "telemetry/logger.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <future>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "platform/files/files.h"
#include "platform/files/test_dir.h"
#include "platform/json/json.h"
#include "telemetry/log_line.h"
#include "telemetry/log_scope.h"

namespace mainstay::telemetry {
namespace {

using std::chrono::seconds;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

constexpr Duration kPatience = seconds(30);

/// Keeps what it is given; can be made to wait, and to fail.
class MemorySink : public LogSink {
 public:
  struct Box {
    std::mutex mutex;
    std::vector<model::LogRecord> records;
    std::atomic<bool> fails = false;
    std::promise<void> entered;
    std::shared_future<void> gate;  // waited for at the first write, if valid

    std::vector<std::string> messages() {
      const std::lock_guard lock(mutex);
      std::vector<std::string> all;
      for (const auto& record : records) all.push_back(record.message);
      return all;
    }
  };
  explicit MemorySink(std::shared_ptr<Box> box) : box_(std::move(box)) {}

  Result<void> write(const std::vector<model::LogRecord>& records) override {
    if (box_->gate.valid() && !std::exchange(waited_, true)) {
      box_->entered.set_value();
      box_->gate.wait();
    }
    if (box_->fails) return Error(Code::io_failed, "no space left on device");
    const std::lock_guard lock(box_->mutex);
    box_->records.insert(box_->records.end(), records.begin(), records.end());
    return {};
  }

 private:
  std::shared_ptr<Box> box_;
  bool waited_ = false;
};

struct Output {
  explicit Output(LogOutputOptions options = {}, std::shared_ptr<Redactor> redactor = nullptr,
                  std::shared_future<void> gate = {})
      : box(std::make_shared<MemorySink::Box>()) {
    box->gate = std::move(gate);
    if (!options.now) options.now = [] { return base::wall_from_micros(1'700'000'000'000'000); };
    std::vector<std::unique_ptr<LogSink>> sinks;
    sinks.push_back(std::make_unique<MemorySink>(box));
    output = std::make_unique<LogOutput>(std::move(options), std::move(redactor), std::move(sinks));
  }
  std::shared_ptr<MemorySink::Box> box;
  std::unique_ptr<LogOutput> output;
};

TEST(Logger, WritesFieldsOfEveryKind) {
  Output out;
  const Logger log(*out.output, "fleet");
  const Error error = Error(Code::io_failed, "cannot read")
                          .with("path", "/x")
                          .caused_by(Error(Code::not_found, "no such file"));
  log.info("ready", {{"agent", "a\"1"},
                     {"slots", 4},
                     {"big", std::uint64_t{18446744073709551615ULL}},
                     {"ok", true},
                     {"share", 0.5},
                     {"startup_ms", Duration(std::chrono::microseconds(1500))},
                     {"error", error}});
  ASSERT_TRUE(out.output->flush(kPatience));
  ASSERT_EQ(out.box->records.size(), 1U);
  const model::LogRecord& record = out.box->records[0];
  EXPECT_EQ(record.context.component, "fleet");
  const std::string numbers = R"({"agent":"a\"1","slots":4,"big":18446744073709551615,"ok":true,)";
  const std::string rest = R"("share":0.5,"startup_ms":1.5,"error":{"code":"io_failed",)";
  const std::string cause = R"("message":"cannot read","path":"/x",)";
  const std::string end = R"-("cause":"no such file (not_found)"}})-";
  EXPECT_EQ(record.fields, numbers + rest + cause + end);
  EXPECT_TRUE(platform::parse_json_object(to_json_line(record)));
}

TEST(Logger, TakesOnlyWhatItsLevelAsksFor) {
  Output out({.level = model::LogLevel::WARNING});
  const Logger log(*out.output, "x");
  log.info("no");
  log.warning("yes");
  EXPECT_FALSE(log.takes(model::LogLevel::INFO));
  out.output->set_level(model::LogLevel::DEBUG);
  log.debug("now too");
  ASSERT_TRUE(out.output->flush(kPatience));
  EXPECT_THAT(out.box->messages(), ElementsAre("yes", "now too"));
}

TEST(LogScope, NestsAndRestores) {
  EXPECT_EQ(current_log_context().run_id, "");
  {
    const LogScope run({.run_id = "r1", .pipeline = "review"});
    {
      const LogScope step({.stage = "scan", .step = 2, .component = "adapter"});
      EXPECT_EQ(current_log_context().run_id, "r1");
      EXPECT_EQ(current_log_context().step, 2);
    }
    EXPECT_EQ(current_log_context().step, 0);
    EXPECT_EQ(current_log_context().stage, "");
  }
  EXPECT_EQ(current_log_context().run_id, "");
}

TEST(LogScope, IsCarriedAcrossThreads) {
  Output out;
  const Logger log(*out.output, "pool");
  const LogScope scope({.run_id = "r1", .step = 3});
  std::thread bare([&] { log.info("bare"); });
  bare.join();
  std::thread carried(with_log_context([&] { log.info("carried"); }));
  carried.join();
  ASSERT_TRUE(out.output->flush(kPatience));
  ASSERT_EQ(out.box->records.size(), 2U);
  EXPECT_EQ(out.box->records[0].context.run_id, "");
  EXPECT_EQ(out.box->records[1].context.run_id, "r1");
  EXPECT_EQ(out.box->records[1].context.step, 3);
  EXPECT_EQ(out.box->records[1].context.component, "pool");
}

TEST(LogOutput, RedactsBeforeAnySink) {
  auto redactor = std::make_shared<Redactor>();
  redactor->add("ms_op_verysecret");
  Output out({}, redactor);
  Logger(*out.output, "x").info("token ms_op_verysecret", {{"t", "ms_op_verysecret"}});
  ASSERT_TRUE(out.output->flush(kPatience));
  EXPECT_EQ(out.box->records[0].message, "token [redacted]");
  EXPECT_EQ(out.box->records[0].fields, R"({"t":"[redacted]"})");
}

TEST(LogOutput, AFullQueueLosesCountsAndMarks) {
  std::promise<void> gate;
  Output out({.capacity = 10}, nullptr, gate.get_future().share());
  const Logger log(*out.output, "x");
  log.info("first");
  out.box->entered.get_future().wait();  // the sink hangs with it
  for (int i = 0; i < 25; ++i) log.info("line " + std::to_string(i));
  EXPECT_EQ(out.output->counters().lost, 15U);
  EXPECT_EQ(out.output->counters().waiting, 10U);
  gate.set_value();
  log.info("behind");
  ASSERT_TRUE(out.output->flush(kPatience));
  const auto messages = out.box->messages();
  EXPECT_EQ(messages[0], "first");
  EXPECT_EQ(messages[10], "line 9");
  bool marked = false;
  std::uint64_t lost = 0;
  for (const auto& record : out.box->records) {
    if (record.message.find("were lost here") == std::string::npos) continue;
    marked = true;
    auto fields = platform::parse_json_object(record.fields);
    lost += static_cast<std::uint64_t>(fields->at("lost").to_number<std::int64_t>());
  }
  EXPECT_TRUE(marked);
  EXPECT_EQ(lost, out.output->counters().lost) << "every loss is in the log";
}

TEST(LogOutput, AFailingSinkIsCountedAndDoesNotStopTheOthers) {
  auto bad = std::make_shared<MemorySink::Box>();
  auto good = std::make_shared<MemorySink::Box>();
  bad->fails = true;
  std::vector<std::unique_ptr<LogSink>> sinks;
  sinks.push_back(std::make_unique<MemorySink>(bad));
  sinks.push_back(std::make_unique<MemorySink>(good));
  LogOutput output({}, nullptr, std::move(sinks));
  Logger(output, "x").info("a");
  ASSERT_TRUE(output.flush(kPatience));
  EXPECT_GE(output.counters().sink_failures, 1U);
  bad->fails = false;
  Logger(output, "x").info("b");
  ASSERT_TRUE(output.flush(kPatience));
  EXPECT_THAT(good->messages(), ElementsAre("a", "b"));
  EXPECT_THAT(bad->messages(), ElementsAre("b"));
}

TEST(LogOutput, CloseWritesWhatWaitsAndThenTakesNothing) {
  Output out;
  const Logger log(*out.output, "x");
  for (int i = 0; i < 1000; ++i) log.info("line");
  EXPECT_TRUE(out.output->close(kPatience));
  EXPECT_EQ(out.box->records.size(), 1000U);
  log.info("late");
  EXPECT_EQ(out.output->counters().lost, 1U);
}

TEST(LogOutput, ManyThreadsKeepTheirOwnOrder) {
  Output out({.capacity = 100'000});
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      const Logger log(*out.output, std::to_string(t));
      for (int i = 0; i < 2000; ++i) log.info(std::to_string(i));
    });
  }
  for (std::thread& thread : threads) thread.join();
  ASSERT_TRUE(out.output->flush(kPatience));
  std::array<int, 4> next{};
  for (const auto& record : out.box->records) {
    const auto thread = static_cast<std::size_t>(std::stoi(record.context.component));
    EXPECT_EQ(record.message, std::to_string(next[thread]++));
  }
  EXPECT_THAT(next, ElementsAre(2000, 2000, 2000, 2000));
}

TEST(FileSink, WritesJsonLinesAndServesAFileThatWasMoved) {
  const platform::TestDir dir;
  auto sink = make_file_sink(dir / "log.jsonl");
  ASSERT_TRUE(sink);
  model::LogRecord record;
  record.message = "hello\nworld \x1b[31m";
  ASSERT_TRUE((*sink)->write({record, record}));
  const std::string text = *platform::read_file(dir / "log.jsonl");
  std::istringstream lines(text);
  int count = 0;
  for (std::string line; std::getline(lines, line); ++count) {
    auto parsed = platform::parse_json_object(line);
    ASSERT_TRUE(parsed) << line;
    EXPECT_EQ(parsed->at("message").as_string(), "hello\nworld \x1b[31m");
  }
  EXPECT_EQ(count, 2) << "a message's line break makes no line (faults H10)";
  EXPECT_FALSE(make_file_sink(dir / "no/such/log.jsonl"));
}

TEST(FileSink, FaultC2AFullDiskIsReportedAndServedAgain) {
  // /dev/full answers every write with ENOSPC.
  auto sink = make_file_sink("/dev/full");
  ASSERT_TRUE(sink);
  const auto written = (*sink)->write({model::LogRecord{}});
  ASSERT_FALSE(written);
  EXPECT_FALSE((*sink)->write({model::LogRecord{}})) << "tried again, not given up";
}

TEST(ConsoleSink, ColoursOnlyATerminalAndCannotBeStopped) {
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  const platform::Fd reader(ends[0]);
  const platform::Fd writer(ends[1]);
  auto sink = make_console_sink(writer.get(), ConsoleColour::when_terminal);
  model::LogRecord record;
  record.level = model::LogLevel::ERROR;
  record.message = "bad \x1b]0;title\x07";
  ASSERT_TRUE(sink->write({record}));
  char buffer[512];
  const auto count = ::read(reader.get(), buffer, sizeof buffer);
  ASSERT_GT(count, 0);
  const std::string line(buffer, static_cast<std::size_t>(count));
  EXPECT_THAT(line, HasSubstr("ERROR"));
  EXPECT_THAT(line, Not(HasSubstr("\x1b")));
  // Nobody reads any more: the pipe fills up, and the sink says so in a bounded time.
  record.message.assign(60'000, 'x');
  EXPECT_FALSE(sink->write({record, record, record}));
}

}  // namespace
}  // namespace mainstay::telemetry
