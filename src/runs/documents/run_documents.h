// The JSON files of a run's folder, made from what rows and files say (RUN-1): pure functions.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "runs/documents/report.h"
#include "runs/logs/log_scan.h"
#include "runs/recorder_types.h"

namespace mainstay::runs {

/// metadata.json: the run, its state, and which step number is which stage.
std::string metadata_json(const RunDetails& run, const RecorderOptions& options);

/// metrics.json: durations, retries, calls and tokens per step and in all.
std::string metrics_json(const RunReport& report, const LogCounts& logs);

/// manifest.json: what went in: input, versions, and SHA-256 of the files the run rests on.
/// `hashes` are (path, SHA-256) pairs.
std::string manifest_json(const RunDetails& run, const RecorderOptions& options,
                          const std::vector<std::pair<std::string, std::string>>& hashes,
                          const std::string& commit);

/// The spans that Mainstay itself answers for: the run's root and one `stage.NAME` per step, a
/// failed fail-soft stage with the span event `stage_error` (WRK-8, WRK-9).
std::vector<model::SpanRecord> spans_of(const RunDetails& run, const std::string& prefix);

RunReport make_report(const RunDetails& run, const RecorderOptions& options, const LogCounts& logs);

}  // namespace mainstay::runs
