// The tables of work: items (their spec written once, their status updated), attempts, usage.
//
// WorkTables: the store's writer only. Queries: work/tables/work_queries.h. Fails as SQLite and
// Blobs do; `internal` when a change names an item that was never inserted.
#pragma once

#include <cstdint>

#include "base/result.h"
#include "model/row.h"
#include "platform/sqlite/sqlite.h"
#include "store/blobs.h"
#include "store/migration.h"

namespace mainstay::work {

store::Migration work_migration();

class WorkTables {
 public:
  /// Both must outlive the tables.
  static Result<WorkTables> prepare(platform::SqliteConnection& db, store::Blobs& blobs);

  /// Of an item that is there, only the status is written.
  Result<void> insert(const model::WorkSpec& spec, const model::WorkStatus& status);
  Result<void> update(const model::WorkId& id, const model::WorkStatus& status);
  Result<void> put(const model::AttemptRow& row);
  Result<void> put(const model::UsageRow& row);

  /// Items that were kept without their idempotency key, because an older item has it.
  std::uint64_t key_conflicts() const { return key_conflicts_; }

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
  std::uint64_t key_conflicts_ = 0;
};

}  // namespace mainstay::work
