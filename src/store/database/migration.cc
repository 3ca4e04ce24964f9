#include "store/database/migration.h"

#include "store/disk/fail_point.h"

namespace mainstay::store {
namespace {

// PRAGMA application_id: "MSTY". Tells our databases from others' that lie in the wrong place.
constexpr std::int64_t kApplicationId = 0x4d535459;

Result<void> refuse_foreign(platform::SqliteConnection& db, std::int64_t known) {
  Result<std::optional<std::int64_t>> id = db.query_integer("PRAGMA application_id");
  if (!id) return std::move(id).error();
  Result<std::optional<std::int64_t>> tables =
      db.query_integer("SELECT count(*) FROM sqlite_schema");
  if (!tables) return std::move(tables).error();
  if (id->value_or(0) != kApplicationId && tables->value_or(0) > 0) {
    return Error(Code::conflict, "the database was not made by Mainstay")
        .with_hint("move it away, or choose another folder; nothing was changed");
  }
  Result<std::optional<std::int64_t>> version = db.query_integer("PRAGMA user_version");
  if (!version) return std::move(version).error();
  if (version->value_or(0) > known) {
    return Error(Code::conflict, "the database has version " + std::to_string(**version) +
                                     ", this program knows up to version " + std::to_string(known))
        .with("database_version", std::to_string(**version))
        .with("known_version", std::to_string(known))
        .with_hint("a newer Mainstay wrote it: start that one; nothing was changed");
  }
  return {};
}

Result<void> apply(platform::SqliteConnection& db, const Migration& migration, std::size_t number) {
  Result<platform::SqliteTransaction> transaction = platform::SqliteTransaction::begin(db);
  if (!transaction) return std::move(transaction).error();
  Result<void> done = db.execute(migration.sql);
  if (done) {
    done = db.execute("PRAGMA application_id=" + std::to_string(kApplicationId) +
                      "; PRAGMA user_version=" + std::to_string(number));
  }
  pass(FailPoint::in_migration);
  if (done) done = transaction->commit();
  if (done) return {};
  const Code code = done.error().code();
  return Error(code, "migration " + std::to_string(number) + " (" + migration.name + ") failed")
      .caused_by(std::move(done).error());
}

}  // namespace

Result<void> migrate(platform::SqliteConnection& db, const std::vector<Migration>& migrations) {
  Result<void> ours = refuse_foreign(db, static_cast<std::int64_t>(migrations.size()));
  if (!ours) return ours;
  Result<std::optional<std::int64_t>> version = db.query_integer("PRAGMA user_version");
  if (!version) return std::move(version).error();
  for (auto at = static_cast<std::size_t>(version->value_or(0)); at < migrations.size(); ++at) {
    Result<void> done = apply(db, migrations[at], at + 1);
    if (!done) return done;
  }
  return {};
}

}  // namespace mainstay::store
