// Reads events again from the store's journal, over one read-only connection that is opened at the
// first need and opened anew after a failure.
//
// Lifetime: the store must outlive it. Threads: any; reads take turns. Fails: as the store's reads.
#pragma once

#include <functional>
#include <mutex>
#include <optional>
#include <vector>

#include "bus/event_reader.h"
#include "platform/sqlite/sqlite.h"
#include "store/store.h"

namespace mainstay::bus {

class JournalReader : public EventReader {
 public:
  explicit JournalReader(const store::Store& store);
  Result<std::vector<model::Event>> read(model::Sequence after, std::size_t limit) override;

 private:
  const store::Store& store_;
  std::mutex mutex_;
  std::optional<platform::SqliteConnection> connection_;
};

}  // namespace mainstay::bus
