// Queries on threads of their own, so that neither the control loop nor the I/O threads wait for
// the disk: a bounded pool with a read-only connection per thread.
//
// Lifetime: must end before the store's VFS; may outlive the Store. Threads: read() from any; the
// job runs on a thread of the pool and must not throw.
#pragma once

#include <cstddef>
#include <functional>
#include <vector>

#include "base/result.h"
#include "platform/loop/worker_pool.h"
#include "platform/sqlite/sqlite.h"
#include "store/database/database.h"

namespace mainstay::store {

class ReaderPool {
 public:
  /// Given the thread's connection, or why there is none.
  using Job = std::function<void(Result<platform::SqliteConnection*>)>;

  ReaderPool(Database::Place place, std::size_t threads = 2, std::size_t max_waiting = 256);

  /// False when too many wait: answer `overloaded`. Each job runs in a read transaction of its own,
  /// so that several queries see one state.
  [[nodiscard]] bool read(Job job);
  void stop() { pool_.stop(); }
  platform::WorkerPool::Counters counters() const { return pool_.counters(); }

 private:
  Result<platform::SqliteConnection*> connection(std::size_t thread);

  const Database::Place place_;
  std::vector<platform::SqliteConnection> connections_;  // one per thread, used only by it
  platform::WorkerPool pool_;                            // last: its threads end first
};

}  // namespace mainstay::store
