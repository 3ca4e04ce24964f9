#include "telemetry/log_sink.h"

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <unistd.h>

#include <string_view>
#include <utility>

#include "platform/clock.h"
#include "platform/files/files.h"
#include "telemetry/log_line.h"

namespace mainstay::telemetry {
namespace {

constexpr std::size_t kWriteBytes = 256UL * 1024;
constexpr Duration kConsolePatience = std::chrono::seconds(1);

class FileSink : public LogSink {
 public:
  FileSink(std::string path, platform::Fd file) : path_(std::move(path)), file_(std::move(file)) {}

  static Result<platform::Fd> open(const std::string& path) {
    return platform::open_file(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
  }

  Result<void> write(const std::vector<model::LogRecord>& records) override {
    if (broken_) {
      auto file = open(path_);
      if (!file) return file.error();
      file_ = *std::move(file);
      broken_ = false;
    }
    std::string text;
    for (const model::LogRecord& record : records) {
      text += to_json_line(record);
      if (text.size() < kWriteBytes) continue;
      if (auto written = put(text); !written) return written;
    }
    return put(text);
  }

 private:
  Result<void> put(std::string& text) {
    if (text.empty()) return {};
    auto written = platform::write_all(file_.get(), text, path_);
    text.clear();
    broken_ = !written;
    return written;
  }

  std::string path_;
  platform::Fd file_;
  bool broken_ = false;
};

class ConsoleSink : public LogSink {
 public:
  ConsoleSink(int fd, bool colour) : fd_(fd), colour_(colour) {}

  Result<void> write(const std::vector<model::LogRecord>& records) override {
    std::string text;
    for (const model::LogRecord& record : records) text += to_console_line(record, colour_);
    return put(text);
  }

 private:
  /// A stopped terminal or a full pipe must not hold the log, nor the end of the daemon: what it
  /// does not take in time is dropped. A descriptor that poll(2) calls writable takes PIPE_BUF
  /// bytes without blocking (pipe(7)).
  Result<void> put(std::string_view text) {
    const Mono until = platform::mono_now() + kConsolePatience;
    while (!text.empty()) {
      pollfd ready{fd_, POLLOUT, 0};
      const auto left = base::to_millis(until - platform::mono_now());
      if (left <= 0 || ::poll(&ready, 1, static_cast<int>(left)) == 0) {
        return Error(Code::io_failed, "the console takes no lines");
      }
      const std::string_view part = text.substr(0, PIPE_BUF);
      if (auto written = platform::write_all(fd_, part, "the console"); !written) return written;
      text.remove_prefix(part.size());
    }
    return {};
  }

  int fd_;
  bool colour_;
};

}  // namespace

Result<std::unique_ptr<LogSink>> make_file_sink(std::string path) {
  auto file = FileSink::open(path);
  if (!file) return file.error();
  return std::unique_ptr<LogSink>(std::make_unique<FileSink>(std::move(path), *std::move(file)));
}

std::unique_ptr<LogSink> make_console_sink(int fd, ConsoleColour colour) {
  const bool paint = colour == ConsoleColour::always ||
                     (colour == ConsoleColour::when_terminal && ::isatty(fd) == 1);
  return std::make_unique<ConsoleSink>(fd, paint);
}

}  // namespace mainstay::telemetry
