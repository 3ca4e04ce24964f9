// The tables of runs: each run with the pipeline that it was started with, its steps, its archive.
//
// RunTables: the store's writer only. Queries: work/tables/run_queries.h. Fails as SQLite and Blobs
// do; `internal` when a change names a run that was never inserted.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/result.h"
#include "model/row.h"
#include "platform/sqlite/sqlite.h"
#include "store/database/migration.h"
#include "store/disk/blobs.h"
#include "work/tables/key_conflict.h"

namespace mainstay::work {

store::Migration run_migration();

class RunTables {
 public:
  /// The database and the blobs must outlive the tables.
  static Result<RunTables> prepare(platform::SqliteConnection& db, store::Blobs& blobs,
                                   OnKeyConflict on_key_conflict);

  /// Of a run that is there, only the status is written.
  Result<void> insert(const model::RunSpec& spec, const model::RunStatus& status);
  Result<void> update(const model::RunId& id, const model::RunStatus& status);
  Result<void> put(const model::StepRow& row);
  Result<void> put(const model::ArchiveRow& row);

 private:
  Result<void> run_insert(const model::RunSpec& spec, const model::RunStatus& status,
                          std::string_view key);

  platform::SqliteConnection* db_ = nullptr;
  store::Blobs* blobs_ = nullptr;
  OnKeyConflict on_key_conflict_;
  platform::SqliteStatement insert_;
  platform::SqliteStatement update_;
  platform::SqliteStatement step_;
  platform::SqliteStatement archive_;
};

}  // namespace mainstay::work
