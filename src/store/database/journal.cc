#include "store/database/journal.h"

namespace mainstay::store {

Migration journal_migration() {
  return {"journal", R"(
    CREATE TABLE journal(
      seq INTEGER PRIMARY KEY,
      at INTEGER NOT NULL,      -- microseconds since 1970, UTC
      kind TEXT NOT NULL,
      subject TEXT NOT NULL,
      body TEXT NOT NULL        -- JSON object
    ) STRICT;)"};
}

Result<JournalWriter> JournalWriter::prepare(platform::SqliteConnection& db) {
  JournalWriter writer;
  writer.db_ = &db;
  Result<platform::SqliteStatement> insert = db.prepare(
      "INSERT INTO journal(seq, at, kind, subject, body) VALUES(?1, ?2, ?3, ?4, ?5) "
      "ON CONFLICT(seq) DO NOTHING");
  if (!insert) return std::move(insert).error();
  Result<platform::SqliteStatement> find =
      db.prepare("SELECT kind, subject, body FROM journal WHERE seq=?1");
  if (!find) return std::move(find).error();
  writer.insert_ = std::move(*insert);
  writer.find_ = std::move(*find);
  return writer;
}

Result<void> JournalWriter::append(const model::Event& event) {
  insert_.bind(1, event.seq);
  insert_.bind(2, base::to_micros(event.at));
  insert_.bind_text(3, event.kind);
  insert_.bind_text(4, event.subject);
  insert_.bind_text(5, event.body);
  Result<void> done = insert_.run();
  if (!done || db_->changes() == 1) return done;
  // A commit of unknown outcome is repeated: then it is the same event.
  find_.bind(1, event.seq);
  Result<bool> there = find_.step();
  if (!there) return std::move(there).error();
  const bool same = *there && find_.text(0) == event.kind && find_.text(1) == event.subject &&
                    find_.text(2) == event.body;
  find_.reset();
  if (same) return {};
  return Error(Code::internal, "the journal has another event " + std::to_string(event.seq));
}

Result<std::vector<model::Event>> read_journal(platform::SqliteConnection& db,
                                               model::Sequence after, std::size_t limit) {
  Result<platform::SqliteStatement> select = db.prepare(
      "SELECT seq, at, kind, subject, body FROM journal WHERE seq>?1 ORDER BY seq LIMIT ?2");
  if (!select) return std::move(select).error();
  select->bind(1, after);
  select->bind(2, static_cast<std::int64_t>(limit));
  std::vector<model::Event> events;
  for (;;) {
    Result<bool> row = select->step();
    if (!row) return std::move(row).error();
    if (!*row) return events;
    events.push_back({select->integer(0), base::wall_from_micros(select->integer(1)),
                      std::string(select->text(2)), std::string(select->text(3)),
                      std::string(select->text(4))});
  }
}

Result<model::Sequence> last_event_of(platform::SqliteConnection& db, std::string_view kind,
                                      std::string_view subject) {
  Result<platform::SqliteStatement> select =
      db.prepare("SELECT seq FROM journal WHERE kind=?1 AND subject=?2 ORDER BY seq DESC LIMIT 1");
  if (!select) return std::move(select).error();
  select->bind_text(1, kind);
  select->bind_text(2, subject);
  Result<bool> row = select->step();
  if (!row) return std::move(row).error();
  return *row ? select->integer(0) : 0;
}

Result<model::Sequence> last_sequence(platform::SqliteConnection& db) {
  Result<std::optional<std::int64_t>> last = db.query_integer("SELECT max(seq) FROM journal");
  if (!last) return std::move(last).error();
  return last->value_or(0);
}

}  // namespace mainstay::store
