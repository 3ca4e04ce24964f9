#include "store/database/checkpointer.h"

#include "platform/loop/thread_name.h"
#include "store/disk/fail_point.h"

namespace mainstay::store {

Checkpointer::Checkpointer(Database::Place place, std::function<void(Error)> on_error)
    : place_(std::move(place)), on_error_(std::move(on_error)), thread_([this] { run(); }) {}

Checkpointer::~Checkpointer() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  thread_.join();
}

void Checkpointer::request() {
  if (finished_) return;
  {
    std::lock_guard lock(mutex_);
    if (wanted_) return;
    wanted_ = true;
    closed_ = false;
  }
  wake_.notify_one();
}

void Checkpointer::close() {
  closed_ = true;
  std::lock_guard lock(connection_mutex_);
  db_.close_without_checkpoint();
  finished_ = false;
}

void Checkpointer::run() {
  platform::name_this_thread("ms-checkpoint");
  std::unique_lock lock(mutex_);
  for (;;) {
    wake_.wait(lock, [this] { return stopping_ || wanted_; });
    if (stopping_) return;
    lock.unlock();
    Result<void> done = round();
    if (done)
      finished_ = true;
    else
      on_error_(std::move(done).error());
    lock.lock();
    wanted_ = false;
  }
}

Result<void> Checkpointer::round() {
  std::lock_guard lock(connection_mutex_);
  if (closed_) return {};
  if (!db_.is_open()) {
    platform::SqliteOptions options;
    options.access = platform::SqliteAccess::read_write;
    options.vfs = place_.vfs;
    Result<platform::SqliteConnection> opened =
        platform::SqliteConnection::open(place_.path, options);
    if (!opened) return std::move(opened).error();
    db_ = std::move(*opened);
    Result<void> set = db_.execute("PRAGMA synchronous=FULL; PRAGMA cache_size=-256");
    if (!set) return set;
    // The log is only found once the connection has read something.
    Result<std::optional<std::int64_t>> read = db_.query_integer("PRAGMA user_version");
    if (!read) return std::move(read).error();
  }
  pass(FailPoint::before_checkpoint);
  Result<int> left = db_.checkpoint();
  if (!left) return std::move(left).error();
  pass(FailPoint::after_checkpoint);
  return {};
}

}  // namespace mainstay::store
