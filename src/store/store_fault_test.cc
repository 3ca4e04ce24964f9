// The store on a disk that fails, fills up, stalls, rots or loses power (faults B9, C1, C3, C4, C5,
// C7): what was acknowledged is there, and the operator is told what is wrong.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>

#include <algorithm>
#include <cstdint>
#include <future>
#include <set>

#include "platform/files/files.h"
#include "platform/files/test_dir.h"
#include "platform/sqlite/sqlite_memory_vfs.h"
#include "store/store.h"
#include "store/test_rows.h"

namespace mainstay::store {
namespace {

using model::StorageChanged;
using platform::DiskFault;
using platform::DiskOperation;
using platform::MemoryVfs;
using testing::HasSubstr;

StoreOptions in_memory(const MemoryVfs& vfs, StoreMode mode) {
  StoreOptions options;
  options.dir = "data";
  options.vfs = vfs.name();
  options.blobs = std::make_shared<MemoryBlobs>();
  options.mode = mode;
  return options;
}

std::unique_ptr<Store> opened(StoreOptions options, RowWriter& rows) {
  Result<std::unique_ptr<Store>> store = Store::open(std::move(options), rows);
  MS_ASSERT(store.has_value(), store ? "" : store.error().to_text());
  return std::move(*store);
}

/// Fails the next `count` operations of one kind.
void fail_next(MemoryVfs& vfs, DiskOperation operation, int count, DiskFault fault) {
  auto left = std::make_shared<int>(count);
  vfs.disk().set_fault_hook([=](DiskOperation now, std::string_view, std::size_t) {
    return now == operation && (*left)-- > 0 ? fault : DiskFault::none;
  });
}

// Under ThreadSanitizer a trial takes thirty times as long.
#ifdef __SANITIZE_THREAD__
constexpr std::uint64_t kTrials = 15;
#else
constexpr std::uint64_t kTrials = 150;
#endif

std::set<std::string> agents_in(const Store& store) {
  platform::SqliteConnection db = store.open_reader().value();
  platform::SqliteStatement select = db.prepare("SELECT name FROM agents").value();
  std::set<std::string> names;
  while (select.step().value()) names.emplace(select.text(0));
  return names;
}

TEST(StoreFaults, C4AFailedSyncIsToldMendedAndNothingIsLost) {
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    MemoryVfs vfs("store-fsync", seed);
    TestRows rows;
    std::vector<StorageChanged> told;
    StoreOptions options = in_memory(vfs, StoreMode::inline_commit);
    options.on_state_change = [&told](const StorageChanged& c) { told.push_back(c); };
    int durable = 0;
    {
      std::unique_ptr<Store> store = opened(options, rows);
      store->commit(batch_of(1, "a", "x", [&durable] { ++durable; }));
      fail_next(vfs, DiskOperation::sync, 2, DiskFault::io_error);  // the commit's, the mending's
      store->commit(batch_of(2, "b", "x", [&durable] { ++durable; }));
      EXPECT_EQ(durable, 1);
      ASSERT_EQ(told.size(), 1U);
      EXPECT_FALSE(told[0].writable);
      EXPECT_FALSE(told[0].full);
      EXPECT_THAT(told[0].reason, HasSubstr("the disk of data failed"));
      EXPECT_FALSE(store->retry()) << "the second failing sync";
      EXPECT_EQ(durable, 1);
      EXPECT_TRUE(store->retry());
      EXPECT_EQ(durable, 2);
      EXPECT_TRUE(told.back().writable);
      EXPECT_GE(store->counters().reopens, 2U);
      vfs.disk().lose_power();
    }
    std::unique_ptr<Store> store = opened(options, rows);
    EXPECT_EQ(count_agents(*store), 2);
  }
}

TEST(StoreFaults, C4RandomErrorsAndPowerLossesLoseNoAcknowledgedBatch) {
  std::uint64_t failed = 0;
  std::uint64_t acknowledged = 0;
  for (std::uint64_t seed = 1; seed <= kTrials; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    MemoryVfs vfs("store-random", seed);
    base::Random random(seed);
    TestRows rows;
    const StoreOptions options = in_memory(vfs, StoreMode::inline_commit);
    std::set<std::string> durable;
    model::Sequence seq = 0;
    for (int life = 0; life < 4; ++life) {
      vfs.disk().set_fault_hook(nullptr);
      std::unique_ptr<Store> store = opened(options, rows);
      {
        platform::SqliteConnection db = store->open_reader().value();
        ASSERT_EQ(*db.query_text("PRAGMA integrity_check"), "ok");
        seq = *last_sequence(db);
      }
      const std::set<std::string> there = agents_in(*store);
      ASSERT_TRUE(std::includes(there.begin(), there.end(), durable.begin(), durable.end()));
      const std::uint64_t one_in = 3 + random.below(60);
      vfs.disk().set_fault_hook([&random, one_in](DiskOperation, std::string_view, std::size_t) {
        if (random.below(one_in) != 0) return DiskFault::none;
        return random.below(2) == 0 ? DiskFault::io_error : DiskFault::short_write;
      });
      for (int i = 0; i < 40; ++i) {
        const std::string name = std::to_string(life) + "-" + std::to_string(i);
        store->commit(batch_of(++seq, name, std::string(random.below(6000), 'x'),
                               [&durable, name] { durable.insert(name); }));
        if (random.below(3) == 0) static_cast<void>(store->retry());
      }
      failed += store->counters().failed_commits;
      if (random.below(2) == 0)
        vfs.disk().lose_power();
      else
        vfs.disk().kill_handles();
    }
    acknowledged += durable.size();
  }
  EXPECT_GT(failed, 10 * kTrials) << "the trials must really fail commits";
  EXPECT_GT(acknowledged, 10 * kTrials) << "and really acknowledge some";
}

TEST(StoreFaults, C1AFullDiskWithoutReserveWaitsForSpace) {
  MemoryVfs vfs("store-full", 3);
  TestRows rows;
  std::vector<StorageChanged> told;
  StoreOptions options = in_memory(vfs, StoreMode::inline_commit);
  options.on_state_change = [&told](const StorageChanged& c) { told.push_back(c); };
  std::unique_ptr<Store> store = opened(options, rows);
  fail_next(vfs, DiskOperation::write, 1'000, DiskFault::no_space);
  bool durable = false;
  store->commit(batch_of(1, "a", "x", [&durable] { durable = true; }));
  ASSERT_EQ(told.size(), 1U);
  EXPECT_THAT(told[0].reason, HasSubstr("no space"));
  EXPECT_FALSE(store->retry());
  vfs.disk().set_fault_hook(nullptr);
  EXPECT_TRUE(store->retry());
  EXPECT_TRUE(durable);
  ASSERT_EQ(told.size(), 2U) << "told once at the first failure, once at recovery";
  EXPECT_TRUE(told[1].writable);
}

TEST(StoreFaults, C5ADamagedDatabaseAcknowledgesNothingMore) {
  MemoryVfs vfs("store-rot", 4);
  TestRows rows;
  StorageChanged last;
  StoreOptions options = in_memory(vfs, StoreMode::inline_commit);
  options.on_state_change = [&last](const StorageChanged& c) { last = c; };
  opened(options, rows).reset();
  std::unique_ptr<Store> store = opened(options, rows);
  const std::size_t size = vfs.disk().read_all("data/mainstay.db").size();
  for (std::size_t at = 4096; at < size; at += 512) {
    vfs.disk().corrupt("data/mainstay.db", at, std::string(64, '\x5a'));
  }
  fail_next(vfs, DiskOperation::sync, 1, DiskFault::io_error);
  bool durable = false;
  store->commit(batch_of(1, "a", "x", [&durable] { durable = true; }));
  for (int i = 0; i < 5; ++i) EXPECT_FALSE(store->retry());
  EXPECT_FALSE(durable);
  EXPECT_FALSE(last.writable);
  EXPECT_THAT(last.reason, HasSubstr("damaged"));
  EXPECT_FALSE(store->close(Duration::zero()));
}

// ---- with the writer's thread -----------------------------------------------------------------

/// Collects what the store tells and lets a test wait for it.
class Told {
 public:
  StorageHealth::Listener listener() {
    return [this](const StorageChanged& change) {
      std::lock_guard lock(mutex_);
      changes_.push_back(change);
      changed_.notify_all();
    };
  }
  template <class Match>
  testing::AssertionResult wait(Match match) {
    std::unique_lock lock(mutex_);
    const bool came = changed_.wait_for(lock, std::chrono::seconds(30), [this, &match] {
      return !changes_.empty() && match(changes_.back());
    });
    if (came) return testing::AssertionSuccess();
    return testing::AssertionFailure()
           << "not told; last: " << (changes_.empty() ? "nothing" : changes_.back().reason);
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<StorageChanged> changes_;
};

TEST(StoreFaults, C4TheThreadRetriesByItself) {
  MemoryVfs vfs("store-thread", 5);
  TestRows rows;
  Told told;
  StoreOptions options = in_memory(vfs, StoreMode::writer_thread);
  options.on_state_change = told.listener();
  options.retry_min = std::chrono::milliseconds(1);
  std::unique_ptr<Store> store = opened(options, rows);
  fail_next(vfs, DiskOperation::sync, 3, DiskFault::io_error);
  std::promise<void> durable;
  store->commit(batch_of(1, "a", "x", [&durable] { durable.set_value(); }));
  ASSERT_EQ(durable.get_future().wait_for(std::chrono::seconds(30)), std::future_status::ready);
  EXPECT_TRUE(told.wait([](const StorageChanged& c) { return c.writable; }));
  EXPECT_EQ(store->counters().troubles, 1U);
}

TEST(StoreFaults, C4AnErrorOfTheCheckpointReopensTheDatabase) {
  MemoryVfs vfs("store-checkpoint", 6);
  TestRows rows;
  Told told;
  StoreOptions options = in_memory(vfs, StoreMode::writer_thread);
  options.on_state_change = told.listener();
  options.checkpoint_pages = 16;
  std::unique_ptr<Store> store = opened(options, rows);
  auto failures = std::make_shared<std::atomic<int>>(1);
  vfs.disk().set_fault_hook([failures](DiskOperation op, std::string_view path, std::size_t) {
    const bool hit = op == DiskOperation::sync && path == "data/mainstay.db" && --*failures >= 0;
    return hit ? DiskFault::io_error : DiskFault::none;
  });
  int sent = 0;
  std::atomic<int> durable = 0;
  while (*failures > 0) {
    std::promise<void> done;
    ++sent;
    store->commit(batch_of(sent, std::to_string(sent), std::string(5'000, 'x'), [&] {
      ++durable;
      done.set_value();
    }));
    ASSERT_EQ(done.get_future().wait_for(std::chrono::seconds(30)), std::future_status::ready);
    ASSERT_LT(sent, 10'000) << "no checkpoint came";
  }
  EXPECT_TRUE(told.wait([](const StorageChanged& c) { return c.writable; }));
  EXPECT_GE(store->counters().reopens, 1U);
  ASSERT_TRUE(store->close(std::chrono::seconds(30)));
  EXPECT_EQ(durable, sent);
  store = opened(in_memory(vfs, StoreMode::inline_commit), rows);
  EXPECT_EQ(count_agents(*store), sent);
}

TEST(StoreFaults, C7ADiskThatDoesNotAnswerIsToldAndTakenBack) {
  MemoryVfs vfs("store-stall", 7);
  TestRows rows;
  Told told;
  StoreOptions options = in_memory(vfs, StoreMode::writer_thread);
  options.on_state_change = told.listener();
  options.stall_after = std::chrono::milliseconds(20);
  std::unique_ptr<Store> store = opened(options, rows);
  std::promise<void> answer;
  std::shared_future<void> gate = answer.get_future().share();
  vfs.disk().set_fault_hook([gate](DiskOperation operation, std::string_view, std::size_t) {
    if (operation == DiskOperation::sync) gate.wait();
    return DiskFault::none;
  });
  std::promise<void> durable;
  store->commit(batch_of(1, "a", "x", [&durable] { durable.set_value(); }));
  EXPECT_TRUE(told.wait([](const StorageChanged& c) {
    return !c.writable && c.reason.find("does not answer") != std::string::npos;
  }));
  EXPECT_EQ(store->counters().waiting_changes, 2U);
  answer.set_value();
  ASSERT_EQ(durable.get_future().wait_for(std::chrono::seconds(30)), std::future_status::ready);
  EXPECT_TRUE(told.wait([](const StorageChanged& c) { return c.writable; }));
}

// ---- a real disk that is full -----------------------------------------------------------------

/// A small file system of this thread (and the threads that it starts) alone.
class SmallDisk {
 public:
  /// Empty when it worked, else why not.
  std::string mount(const std::string& at, const char* size) {
    if (::unshare(CLONE_NEWNS) != 0) return "a mount namespace needs root";
    if (::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) return "no private /";
    const std::string data = std::string("mode=0700,size=") + size;
    if (::mount("none", at.c_str(), "tmpfs", 0, data.c_str()) != 0) return "no tmpfs";
    at_ = at;
    return {};
  }
  ~SmallDisk() {
    if (!at_.empty()) ::umount2(at_.c_str(), MNT_DETACH);
  }

 private:
  std::string at_;
};

/// Fills the disk to the last block.
void write_ballast(const std::string& path) {
  platform::Fd fd = platform::open_file(path, O_WRONLY | O_CREAT).value();
  const std::string block(4096, 'b');
  while (platform::write_all(fd.get(), block, path)) {
  }
}

TEST(StoreFaults, C1C3AFullDiskGivesUpTheReserveAndTakesItAgain) {
  platform::TestDir dir;
  SmallDisk disk;
  const std::string why = disk.mount(dir.path(), "16m");
  if (!why.empty()) GTEST_SKIP() << "skipped: " << why;
  TestRows rows;
  Told told;
  StoreOptions options;
  options.dir = dir / "data";
  options.reserve_bytes = 4 << 20;
  options.checkpoint_pages = 32;
  options.on_state_change = told.listener();
  std::unique_ptr<Store> store = opened(options, rows);
  write_ballast(dir / "ballast");
  int sent = 0;
  const auto commit = [&] {
    auto done = std::make_shared<std::promise<void>>();
    ++sent;
    store->commit(batch_of(sent, std::to_string(sent), std::string(3'000, 'x'),
                           [done] { done->set_value(); }));
    return done->get_future().wait_for(std::chrono::seconds(30)) == std::future_status::ready;
  };
  while (store->state().writable) {
    ASSERT_TRUE(commit()) << "a full disk must not stop results";
    ASSERT_LT(sent, 5'000) << "the disk never filled up";
  }
  EXPECT_TRUE(store->state().full);
  EXPECT_THAT(store->state().reason, HasSubstr("no space"));
  EXPECT_FALSE(platform::path_exists(dir / "data/reserve"));
  // As many as have room there even if their log is never moved: 21 kB each, and 4 in the database.
  std::uint64_t longest = 0;
  for (int i = 0; i < 100; ++i) {
    ASSERT_TRUE(commit()) << "results go into the reserve";
    longest = std::max<std::uint64_t>(longest, store->counters().log_pages);
  }
  EXPECT_LT(longest, 48U) << "the writer itself moves a log of 32 pages, five at a time";
  ASSERT_TRUE(platform::remove_file(dir / "ballast"));
  EXPECT_TRUE(told.wait([](const StorageChanged& c) { return c.writable; })) << "C3: by itself";
  EXPECT_TRUE(platform::path_exists(dir / "data/reserve"));
  ASSERT_TRUE(store->close(std::chrono::seconds(30)));
  store = opened(options, rows);
  EXPECT_EQ(count_agents(*store), sent);
}

TEST(StoreFaults, C1AStartOnAFullDiskGivesUpTheReserve) {
  platform::TestDir dir;
  SmallDisk disk;
  const std::string why = disk.mount(dir.path(), "16m");
  if (!why.empty()) GTEST_SKIP() << "skipped: " << why;
  TestRows rows;
  StoreOptions options;
  options.dir = dir / "data";
  options.reserve_bytes = 4 << 20;
  opened(options, rows)->close(std::chrono::seconds(30));
  write_ballast(dir / "ballast");
  // The log and its index are gone with an orderly end: they need blocks again.
  std::unique_ptr<Store> store = opened(options, rows);
  EXPECT_TRUE(store->state().full);
  std::promise<void> done;
  store->commit(batch_of(1, "a", "x", [&done] { done.set_value(); }));
  EXPECT_EQ(done.get_future().wait_for(std::chrono::seconds(30)), std::future_status::ready);
}

TEST(StoreFaults, C1WithoutRoomForTheReserveItStartsAsFull) {
  platform::TestDir dir;
  SmallDisk disk;
  const std::string why = disk.mount(dir.path(), "16m");
  if (!why.empty()) GTEST_SKIP() << "skipped: " << why;
  TestRows rows;
  StoreOptions options;
  options.dir = dir / "data";
  options.reserve_bytes = 64 << 20;
  std::unique_ptr<Store> store = opened(options, rows);
  EXPECT_FALSE(store->state().writable);
  EXPECT_TRUE(store->state().full);
  std::promise<void> done;
  store->commit(batch_of(1, "a", "x", [&done] { done.set_value(); }));
  EXPECT_EQ(done.get_future().wait_for(std::chrono::seconds(30)), std::future_status::ready);
}

}  // namespace
}  // namespace mainstay::store
