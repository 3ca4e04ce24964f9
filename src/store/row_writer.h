// What the store asks of the features whose tables it commits: their tables and how a row change is
// written. The tables live with their features (work, fleet); one object joins them.
//
// Used by the store's writer only, one thread at a time.
#pragma once

#include <span>
#include <vector>

#include "base/result.h"
#include "model/row.h"
#include "platform/sqlite/sqlite.h"
#include "store/database/migration.h"
#include "store/disk/blobs.h"

namespace mainstay::store {

class RowWriter {
 public:
  virtual ~RowWriter() = default;

  /// The features' tables. The store's own come first in the database's numbering.
  virtual std::vector<Migration> migrations() const = 0;

  /// Prepares statements on a connection that was just opened and migrated. Both outlive detach().
  virtual Result<void> attach(platform::SqliteConnection& db, Blobs& blobs) = 0;
  /// Drops every statement; the connection is about to be closed.
  virtual void detach() = 0;

  /// Writes changes in their order, inside a transaction that the store has begun. May leave out a
  /// change that a later one of the same call overwrites. Writing the same changes again gives the
  /// same rows.
  virtual Result<void> write(std::span<const model::Row* const> rows) = 0;
};

}  // namespace mainstay::store
