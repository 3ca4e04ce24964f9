// What the code logs with: a message for people and fields for machines, under the context of the
// thread.
//
//   log.info("agent is ready", {{"agent", name}, {"startup_ms", 41}});
//
// Lifetime: a small value; its LogOutput must outlive it. Threads: any. Nothing fails; below the
// output's level a call costs one load.
#pragma once

#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

#include "base/error.h"
#include "model/log_record.h"
#include "telemetry/log_output.h"

namespace mainstay::telemetry {

/// One field: a key and a JSON value, written at once.
class LogField {
 public:
  LogField(std::string_view key, std::string_view text);
  LogField(std::string_view key, const char* text) : LogField(key, std::string_view(text)) {}
  LogField(std::string_view key, const std::string& text) : LogField(key, std::string_view(text)) {}
  LogField(std::string_view key, bool truth);
  LogField(std::string_view key, double number);
  /// In milliseconds, as all durations of logs are; name the key `…_ms`.
  LogField(std::string_view key, Duration duration);
  /// {"code","message","cause"…}
  LogField(std::string_view key, const Error& error);
  template <std::integral I>
  requires(!std::same_as<I, bool>) LogField(std::string_view key, I number)
      : LogField(key, std::to_string(number), Raw{}) {}

  /// `"key":value`
  const std::string& text() const { return text_; }

 private:
  struct Raw {};
  LogField(std::string_view key, std::string_view json, Raw);

  std::string text_;
};

using LogFields = std::initializer_list<LogField>;

class Logger {
 public:
  /// `component` stands in every record whose thread's context names none.
  Logger(LogOutput& output, std::string component)
      : output_(&output), component_(std::move(component)) {}

  void debug(std::string message, LogFields fields = {}) const {
    log(model::LogLevel::DEBUG, std::move(message), fields);
  }
  void info(std::string message, LogFields fields = {}) const {
    log(model::LogLevel::INFO, std::move(message), fields);
  }
  void warning(std::string message, LogFields fields = {}) const {
    log(model::LogLevel::WARNING, std::move(message), fields);
  }
  void error(std::string message, LogFields fields = {}) const {
    log(model::LogLevel::ERROR, std::move(message), fields);
  }
  void critical(std::string message, LogFields fields = {}) const {
    log(model::LogLevel::CRITICAL, std::move(message), fields);
  }
  void log(model::LogLevel level, std::string message, LogFields fields) const;

  /// The same output, another component.
  Logger of(std::string component) const { return Logger(*output_, std::move(component)); }
  /// To save making costly fields.
  bool takes(model::LogLevel level) const { return output_->takes(level); }

 private:
  LogOutput* output_;
  std::string component_;
};

}  // namespace mainstay::telemetry
