// Where log records end up: JSON Lines in a file, readable lines on a terminal.
//
// Lifetime: owned by the LogOutput. Threads: only that output's thread calls. A write that fails is
// an Error for the output, which counts it; a sink never throws and never stops.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "model/log_record.h"
#include "platform/files/fd.h"

namespace mainstay::telemetry {

class LogSink {
 public:
  virtual ~LogSink() = default;
  /// One batch, oldest first. On failure none, some or all of it is written.
  virtual Result<void> write(const std::vector<model::LogRecord>& records) = 0;
};

/// Appends one JSON object a line; mode 0600. After a failed write the file is opened anew before
/// the next one, so that a moved file or a full disk that has room again is served by itself.
Result<std::unique_ptr<LogSink>> make_file_sink(std::string path);

enum class ConsoleColour { never, always, when_terminal };

/// Readable lines on a descriptor that stays the caller's (usually 2).
std::unique_ptr<LogSink> make_console_sink(int fd, ConsoleColour colour);

}  // namespace mainstay::telemetry
