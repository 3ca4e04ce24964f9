// The log files of one run while it is live: opened on first use, at most kMaxOpen at a time,
// appended line by line. Files switch by the step and component of each record (RUN-2).
//
// One thread. A write that fails is counted, never fatal: telemetry must not stop work (faults C2).
#pragma once

#include <cstdint>
#include <list>
#include <map>
#include <string>
#include <string_view>

#include "base/result.h"
#include "platform/files/fd.h"
#include "runs/run_layout.h"

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
  void prepare_step(int step);

  void append_run(std::string_view line) { append(layout_.run_log(), line); }
  void append_step(int step, std::string_view component, std::string_view line) {
    append(layout_.step_log(step, component), line);
  }
  void append_span(std::string_view line) { append(layout_.file("spans.jsonl"), line); }
  void close_all();

  std::int64_t lost_lines() const { return lost_lines_; }
  const RunLayout& layout() const { return layout_; }

 private:
  struct Open {
    platform::Fd fd;
    std::list<std::string>::iterator recent;
  };

  void append(const std::string& path, std::string_view line);
  int open(const std::string& path);

  RunLayout layout_;
  std::map<std::string, Open> open_;
  std::list<std::string> recent_;  // newest first
  std::int64_t lost_lines_ = 0;
};

}  // namespace mainstay::runs
