// Reads the finished logs of a run back: counts by level, and the first few errors and warnings.
// The files are the record, so the figures are right even when the daemon was restarted meanwhile.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace mainstay::runs {

struct LogCounts {
  std::int64_t lines = 0;
  std::int64_t unreadable = 0;
  std::int64_t warnings = 0;
  /// ERROR and CRITICAL.
  std::int64_t errors = 0;
  /// At most kKeep of each: `step_002/adapter: message`.
  std::vector<std::string> first_errors;
  std::vector<std::string> first_warnings;

  static constexpr std::size_t kKeep = 10;
};

/// All *.log files under `logs_folder`, in the order of their paths. A file that cannot be read is
/// passed over.
LogCounts scan_logs(const std::string& logs_folder);

/// Paths of all regular files under `folder`, relative to it, sorted; symbolic links are left out.
std::vector<std::string> files_under(const std::string& folder);

}  // namespace mainstay::runs
