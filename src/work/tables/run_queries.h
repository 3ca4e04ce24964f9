// Questions about runs: lists, one run with its steps, what it used, what was open when the daemon
// went away. The same rules as in work/tables/work_queries.h.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "model/recovered.h"
#include "model/row.h"
#include "platform/sqlite/sqlite.h"
#include "store/disk/blobs.h"

namespace mainstay::work {

struct RunRecord {
  std::shared_ptr<const model::RunSpec> spec;
  model::RunStatus status;
  /// In the order of the pipeline's stages.
  std::vector<model::StepStatus> steps;
};

struct RunFilter {
  std::vector<model::RunState> states;
  std::string pipeline;
  std::optional<model::RunId> before;
  std::size_t limit = 100;
};

/// Without payloads; steps included.
Result<std::vector<RunRecord>> list_runs(platform::SqliteConnection& db, const RunFilter& filter);
Result<RunRecord> find_run(platform::SqliteConnection& db, const model::RunId& id,
                           const store::Blobs* blobs);
Result<std::optional<RunRecord>> find_run_by_key(platform::SqliteConnection& db,
                                                 const std::string& idempotency_key);
/// nullopt: not archived.
Result<std::optional<model::ArchiveRow>> find_archive(platform::SqliteConnection& db,
                                                      const model::RunId& id);

/// Runs that have ended and have no archive, newest first, at most `limit`. Looks at the keys of
/// all runs.
Result<std::vector<model::RunId>> unarchived_runs(platform::SqliteConnection& db,
                                                  std::size_t limit);

/// What a stage's items consumed of one model, over all their attempts.
struct UsageTotal {
  std::string stage;
  /// Attempts that reported any.
  std::int64_t attempts = 0;
  model::Usage usage;
};
/// By stage, provider and model.
Result<std::vector<UsageTotal>> usage_of_run(platform::SqliteConnection& db,
                                             const model::RunId& id);

/// Runs that have not ended, oldest first, with all their items.
Result<std::vector<model::RecoveredRun>> open_runs(platform::SqliteConnection& db,
                                                   const store::Blobs& blobs);

}  // namespace mainstay::work
