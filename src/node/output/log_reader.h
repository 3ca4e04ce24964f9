// Reads a process's stdout or stderr and makes log records of its lines. Lives on the node's loop
// thread; a writer that floods one stream gets no more than its share of each round.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "model/log_record.h"
#include "node/node_context.h"
#include "node/output/log_lines.h"
#include "platform/files/fd.h"

namespace mainstay::node {

class LogReader {
 public:
  /// `tail_bytes`: how much of the end of the stream is kept for error reports.
  LogReader(NodeContext& node, platform::Fd stream, std::string stream_name,
            model::LogContext context, std::size_t tail_bytes = 0);
  ~LogReader();
  LogReader(const LogReader&) = delete;
  LogReader& operator=(const LogReader&) = delete;

  Result<void> start();
  /// Reads what is there without waiting for an end of file, which a stray writer could withhold
  /// (faults A12), and gives out the last line. The stream is closed.
  void finish();
  /// The last bytes of the stream, as valid UTF-8.
  std::string tail() const { return with_valid_utf8(tail_); }

 private:
  /// Reads at most `budget` bytes; false at the end of the stream.
  bool read_some(std::size_t budget);
  void take(std::string_view line, std::size_t dropped);
  void stop_watching();

  NodeContext& node_;
  platform::Fd stream_;
  std::string stream_name_;
  model::LogContext context_;
  std::size_t tail_bytes_;
  std::string tail_;
  LineSplitter lines_;
  platform::Reactor::WatchId watch_ = 0;
};

}  // namespace mainstay::node
