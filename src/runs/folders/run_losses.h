// What the folder of a run lacks, and the words for it: pure.
#pragma once

#include <cstdint>
#include <string>

namespace mainstay::runs {

struct Losses {
  /// Why the first line or document could not be written; empty: all could.
  std::string reason;
  /// Lines of agents that went to the fleet's log instead.
  std::int64_t elsewhere = 0;
  std::int64_t spans = 0;
  /// Files that others removed or replaced while they were written.
  int vanished_files = 0;
  /// The documents of the run's start lack.
  bool late_start = false;
  /// Lines written later, from the journal.
  std::int64_t restored = 0;

  bool any() const {
    return !reason.empty() || elsewhere + spans + restored > 0 || vanished_files > 0 || late_start;
  }
};

/// For the run's own log; empty when nothing lacks.
std::string to_text(const Losses& losses, const std::string& fleet_log);

}  // namespace mainstay::runs
