// Completing a run's folder at its end: summary, archive, hash; and proving it later (RUN-4).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "runs/folders/run_layout.h"

namespace mainstay::runs {

struct ArchiveInfo {
  std::string path;
  std::int64_t size_bytes = 0;
  std::string sha256;
};

/// Writes run.tar.gz: the logs, the JSON and text files, and logs_summary.txt as it stands;
/// `workspace/` and `artifacts/` stay outside. Then appends the ARCHIVE section to the outer
/// summary. Doing it again after a crash gives the same archive.
Result<ArchiveInfo> archive_run(const RunLayout& layout);

struct VerifyReport {
  bool ok = false;
  std::int64_t files = 0;
  /// What does not agree, one sentence each; empty when ok.
  std::vector<std::string> problems;
};

/// Compares the archive with its recorded size and hash, and every file in it, byte by byte, with
/// the folder; the outer summary must be the archived one and the ARCHIVE section of what was
/// recorded. What every run has must be there. Only regular files are read.
Result<VerifyReport> verify_run(const RunLayout& layout, const ArchiveInfo& recorded);

}  // namespace mainstay::runs
