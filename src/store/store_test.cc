// The store on a sound disk: what is durable, in which order, in how many transactions.
#include "store/store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <future>

#include "platform/files/files.h"
#include "platform/files/test_dir.h"
#include "platform/sqlite/sqlite_memory_vfs.h"
#include "store/reader_pool.h"
#include "store/test_rows.h"

namespace mainstay::store {
namespace {

using platform::TestDir;

StoreOptions on_disk(const TestDir& dir) {
  StoreOptions options;
  options.dir = dir / "data";
  options.reserve_bytes = 1 << 20;
  return options;
}

std::unique_ptr<Store> opened(StoreOptions options, RowWriter& rows) {
  Result<std::unique_ptr<Store>> store = Store::open(std::move(options), rows);
  MS_ASSERT(store.has_value(), store ? "" : store.error().to_text());
  return std::move(*store);
}

TEST(Store, TellsInOrderWhatIsDurableAndFindsItAgain) {
  TestDir dir;
  TestRows rows;
  {
    std::unique_ptr<Store> store = opened(on_disk(dir), rows);
    std::vector<int> order;
    std::promise<void> last;
    for (int i = 1; i <= 500; ++i) {
      store->commit(batch_of(i, "agent-" + std::to_string(i), "x", [&order, &last, i] {
        order.push_back(i);
        if (i == 500) last.set_value();
      }));
    }
    last.get_future().wait();
    ASSERT_EQ(order.size(), 500U);
    EXPECT_TRUE(std::is_sorted(order.begin(), order.end()));
    const StoreCounters counters = store->counters();
    EXPECT_EQ(counters.batches, 500U);
    EXPECT_EQ(counters.rows, 500U);
    EXPECT_EQ(counters.events, 500U);
    EXPECT_LT(counters.commits, 500U) << "waiting batches share a transaction";
    EXPECT_TRUE(store->close(std::chrono::seconds(10)));
  }
  std::unique_ptr<Store> store = opened(on_disk(dir), rows);
  EXPECT_EQ(count_agents(*store), 500);
  Result<platform::SqliteConnection> reader = store->open_reader();
  ASSERT_TRUE(reader);
  EXPECT_EQ(*last_sequence(*reader), 500);
  Result<std::vector<model::Event>> events = read_journal(*reader, 497, 2);
  ASSERT_TRUE(events);
  ASSERT_EQ(events->size(), 2U);
  EXPECT_EQ(events->front().seq, 498);
  EXPECT_EQ(events->front().kind, "agent.state_changed");
  EXPECT_EQ(*last_event_of(*reader, "agent.state_changed", "a"), 500);
  EXPECT_EQ(*last_event_of(*reader, "agent.started", "a"), 0);
}

TEST(Store, ClosingCommitsWhatWaits) {
  TestDir dir;
  TestRows rows;
  std::unique_ptr<Store> store = opened(on_disk(dir), rows);
  for (int i = 1; i <= 50; ++i) store->commit(batch_of(i, std::to_string(i), "x"));
  EXPECT_TRUE(store->close(std::chrono::seconds(10)));
  store = opened(on_disk(dir), rows);
  EXPECT_EQ(count_agents(*store), 50);
  EXPECT_EQ(store->state().writable, true);
}

TEST(Store, InlineModeIsDurableBeforeCommitReturnsEvenFromACallback) {
  platform::MemoryVfs vfs("store-inline", 7);
  TestRows rows;
  StoreOptions options;
  options.dir = "data";
  options.vfs = vfs.name();
  options.blobs = std::make_shared<MemoryBlobs>();
  options.mode = StoreMode::inline_commit;
  std::vector<int> order;
  {
    std::unique_ptr<Store> store = opened(options, rows);
    store->commit(batch_of(1, "a", "x", [&] {
      store->commit(batch_of(2, "b", "x", [&] { order.push_back(2); }));
      order.push_back(1);
    }));
    EXPECT_THAT(order, testing::ElementsAre(1, 2));
    vfs.disk().lose_power();
  }
  std::unique_ptr<Store> store = opened(options, rows);
  EXPECT_EQ(count_agents(*store), 2);
}

TEST(Store, HasRoomUntilTooMuchWaits) {
  TestDir dir;
  TestRows rows;
  StoreOptions options = on_disk(dir);
  options.max_waiting_changes = 20;
  std::unique_ptr<Store> store = opened(options, rows);
  std::promise<void> gate;
  std::promise<void> inside;
  store->commit(batch_of(1, "a", "x", [&] {
    inside.set_value();
    gate.get_future().wait();
  }));
  inside.get_future().wait();
  int taken = 1;
  while (store->has_room()) ++taken, store->commit(batch_of(taken, std::to_string(taken), "x"));
  EXPECT_EQ(taken, 11) << "ten batches of two changes wait";
  gate.set_value();
  EXPECT_TRUE(store->close(std::chrono::seconds(10)));
}

TEST(Store, TheLogIsMovedIntoTheDatabaseWhileCommitsGoOn) {
  TestDir dir;
  TestRows rows;
  StoreOptions options = on_disk(dir);
  options.checkpoint_pages = 64;
  std::unique_ptr<Store> store = opened(options, rows);
  constexpr int kBatches = 600;
  for (int i = 1; i <= kBatches; ++i) {
    std::promise<void> durable;
    store->commit(batch_of(i, std::to_string(i), std::string(1000, 'x'),
                           [&durable] { durable.set_value(); }));
    durable.get_future().wait();
  }
  // 600 commits of three pages or more each: unmoved, the log would hold 1,800.
  EXPECT_LT(std::filesystem::file_size(dir / "data/mainstay.db-wal"), 1'000U * 4096U);
  EXPECT_TRUE(store->close(std::chrono::seconds(10)));
  EXPECT_FALSE(std::filesystem::exists(dir / "data/mainstay.db-wal"));
}

TEST(ReaderPool, ReadsBesideTheWriterAndOneStatePerJob) {
  TestDir dir;
  TestRows rows;
  std::unique_ptr<Store> store = opened(on_disk(dir), rows);
  ReaderPool pool(store->place(), 2, 8);
  std::promise<std::int64_t> before;
  std::promise<void> written;
  std::promise<std::int64_t> after;
  ASSERT_TRUE(pool.read([&](Result<platform::SqliteConnection*> db) {
    const auto count = [&db] {
      return (*db)->query_integer("SELECT count(*) FROM agents").value().value_or(-1);
    };
    before.set_value(count());
    written.get_future().wait();
    after.set_value(count());
  }));
  EXPECT_EQ(before.get_future().get(), 0);
  std::promise<void> durable;
  store->commit(batch_of(1, "a", "x", [&durable] { durable.set_value(); }));
  durable.get_future().wait();
  EXPECT_EQ(count_agents(*store), 1);
  written.set_value();
  EXPECT_EQ(after.get_future().get(), 0) << "a job sees one state";
  std::promise<bool> refused;
  ReaderPool nowhere({dir / "missing.db", ""}, 1, 8);
  ASSERT_TRUE(nowhere.read(
      [&refused](Result<platform::SqliteConnection*> db) { refused.set_value(!db.has_value()); }));
  EXPECT_TRUE(refused.get_future().get());
}

// ---- migrations -------------------------------------------------------------------------------

TEST(Migration, RefusesANewerDatabaseAndLeavesItAsItIs) {
  TestDir dir;
  TestRows rows;
  opened(on_disk(dir), rows)->close(std::chrono::seconds(10));
  {
    Result<platform::SqliteConnection> db =
        platform::SqliteConnection::open(dir / "data/mainstay.db", {});
    ASSERT_TRUE(db && db->execute("PRAGMA user_version=99"));
  }
  const std::string before = *platform::read_file(dir / "data/mainstay.db");
  Result<std::unique_ptr<Store>> store = Store::open(on_disk(dir), rows);
  ASSERT_FALSE(store);
  EXPECT_EQ(store.error().code(), Code::conflict);
  EXPECT_THAT(store.error().message(), testing::HasSubstr("version 99"));
  EXPECT_TRUE(before == *platform::read_file(dir / "data/mainstay.db"));
}

TEST(Migration, RefusesADatabaseThatIsNotOurs) {
  TestDir dir;
  TestRows rows;
  ASSERT_TRUE(platform::make_private_dir(dir / "data"));
  {
    Result<platform::SqliteConnection> db =
        platform::SqliteConnection::open(dir / "data/mainstay.db", {});
    ASSERT_TRUE(db && db->execute("CREATE TABLE holiday_photos(a)"));
  }
  Result<std::unique_ptr<Store>> store = Store::open(on_disk(dir), rows);
  ASSERT_FALSE(store);
  EXPECT_EQ(store.error().code(), Code::conflict);
}

TEST(Migration, AStepThatFailsChangesNothing) {
  TestDir dir;
  Result<platform::SqliteConnection> db = platform::SqliteConnection::open(dir / "a.db", {});
  ASSERT_TRUE(db);
  std::vector<Migration> steps = {{"one", "CREATE TABLE one(a);"},
                                  {"two", "CREATE TABLE two(a); CREATE TABLE one(a);"}};
  Result<void> failed = migrate(*db, steps);
  ASSERT_FALSE(failed);
  EXPECT_THAT(failed.error().message(), testing::HasSubstr("migration 2 (two)"));
  EXPECT_EQ(**db->query_integer("PRAGMA user_version"), 1);
  EXPECT_EQ(**db->query_integer("SELECT count(*) FROM sqlite_schema WHERE name='two'"), 0);
  steps[1].sql = "CREATE TABLE two(a);";
  ASSERT_TRUE(migrate(*db, steps));
  ASSERT_TRUE(migrate(*db, steps)) << "nothing is left to do";
  EXPECT_EQ(**db->query_integer("PRAGMA user_version"), 2);
}

// ---- journal ----------------------------------------------------------------------------------

TEST(Journal, TakesTheSameEventTwiceButNoOtherInItsPlace) {
  TestDir dir;
  Result<platform::SqliteConnection> db = platform::SqliteConnection::open(dir / "a.db", {});
  ASSERT_TRUE(db && migrate(*db, {journal_migration()}));
  EXPECT_EQ(*last_sequence(*db), 0);
  Result<JournalWriter> writer = JournalWriter::prepare(*db);
  ASSERT_TRUE(writer);
  const model::Event event{1, Wall{}, "work.accepted", "w", "{}"};
  ASSERT_TRUE(writer->append(event));
  ASSERT_TRUE(writer->append(event));
  Result<void> other = writer->append({1, Wall{}, "work.failed", "w", "{}"});
  ASSERT_FALSE(other);
  EXPECT_EQ(other.error().code(), Code::internal);
}

// ---- blobs ------------------------------------------------------------------------------------

TEST(Blobs, AreFoundByTheirContentAndADamagedOneIsNoticed) {
  TestDir dir;
  Result<std::unique_ptr<DiskBlobs>> blobs = DiskBlobs::open(dir / "blobs");
  ASSERT_TRUE(blobs);
  const std::string content(100'000, 'z');
  Result<std::string> name = (*blobs)->put(content);
  ASSERT_TRUE(name);
  EXPECT_EQ(*(*blobs)->put(content), *name);
  EXPECT_TRUE(*(*blobs)->get(*name) == content);
  const std::string path = dir / ("blobs/" + name->substr(0, 2) + "/" + name->substr(2));
  {
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(50'000);
    file.put('!');
  }
  Result<std::string> damaged = (*blobs)->get(*name);
  ASSERT_FALSE(damaged);
  EXPECT_EQ(damaged.error().code(), Code::storage_corrupt);
  EXPECT_EQ(*(*blobs)->put(content), *name) << "writing it again mends it";
  EXPECT_TRUE(*(*blobs)->get(*name) == content);
  EXPECT_EQ((*blobs)->get(std::string(64, '0')).error().code(), Code::not_found);
  EXPECT_EQ((*blobs)->get("../../etc/passwd").error().code(), Code::not_found);
}

}  // namespace
}  // namespace mainstay::store
