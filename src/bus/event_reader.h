// Where events that were published before can be read again.
//
// Lifetime: longer than the bus. Threads: read() from any, also at the same time. A failed read is
// tried again by who needs it.
#pragma once

#include <cstddef>
#include <vector>

#include "base/result.h"
#include "model/event.h"

namespace mainstay::bus {

class EventReader {
 public:
  virtual ~EventReader() = default;
  /// At most `limit` events after `after`, in order and without gaps.
  virtual Result<std::vector<model::Event>> read(model::Sequence after, std::size_t limit) = 0;
};

}  // namespace mainstay::bus
