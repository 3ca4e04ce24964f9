// The tables of work: items (their spec written once, their status updated), attempts, usage.
//
// WorkTables: the store's writer only. Queries: work/tables/work_queries.h. Fails as SQLite and
// Blobs do; `internal` when a change names an item that was never inserted.
#pragma once

#include <cstdint>

#include "base/result.h"
#include "model/row.h"
#include "platform/sqlite/sqlite.h"
#include "store/database/migration.h"
#include "store/disk/blobs.h"
#include "work/tables/key_conflict.h"

namespace mainstay::work {

store::Migration work_migration();

class WorkTables {
 public:
  /// The database and the blobs must outlive the tables.
  static Result<WorkTables> prepare(platform::SqliteConnection& db, store::Blobs& blobs,
                                    OnKeyConflict on_key_conflict);

  /// Of an item that is there, only the status is written.
  Result<void> insert(const model::WorkSpec& spec, const model::WorkStatus& status);
  Result<void> update(const model::WorkId& id, const model::WorkStatus& status);
  Result<void> put(const model::AttemptRow& row);
  Result<void> put(const model::UsageRow& row);

 private:
  Result<void> run_insert(const model::WorkSpec& spec, const model::WorkStatus& status,
                          std::string_view key);

  platform::SqliteConnection* db_ = nullptr;
  store::Blobs* blobs_ = nullptr;
  platform::SqliteStatement insert_;
  platform::SqliteStatement update_open_;
  platform::SqliteStatement update_ended_;
  platform::SqliteStatement attempt_;
  platform::SqliteStatement usage_;
  OnKeyConflict on_key_conflict_;
};

}  // namespace mainstay::work
