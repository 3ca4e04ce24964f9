// Tells those who wait for a work item when it has ended, with its result as it was recorded.
//
// Rows are read on a thread of its own, many in one pass: however many items end at once, nobody is
// forgotten. What cannot be read now is read again a moment later, for as long as somebody waits.
//
// Threads: any. A callback comes once, on the watch's thread, and must be quick.
#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "bus/bus.h"
#include "model/ids.h"
#include "platform/sqlite/sqlite.h"
#include "store/disk/blobs.h"
#include "work/tables/work_queries.h"

namespace mainstay::app {

class WorkWatch {
 public:
  using OnEnd = std::function<void(const work::WorkRecord&)>;
  using OpenReader = std::function<Result<platform::SqliteConnection>()>;

  static constexpr Duration kRetryMin = std::chrono::milliseconds(50);
  static constexpr Duration kRetryMax = std::chrono::seconds(2);

  /// `blobs` outlives it.
  WorkWatch(OpenReader open_reader, const store::Blobs& blobs)
      : open_reader_(std::move(open_reader)), blobs_(blobs) {}
  ~WorkWatch() { stop(); }
  WorkWatch(const WorkWatch&) = delete;
  WorkWatch& operator=(const WorkWatch&) = delete;

  Result<void> start(bus::Bus& bus);
  /// No callback comes after it. Idempotent.
  void stop();

  /// At once when the item has already ended; never for an item that is not there.
  void watch(model::WorkId id, OnEnd on_end);

  /// Items that somebody waits for.
  std::size_t waiting() const;

 private:
  using Ids = std::vector<model::WorkId>;

  void look(model::WorkId id);
  void run();
  /// Looks at each; gives back those that could not be read.
  Ids pass(const Ids& ids);
  Result<void> connect();
  void tell(const work::WorkRecord& record);

  const OpenReader open_reader_;
  const store::Blobs& blobs_;
  std::unique_ptr<bus::Subscription> events_;

  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::unordered_map<model::WorkId, std::vector<OnEnd>> waiting_;
  Ids to_look_at_;
  bool stopping_ = false;

  // The thread's own.
  std::optional<platform::SqliteConnection> db_;
  std::optional<work::WorkEnds> ends_;
  std::thread thread_;
};

}  // namespace mainstay::app
