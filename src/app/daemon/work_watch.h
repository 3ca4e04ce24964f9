// Tells those who wait for a work item when it has ended, with its result as it was recorded.
//
// Threads: any. A callback comes once, on a reader's thread.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "app/daemon/row_reader.h"
#include "base/result.h"
#include "bus/bus.h"
#include "model/ids.h"
#include "store/store.h"
#include "work/tables/work_queries.h"

namespace mainstay::app {

class WorkWatch {
 public:
  using OnEnd = std::function<void(const work::WorkRecord&)>;

  /// All outlive it.
  WorkWatch(store::Store& store, RowReader& reader) : store_(store), reader_(reader) {}

  Result<void> start(bus::Bus& bus);
  void stop() { events_.reset(); }

  /// At once when the item has already ended; never for an item that is not there.
  void watch(model::WorkId id, OnEnd on_end);

 private:
  void look(model::WorkId id);

  store::Store& store_;
  RowReader& reader_;
  std::mutex mutex_;
  std::unordered_map<model::WorkId, std::vector<OnEnd>> waiting_;
  std::unique_ptr<bus::Subscription> events_;
};

}  // namespace mainstay::app
