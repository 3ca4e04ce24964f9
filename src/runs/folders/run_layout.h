// Where everything about a run lies (RUN-1): runs/<pipeline>/<run_id>/ under the project folder.
#pragma once

#include <array>
#include <string>
#include <string_view>
#include <utility>

#include "model/ids.h"

namespace mainstay::runs {

/// What the archive of every run holds, beside the logs of its steps.
inline constexpr std::array<std::string_view, 8> kRequiredFiles{
    "commit.txt",    "logs/reconciliation.log", "logs/run.log", "logs_summary.txt",
    "manifest.json", "metadata.json",           "metrics.json", "spans.jsonl"};

class RunLayout {
 public:
  /// `root` is the folder `runs` itself. A run without a pipeline lies under `work`.
  RunLayout(std::string root, std::string_view pipeline, std::string run_id);

  /// The layout whose archive() is `path`.
  static RunLayout of_archive(const std::string& path);

  const std::string& folder() const { return folder_; }
  std::string logs() const { return folder_ + "/logs"; }
  std::string run_log() const { return folder_ + "/logs/run.log"; }
  /// logs/step_001/<component>.log; a component that is no plain name becomes `other`.
  std::string step_log(int step, std::string_view component) const;
  std::string file(std::string_view name) const { return folder_ + "/" + std::string(name); }
  std::string archive() const { return folder_ + "/run.tar.gz"; }

  /// `step_001`: three digits or more.
  static std::string step_name(int step);

 private:
  explicit RunLayout(std::string folder) : folder_(std::move(folder)) {}

  std::string folder_;
};

}  // namespace mainstay::runs
