// Reads rows for the API on a small pool of threads, each with a read-only connection of its own,
// so that a long list never holds up the control loop or an answer to somebody else.
//
// Any thread. Refuses with `overloaded` when too many reads wait.
#pragma once

#include <functional>
#include <optional>
#include <utility>
#include <vector>

#include "base/result.h"
#include "platform/loop/worker_pool.h"
#include "platform/sqlite/sqlite.h"
#include "store/store.h"

namespace mainstay::app {

class RowReader {
 public:
  static constexpr std::size_t kThreads = 2;
  static constexpr std::size_t kMaxWaiting = 1024;

  explicit RowReader(const store::Store& store)
      : store_(store), connections_(kThreads), pool_("ms-read", kThreads, kMaxWaiting) {}

  /// Runs `query` on a reader's thread and gives its result to `on_result` there.
  template <class T>
  void read(std::function<Result<T>(platform::SqliteConnection&)> query,
            std::function<void(Result<T>)> on_result) {
    const bool taken =
        pool_.submit([this, query = std::move(query), on_result](std::size_t thread) {
          auto connection = connection_of(thread);
          if (!connection) return on_result(std::move(connection).error());
          on_result(query(**connection));
        });
    if (!taken) on_result(Error(Code::overloaded, "too many reads wait for the work database"));
  }

  void stop() { pool_.stop(); }

 private:
  Result<platform::SqliteConnection*> connection_of(std::size_t thread) {
    auto& slot = connections_[thread];
    if (!slot) {
      auto opened = store_.open_reader();
      if (!opened) return std::move(opened).error();
      slot = std::move(*opened);
    }
    return &*slot;
  }

  const store::Store& store_;
  std::vector<std::optional<platform::SqliteConnection>> connections_;  // one per thread
  platform::WorkerPool pool_;
};

}  // namespace mainstay::app
