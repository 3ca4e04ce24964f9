// The newest log lines of a run or of the fleet, filtered, in order of time; and those that come
// after (RUN-8). Reads the files, so it needs no memory of its own.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "model/log_record.h"

namespace mainstay::runs {

struct LogFilter {
  /// Empty: any.
  std::string component;
  std::string agent;
  model::LogLevel least = model::LogLevel::DEBUG;

  /// No filter at all also passes what is no log line of ours: half a line, another program's
  /// words.
  bool passes(std::string_view line) const;
};

/// Reads new lines of a set of files. One thread at a time.
class LogTail {
 public:
  /// `place`: a folder (all *.log files under it, also later ones), or one file.
  LogTail(std::string place, LogFilter filter);

  /// The newest `count` matching lines, oldest first; poll() goes on after them. Each file is read
  /// from its end back to as many matches, to kMaxTaken of them in bytes, or through its last
  /// kMaxBytes.
  std::vector<std::string> last(std::size_t count);
  /// Complete matching lines that came since, in order of time.
  std::vector<std::string> poll();

  static constexpr std::int64_t kMaxBytes = std::int64_t{256} << 20;
  static constexpr std::size_t kMaxTaken = std::size_t{8} << 20;

 private:
  std::vector<std::string> paths() const;
  std::vector<std::string> read_from(const std::string& path, std::int64_t& offset) const;

  std::string place_;
  LogFilter filter_;
  std::map<std::string, std::int64_t> offsets_;
};

}  // namespace mainstay::runs
