// The journal: every event, by its sequence. Subscribers that were away read what they missed.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "model/event.h"
#include "platform/sqlite/sqlite.h"
#include "store/database/migration.h"

namespace mainstay::store {

/// The table journal(seq, at, kind, subject, body).
Migration journal_migration();

/// Appends events inside the caller's transaction.
class JournalWriter {
 public:
  static Result<JournalWriter> prepare(platform::SqliteConnection& db);
  /// An event that is there already must be the same one; another with its sequence is `internal`.
  Result<void> append(const model::Event& event);

 private:
  platform::SqliteConnection* db_ = nullptr;
  platform::SqliteStatement insert_;
  platform::SqliteStatement find_;
};

/// At most `limit` events after `after`, in order.
Result<std::vector<model::Event>> read_journal(platform::SqliteConnection& db,
                                               model::Sequence after, std::size_t limit);
/// The newest event of this kind and subject; 0: there is none. Reads back from the end, so it
/// costs what was written since.
Result<model::Sequence> last_event_of(platform::SqliteConnection& db, std::string_view kind,
                                      std::string_view subject);
/// 0 when the journal is empty.
Result<model::Sequence> last_sequence(platform::SqliteConnection& db);

}  // namespace mainstay::store
