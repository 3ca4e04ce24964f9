#include "store/database/database.h"

#include "store/database/migration.h"
#include "store/disk/fail_point.h"

namespace mainstay::store {
namespace {

// WAL and FULL: a commit that has returned survives a power loss (faults B9). secure_delete is on
// in Debian's library; nothing secret is stored, and it doubles the writes of a delete.
constexpr const char* kPragmas =
    "PRAGMA synchronous=FULL; PRAGMA cache_size=-8192; PRAGMA secure_delete=OFF;"
    "PRAGMA temp_store=MEMORY; PRAGMA journal_size_limit=67108864; PRAGMA trusted_schema=OFF;";

Result<void> check(platform::SqliteConnection& db) {
  Result<std::optional<std::string>> verdict = db.query_text("PRAGMA quick_check(1)");
  if (!verdict) return std::move(verdict).error();
  if (*verdict == "ok") return {};
  return Error(Code::storage_corrupt,
               "the work database is damaged: " + verdict->value_or("no answer"));
}

}  // namespace

Database::Database(Place place, RowWriter& rows, Blobs& blobs)
    : place_(std::move(place)), rows_(rows), blobs_(blobs) {}

Database::~Database() { disconnect(true); }

Result<void> Database::connect() {
  platform::SqliteOptions options;
  options.vfs = place_.vfs;
  Result<platform::SqliteConnection> opened =
      platform::SqliteConnection::open(place_.path, options);
  if (!opened) return std::move(opened).error();
  db_ = std::move(*opened);
  Result<std::optional<std::string>> mode = db_.query_text("PRAGMA journal_mode=WAL");
  if (!mode) return std::move(mode).error();
  if (*mode != "wal") {
    return Error(Code::storage_failed, "the file system of " + place_.path +
                                           " does not take a write-ahead log (shared memory)");
  }
  return db_.execute(kPragmas);
}

Result<void> Database::open() {
  Result<void> done = connect();
  if (done) {
    std::vector<Migration> migrations = {journal_migration()};
    for (Migration& migration : rows_.migrations()) migrations.push_back(std::move(migration));
    done = migrate(db_, migrations);
  }
  if (done) {
    Result<JournalWriter> journal = JournalWriter::prepare(db_);
    if (journal)
      journal_ = std::move(*journal);
    else
      done = std::move(journal).error();
  }
  if (done) done = rows_.attach(db_, blobs_);
  if (!done) disconnect(false);
  return done;
}

void Database::disconnect(bool checkpoint) {
  if (!db_.is_open()) return;
  rows_.detach();
  journal_.reset();
  if (checkpoint)
    db_.close();
  else
    db_.close_without_checkpoint();
}

Result<void> Database::write(std::span<const Batch> group) {
  scratch_.clear();
  for (const Batch& batch : group) {
    for (const model::Row& row : batch.rows) scratch_.push_back(&row);
  }
  Result<void> done = rows_.write(scratch_);
  if (!done) return done;
  for (const Batch& batch : group) {
    for (const model::Event& event : batch.events) {
      done = journal_->append(event);
      if (!done) return done;
    }
  }
  return {};
}

Result<void> Database::commit(std::span<const Batch> group) {
  pass(FailPoint::before_rows);
  Result<platform::SqliteTransaction> transaction = platform::SqliteTransaction::begin(db_);
  if (!transaction) return std::move(transaction).error();
  Result<void> done = write(group);
  if (!done) return done;
  pass(FailPoint::before_commit);
  done = transaction->commit();
  if (done) pass(FailPoint::after_commit);
  return done;
}

Result<void> Database::reopen() {
  disconnect(false);
  Result<void> done = platform::rewrite_and_sync(place_.path + "-wal", place_.vfs);
  if (!done) return done;
  done = open();
  if (done) done = check(db_);
  // What was in the log of unknown durability goes into the database, under its own sync.
  if (done) {
    Result<int> left = db_.checkpoint();
    if (!left) done = std::move(left).error();
  }
  if (!done) disconnect(false);
  return done;
}

Result<platform::SqliteConnection> Database::open_reader(const Place& place) {
  platform::SqliteOptions options;
  options.access = platform::SqliteAccess::read_only;
  options.vfs = place.vfs;
  Result<platform::SqliteConnection> db = platform::SqliteConnection::open(place.path, options);
  if (!db) return db;
  Result<void> done =
      db->execute("PRAGMA query_only=ON; PRAGMA temp_store=MEMORY; PRAGMA trusted_schema=OFF;");
  if (!done) return std::move(done).error();
  return db;
}

}  // namespace mainstay::store
