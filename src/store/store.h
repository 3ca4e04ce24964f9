// The store: what the control loop decided, made durable. Batches that wait together become one
// SQLite transaction (group commit), each is told when it is durable, in order.
//
// Accepted means durable, also when the disk has other plans (faults C1, C3, C4, C7, C8): a batch
// is never dropped. When a commit fails the batch stays at the head of the queue, `on_state_change`
// says so once, and it is tried again until it holds. A full disk is met with a reserve that is
// given up, so that commits go on while the loop refuses new work; it is made again when there is
// space. After any other I/O error the database is closed, its log written again, reopened and
// checked before anything else is committed. A damaged database stays failing until the daemon is
// restarted on a restored one.
//
// Lifetime: open() to close() (or the destructor); one daemon per folder is the caller's lock.
// Threads: commit() from one thread (the loop); open_reader(), counters(), state() from any.
#pragma once

#include <array>
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "model/input.h"
#include "platform/sqlite/sqlite.h"
#include "store/batch.h"
#include "store/database/checkpointer.h"
#include "store/database/database.h"
#include "store/disk/blobs.h"
#include "store/disk/reserve.h"
#include "store/disk/storage_health.h"
#include "store/row_writer.h"

namespace mainstay::store {

/// inline_commit: no threads; commit() makes durable before it returns, or keeps the batch for
/// retry(). For the simulator and for tools. The same code otherwise.
enum class StoreMode { writer_thread, inline_commit };

struct StoreOptions {
  /// The data folder: mainstay.db, blobs/, reserve. With `vfs` only a prefix of names.
  std::string dir;
  /// A registered SQLite VFS (simulator, tests); then `blobs` must be given and there is no
  /// reserve.
  std::string vfs;
  std::shared_ptr<Blobs> blobs;
  StoreMode mode = StoreMode::writer_thread;
  /// Called on the writer's thread or the watch's; must be quick and must not call the store. Not
  /// told is the state at open(): see state().
  StorageHealth::Listener on_state_change;
  std::uint64_t reserve_bytes = std::uint64_t{64} << 20;
  /// Row changes and events of one transaction, unless one batch alone has more.
  std::size_t max_changes_per_commit = 16'384;
  /// has_room() is false from here on.
  std::size_t max_waiting_changes = 65'536;
  /// Pages of the log (4 KiB each) from which it is moved into the database.
  int checkpoint_pages = 2'048;
  /// A commit that takes longer is told as trouble (faults C7).
  Duration stall_after = std::chrono::seconds(2);
  Duration retry_min = std::chrono::milliseconds(100);
  Duration retry_max = std::chrono::seconds(1);
};

struct StoreCounters {
  std::uint64_t commits = 0;
  std::uint64_t failed_commits = 0;
  std::uint64_t batches = 0;
  std::uint64_t rows = 0;
  std::uint64_t events = 0;
  std::uint64_t reopens = 0;
  std::uint64_t troubles = 0;
  std::size_t waiting_batches = 0;
  std::size_t waiting_changes = 0;
  int log_pages = 0;
  /// From commit() to durable, of every batch: bucket i counts those under 2^i microseconds.
  std::array<std::uint64_t, 32> latency_buckets{};
  std::uint64_t latency_micros_total = 0;
  std::uint64_t latency_micros_max = 0;
};

class Store {
 public:
  /// conflict (newer or foreign database), storage_failed, storage_full, storage_corrupt. `rows`
  /// must outlive the store.
  static Result<std::unique_ptr<Store>> open(StoreOptions options, RowWriter& rows);
  ~Store();
  Store(const Store&) = delete;
  Store& operator=(const Store&) = delete;

  /// Takes the batch, never blocks and never refuses: the loop's memory has moved on already. The
  /// loop must heed has_room() before it takes more work.
  void commit(Batch batch);
  bool has_room() const;

  /// Inline mode: tries again what could not be committed. True when nothing waits.
  bool retry();

  /// Commits what waits, for at most `patience`, and ends the threads. True when all is durable.
  bool close(Duration patience);

  model::StorageChanged state() const { return health_.now(); }
  StoreCounters counters() const;
  Blobs& blobs() { return *blobs_; }
  const Database::Place& place() const { return place_; }
  /// A read-only connection of its own; for one thread.
  Result<platform::SqliteConnection> open_reader() const { return Database::open_reader(place_); }

 private:
  struct Waiting {
    Batch batch;
    Mono since{};
  };

  Store(StoreOptions options, RowWriter& rows, std::shared_ptr<Blobs> blobs, Database::Place place);
  Result<void> start();

  // The writer: its thread, or in inline mode the caller.
  void run();
  bool next_group();
  bool try_group();
  Result<void> commit_group();
  Result<void> commit_in_reserve(Error full);
  void on_committed();
  void on_failed(const Error& error);
  Result<void> reopen();
  void tend_log();
  void tend_reserve();
  void wait_before_retry(Duration delay);
  void watch();
  void suspect(Error error);

  const StoreOptions options_;
  const Database::Place place_;
  const std::shared_ptr<Blobs> blobs_;
  StorageHealth health_;

  // The writer's own.
  Database database_;
  Reserve reserve_;
  std::vector<Batch> group_;
  std::vector<Mono> group_since_;
  bool needs_reopen_ = false;
  bool retrying_ = false;
  bool damaged_ = false;
  Mono reserve_tried_{};

  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::condition_variable watch_wake_;
  std::deque<Waiting> queue_;
  std::size_t waiting_changes_ = 0;
  std::size_t group_changes_ = 0;
  std::optional<Error> suspicion_;  // from the checkpointer
  bool stopping_ = false;
  bool watch_stopping_ = false;
  Mono give_up_at_ = Mono::max();
  StoreCounters counters_;
  std::atomic<std::int64_t> commit_began_ns_ = 0;  // 0: none under way

  std::optional<Checkpointer> checkpointer_;
  std::thread watch_;
  std::thread writer_;
};

}  // namespace mainstay::store
