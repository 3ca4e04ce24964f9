// The documents that a run's folder gets at the run's start and at its end.
#pragma once

#include "base/result.h"
#include "runs/folders/run_layout.h"
#include "runs/recorder_types.h"

namespace mainstay::runs {

/// commit.txt, manifest.json and the first metadata.json: what the run began with.
Result<void> write_start_documents(const RunLayout& layout, const RunDetails& details,
                                   const RecorderOptions& options);
bool has_start_documents(const RunLayout& layout);

/// metadata.json, metrics.json and logs_summary.txt, from the rows and the finished logs.
Result<void> write_end_documents(const RunLayout& layout, const RunDetails& details,
                                 const RecorderOptions& options);

}  // namespace mainstay::runs
