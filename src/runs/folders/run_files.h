// The log files of one run while it is live: opened on first use, at most kMaxOpen at a time,
// appended line by line. Files switch by the step and component of each record (RUN-2).
//
// One thread. A write that fails says why and is tried anew with the next line; what it means for
// the run is the caller's decision: telemetry must not stop work (faults C2).
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <list>
#include <map>
#include <string>
#include <string_view>
#include <utility>

#include "base/result.h"
#include "platform/files/fd.h"
#include "runs/folders/run_layout.h"

namespace mainstay::runs {

class RunFiles {
 public:
  static constexpr std::size_t kMaxOpen = 16;

  explicit RunFiles(RunLayout layout);
  ~RunFiles();
  RunFiles(const RunFiles&) = delete;
  RunFiles& operator=(const RunFiles&) = delete;

  /// Makes the folders of the run.
  Result<void> prepare();
  /// Makes logs/step_NNN with the four files that every step has, even if nothing is said there.
  Result<void> prepare_step(int step);

  /// Step 0: the run's own log.
  Result<void> append(int step, std::string_view component, std::string_view line);
  Result<void> append_span(std::string_view line) { return add(layout_.file("spans.jsonl"), line); }
  void close_all();

  /// How many of the files written here, since close_all(), were removed or replaced by others.
  int vanished() const;
  const RunLayout& layout() const { return layout_; }

 private:
  struct Open {
    platform::Fd fd;
    std::list<std::string>::iterator recent;
  };
  using Identity = std::pair<dev_t, ino_t>;

  Result<void> add(const std::string& path, std::string_view line);
  Result<int> open(const std::string& path);
  void close(const std::string& path);

  RunLayout layout_;
  std::map<std::string, Open> open_;
  std::list<std::string> recent_;  // newest first
  std::map<std::string, Identity> first_seen_;
};

}  // namespace mainstay::runs
