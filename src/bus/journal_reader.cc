#include "bus/journal_reader.h"

#include <utility>

#include "store/database/journal.h"

namespace mainstay::bus {

JournalReader::JournalReader(const store::Store& store) : store_(store) {}

Result<std::vector<model::Event>> JournalReader::read(model::Sequence after, std::size_t limit) {
  const std::lock_guard lock(mutex_);
  if (!connection_) {
    auto opened = store_.open_reader();
    if (!opened) return opened.error();
    connection_.emplace(*std::move(opened));
  }
  auto events = store::read_journal(*connection_, after, limit);
  if (!events) connection_.reset();
  return events;
}

}  // namespace mainstay::bus
