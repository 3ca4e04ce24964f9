// Questions about work items: lists, details, what a run's items became, what was open when the
// daemon went away.
//
// Any thread with a connection of its own. Lists go from the newest id down; the cursor is the last
// id seen. `blobs` null: large payloads come without their text. Fails: as SQLite does,
// storage_corrupt for a row or blob that cannot be read, not_found where a single thing is asked.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "model/input.h"
#include "model/recovered.h"
#include "model/row.h"
#include "platform/sqlite/sqlite.h"
#include "store/disk/blobs.h"

namespace mainstay::work {

struct WorkRecord {
  std::shared_ptr<const model::WorkSpec> spec;
  model::WorkStatus status;
};

struct WorkFilter {
  /// Empty: all.
  std::vector<model::WorkState> states;
  std::string capability;
  std::optional<model::RunId> run;
  std::string stage;
  /// Only older ones than this.
  std::optional<model::WorkId> before;
  std::size_t limit = 100;
  /// With inputs and outputs (of blobs only the name).
  bool payloads = false;
};

Result<std::vector<WorkRecord>> list_work(platform::SqliteConnection& db, const WorkFilter& filter);
Result<WorkRecord> find_work(platform::SqliteConnection& db, const model::WorkId& id,
                             const store::Blobs* blobs);
/// Asks of many items, one after the other, whether they have ended.
class WorkEnds {
 public:
  /// For as long as the connection lives.
  static Result<WorkEnds> prepare(platform::SqliteConnection& db);
  /// nullopt: it has not ended, or is not there.
  Result<std::optional<WorkRecord>> find(const model::WorkId& id, const store::Blobs* blobs);

 private:
  explicit WorkEnds(platform::SqliteStatement select) : select_(std::move(select)) {}

  platform::SqliteStatement select_;
};
/// nullopt: the key was never used.
Result<std::optional<WorkRecord>> find_work_by_key(platform::SqliteConnection& db,
                                                   const std::string& idempotency_key);
/// What was submitted with each of the idempotency keys, in their order; nullopt: the key was never
/// used.
Result<std::vector<std::optional<model::SubmitWork::Known>>> find_work_keys(
    platform::SqliteConnection& db, const std::vector<std::string>& keys);
/// In the order of their epochs.
Result<std::vector<model::AttemptRow>> list_attempts(platform::SqliteConnection& db,
                                                     const model::WorkId& work);
Result<std::vector<model::UsageRow>> list_usage(platform::SqliteConnection& db,
                                                const model::WorkId& work);

/// Of a run's items that have not ended.
struct WaitingItems {
  /// The oldest of each stage none of whose items runs, without payloads, oldest first.
  std::vector<WorkRecord> oldest;
  bool some_run = false;
};
Result<WaitingItems> waiting_items(platform::SqliteConnection& db, const model::RunId& run);

/// The items of a run by stage and index, with payloads and running attempts.
Result<std::vector<model::RecoveredWork>> items_of_run(platform::SqliteConnection& db,
                                                       const model::RunId& run,
                                                       const store::Blobs* blobs);
/// Items that have not ended and belong to no run, oldest first.
Result<std::vector<model::RecoveredWork>> open_work(platform::SqliteConnection& db,
                                                    const store::Blobs& blobs);
/// Items among the newest `journal_rows` events that have ended, at most `limit`, oldest first.
Result<std::vector<model::RecoveredEnd>> recent_ends(platform::SqliteConnection& db,
                                                     std::size_t journal_rows, std::size_t limit);

}  // namespace mainstay::work
