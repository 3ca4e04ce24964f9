// Brings a database to the form this program knows, step by step, and refuses one made by a newer
// program before touching it.
//
// Each step and its number (PRAGMA user_version) are one transaction, so a crash leaves the
// database at a whole step and the next start goes on from there.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "platform/sqlite/sqlite.h"

namespace mainstay::store {

/// One step; its number is its place in the list, from 1. Never changed once released.
struct Migration {
  std::string name;
  std::string sql;
};

/// `conflict` for a database that a newer Mainstay wrote, or that is not Mainstay's.
Result<void> migrate(platform::SqliteConnection& db, const std::vector<Migration>& migrations);

}  // namespace mainstay::store
