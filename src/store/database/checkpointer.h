// Moves the write-ahead log into the database on a thread of its own, so that commits do not wait
// for it. A log that is written to all the time can never be emptied from beside: after a round
// here only the newest pages are left, and the writer moves those itself, quickly.
//
// Owned by the store. request(), close() from the writer; the callback runs on the thread here.
#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>

#include "platform/sqlite/sqlite.h"
#include "store/database/database.h"

namespace mainstay::store {

class Checkpointer {
 public:
  /// `on_error`: a read, write or sync failed here; the database must be reopened.
  Checkpointer(Database::Place place, std::function<void(Error)> on_error);
  ~Checkpointer();
  Checkpointer(const Checkpointer&) = delete;
  Checkpointer& operator=(const Checkpointer&) = delete;

  /// Asks for a round; nothing when one is under way or its result was not yet taken.
  void request();
  /// True once after each round: the writer should move the rest now.
  bool take_finished() { return finished_.exchange(false); }
  /// Waits for a round under way and closes the connection; the next request opens it again.
  void close();

 private:
  void run();
  Result<void> round();

  const Database::Place place_;
  const std::function<void(Error)> on_error_;
  std::atomic<bool> finished_ = false;
  /// A round that was asked for before close() does nothing.
  std::atomic<bool> closed_ = false;

  std::mutex connection_mutex_;
  platform::SqliteConnection db_;

  std::mutex mutex_;
  std::condition_variable wake_;
  bool wanted_ = false;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace mainstay::store
