// Lines that processes write, as log records. A line is bounded (faults A11): what is over the
// limit is cut and counted, invalid UTF-8 is replaced, and however fast or endless the writer,
// memory stays at one line a stream. Pure; one thread at a time per splitter.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>

#include "base/time.h"
#include "model/log_record.h"

namespace mainstay::node {

constexpr std::size_t kMaxLineBytes = std::size_t{64} << 10;

class LineSplitter {
 public:
  /// `dropped`: bytes of the line that were cut off. The view is valid during the call.
  using OnLine = std::function<void(std::string_view line, std::size_t dropped)>;

  void feed(std::string_view bytes, const OnLine& on_line);
  /// The last line, if it had no end.
  void finish(const OnLine& on_line);

 private:
  std::string partial_;
  std::size_t dropped_ = 0;
};

/// Valid UTF-8: every byte that is not part of a well-formed character becomes U+FFFD.
std::string with_valid_utf8(std::string_view bytes);

/// A line as a record. A JSON object with a `message` (also `msg`, `event`) is taken as structured:
/// its level, component and ids are merged into the record where `context` does not say them
/// already, and all else becomes fields. Any other line is the message, with level INFO. `stream`
/// (`stdout`, `stderr`) is noted in the fields. Time is that of reading: the writer's own clock
/// orders nothing (faults A16) and is kept as a field.
model::LogRecord record_of_line(std::string_view line, std::size_t dropped,
                                const model::LogContext& context, std::string_view stream, Wall at);

}  // namespace mainstay::node
