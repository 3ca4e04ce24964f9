// SQLite's wrapper, and the in-memory disk under it: what a power loss may and may not take.
#include "platform/sqlite/sqlite.h"

#include <gtest/gtest.h>

#include "platform/files/files.h"
#include "platform/files/test_dir.h"
#include "platform/sqlite/sqlite_memory_vfs.h"

namespace mainstay::platform {
namespace {

SqliteConnection open_wal(const std::string& path, const std::string& vfs) {
  SqliteOptions options;
  options.vfs = vfs;
  options.busy_timeout_ms = 0;
  Result<SqliteConnection> db = SqliteConnection::open(path, options);
  MS_ASSERT(db.has_value(), "the test's database opens");
  MS_ASSERT(db->execute("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL").has_value(), "pragmas");
  MS_ASSERT(
      db->execute("CREATE TABLE IF NOT EXISTS t(n INTEGER PRIMARY KEY, x TEXT) STRICT").has_value(),
      "table");
  return std::move(*db);
}

Result<void> put(SqliteConnection& db, std::int64_t n, std::string_view text) {
  Result<SqliteTransaction> transaction = SqliteTransaction::begin(db);
  if (!transaction) return std::move(transaction).error();
  Result<SqliteStatement> insert = db.prepare("INSERT INTO t VALUES(?1, ?2)");
  if (!insert) return std::move(insert).error();
  insert->bind(1, n);
  insert->bind_text(2, text);
  if (Result<void> done = insert->run(); !done) return done;
  return transaction->commit();
}

TEST(Sqlite, BindsStepsAndReadsEveryType) {
  TestDir dir;
  Result<SqliteConnection> opened = SqliteConnection::open(dir / "a.db", {});
  ASSERT_TRUE(opened);
  SqliteConnection db = std::move(*opened);
  ASSERT_TRUE(db.execute("CREATE TABLE t(i INTEGER, r REAL, s TEXT, b BLOB, n TEXT) STRICT"));
  {
    Result<SqliteStatement> insert = db.prepare("INSERT INTO t VALUES(?1,?2,?3,?4,?5)");
    ASSERT_TRUE(insert);
    insert->bind(1, -5);
    insert->bind_double(2, 0.5);
    insert->bind_text(3, std::string_view());
    insert->bind_blob(4, std::string_view("\0x", 2));
    insert->bind_text_or_null(5, "");
    ASSERT_TRUE(insert->run());
  }
  Result<SqliteStatement> select = db.prepare("SELECT * FROM t");
  ASSERT_TRUE(select);
  Result<bool> row = select->step();
  ASSERT_TRUE(row && *row);
  EXPECT_EQ(select->integer(0), -5);
  EXPECT_EQ(select->real(1), 0.5);
  EXPECT_FALSE(select->is_null(2)) << "an empty text is not NULL";
  EXPECT_EQ(select->blob(3), std::string_view("\0x", 2));
  EXPECT_TRUE(select->is_null(4));
  EXPECT_EQ(select->integer_or_null(4), std::nullopt);
  row = select->step();
  ASSERT_TRUE(row);
  EXPECT_FALSE(*row);
}

TEST(Sqlite, NamesWhatFails) {
  TestDir dir;
  Result<SqliteConnection> missing =
      SqliteConnection::open(dir / "no.db", {SqliteAccess::read_only, "", 0});
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code(), Code::storage_failed) << missing.error().to_text();
  Result<SqliteConnection> db = SqliteConnection::open(dir / "a.db", {});
  ASSERT_TRUE(db);
  ASSERT_TRUE(db->execute("CREATE TABLE t(a INTEGER PRIMARY KEY, b TEXT UNIQUE)"));
  ASSERT_TRUE(db->execute("INSERT INTO t VALUES(1,'x')"));
  Result<void> twice = db->execute("INSERT INTO t VALUES(2,'x')");
  ASSERT_FALSE(twice);
  EXPECT_TRUE(is_unique_violation(twice.error()));
  Result<void> same_key = db->execute("INSERT INTO t VALUES(1,'y')");
  ASSERT_FALSE(same_key);
  EXPECT_FALSE(is_unique_violation(same_key.error()));
  EXPECT_EQ(db->prepare("SELEKT").error().code(), Code::internal);
}

TEST(Sqlite, ATransactionLeftUncommittedIsRolledBack) {
  TestDir dir;
  Result<SqliteConnection> db = SqliteConnection::open(dir / "a.db", {});
  ASSERT_TRUE(db && db->execute("CREATE TABLE t(a INTEGER)"));
  {
    Result<SqliteTransaction> transaction = SqliteTransaction::begin(*db);
    ASSERT_TRUE(transaction);
    ASSERT_TRUE(db->execute("INSERT INTO t VALUES(1)"));
  }
  EXPECT_EQ(**db->query_integer("SELECT count(*) FROM t"), 0);
}

TEST(MemoryVfs, SeveralConnectionsShareOneLog) {
  MemoryVfs vfs("mem-share", 1);
  SqliteConnection writer = open_wal("a.db", vfs.name());
  ASSERT_TRUE(put(writer, 1, "one"));
  Result<SqliteConnection> opened =
      SqliteConnection::open("a.db", {SqliteAccess::read_only, vfs.name(), 0});
  ASSERT_TRUE(opened) << opened.error().to_text();
  SqliteConnection reader = std::move(*opened);
  EXPECT_EQ(**reader.query_integer("SELECT count(*) FROM t"), 1);
  {
    Result<SqliteStatement> pinned = reader.prepare("SELECT n FROM t");
    ASSERT_TRUE(pinned && *pinned->step());
    ASSERT_TRUE(put(writer, 2, "two")) << "a reader is not in the way of a writer";
    EXPECT_EQ(**writer.query_integer("SELECT count(*) FROM t"), 2);
  }
  EXPECT_EQ(**reader.query_integer("SELECT count(*) FROM t"), 2);
  SqliteConnection second = open_wal("a.db", vfs.name());
  Result<SqliteTransaction> held = SqliteTransaction::begin(writer);
  ASSERT_TRUE(held);
  Result<void> refused = put(second, 3, "three");
  ASSERT_FALSE(refused) << "one writer at a time";
  EXPECT_EQ(refused.error().code(), Code::unavailable);
}

TEST(MemoryVfs, IsTheSameForTheSameSeed) {
  std::string images[2];
  for (std::string& image : images) {
    MemoryVfs vfs("mem-same", 42);
    SqliteConnection db = open_wal("a.db", vfs.name());
    for (int i = 0; i < 50; ++i) ASSERT_TRUE(put(db, i, std::string(200, 'x')));
    ASSERT_TRUE(db.checkpoint());
    image = vfs.disk().read_all("a.db") + vfs.disk().read_all("a.db-wal");
  }
  EXPECT_TRUE(images[0] == images[1]);
}

TEST(MemoryVfs, PowerLossKeepsWhatWasSyncedAndTearsTheRest) {
  int torn = 0;
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    MemoryVfs vfs("mem-power", seed);
    base::Random random(seed);
    std::int64_t acknowledged = 0;
    {
      SqliteConnection db = open_wal("a.db", vfs.name());
      // Power goes in the middle of some write: the fault stops the process, then sectors go.
      const std::uint64_t last_write = vfs.disk().counters().writes + random.below(120);
      std::uint64_t writes = vfs.disk().counters().writes;
      vfs.disk().set_fault_hook([&](DiskOperation operation, std::string_view, std::size_t) {
        if (operation != DiskOperation::write) return DiskFault::none;
        return ++writes > last_write ? DiskFault::short_write : DiskFault::none;
      });
      for (std::int64_t n = 1; n <= 60; ++n) {
        if (!put(db, n, std::string(100 + random.below(3000), 'y'))) break;
        acknowledged = n;
        if (random.below(8) == 0 && !db.checkpoint()) break;
      }
      vfs.disk().set_fault_hook(nullptr);
      vfs.disk().lose_power();
    }
    SqliteConnection db = open_wal("a.db", vfs.name());
    EXPECT_EQ(*db.query_text("PRAGMA integrity_check"), "ok");
    const std::int64_t there = **db.query_integer("SELECT count(*) FROM t");
    EXPECT_GE(there, acknowledged);
    EXPECT_LE(there, acknowledged + 1);
    if (acknowledged > 0 && acknowledged < 60) ++torn;
  }
  EXPECT_GT(torn, 50) << "the trials must really cut writes";
}

TEST(MemoryVfs, WithoutSyncsAPowerLossTakesAcknowledgedRows) {
  int lost = 0;
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    MemoryVfs vfs("mem-nosync", seed);
    {
      SqliteConnection db = open_wal("a.db", vfs.name());
      ASSERT_TRUE(db.execute("PRAGMA synchronous=NORMAL"));
      for (std::int64_t n = 1; n <= 20; ++n) ASSERT_TRUE(put(db, n, "x"));
      vfs.disk().lose_power();
    }
    SqliteConnection db = open_wal("a.db", vfs.name());
    if (**db.query_integer("SELECT count(*) FROM t") < 20) ++lost;
  }
  EXPECT_GT(lost, 10) << "the disk's model must be able to show a missing sync";
}

TEST(MemoryVfs, C4AFailedSyncIsNotMendedByTheNextOneUnlessPagesAreWrittenAgain) {
  int lost_without = 0;
  for (const bool rewrite : {false, true}) {
    for (std::uint64_t seed = 1; seed <= 40; ++seed) {
      MemoryVfs vfs("mem-fsync", seed);
      bool second_acknowledged = false;
      {
        SqliteConnection db = open_wal("a.db", vfs.name());
        ASSERT_TRUE(put(db, 1, "before"));
        bool fail_once = true;
        vfs.disk().set_fault_hook([&](DiskOperation operation, std::string_view, std::size_t) {
          const bool hit = operation == DiskOperation::sync && fail_once;
          if (hit) fail_once = false;
          return hit ? DiskFault::io_error : DiskFault::none;
        });
        Result<void> failed = put(db, 2, "unknown");
        ASSERT_FALSE(failed);
        EXPECT_EQ(failed.error().code(), Code::storage_failed);
        db.close_without_checkpoint();
        if (rewrite) {
          ASSERT_TRUE(rewrite_and_sync("a.db-wal", vfs.name()));
        }
        SqliteConnection again = open_wal("a.db", vfs.name());
        second_acknowledged = put(again, 3, "after").has_value();
        vfs.disk().set_fault_hook(nullptr);
        vfs.disk().lose_power();
      }
      ASSERT_TRUE(second_acknowledged);
      SqliteConnection db = open_wal("a.db", vfs.name());
      const bool there = **db.query_integer("SELECT count(*) FROM t WHERE n IN (1,3)") == 2;
      if (!there && !rewrite) ++lost_without;
      EXPECT_TRUE(there || !rewrite) << "seed " << seed;
    }
  }
  EXPECT_GT(lost_without, 0) << "the trap that rewrite_and_sync is for must exist in the model";
}

// Whatever the size: the Unix VFS does not take every length.
TEST(Sqlite, C4ALogOnARealDiskIsWrittenAgainAsItWas) {
  const TestDir dir;
  const std::string path = dir / "some.db-wal";
  ASSERT_TRUE(write_file_atomic(dir / "some.db", ""));  // the log's permissions are taken from it
  for (const std::size_t size : {0UL, 1UL, 65'536UL, 131'072UL, 1'048'576UL, 3'300'001UL}) {
    std::string content(size, '\0');
    for (std::size_t i = 0; i < size; ++i) content[i] = static_cast<char>(i * 31 % 251);
    ASSERT_TRUE(write_file_atomic(path, content));
    const Result<void> done = rewrite_and_sync(path, "");
    EXPECT_TRUE(done) << size << ": " << (done ? "" : done.error().to_text());
    EXPECT_EQ(*read_file(path), content);
  }
  EXPECT_TRUE(rewrite_and_sync(dir / "absent", "")) << "nothing to write again";
}

}  // namespace
}  // namespace mainstay::platform
