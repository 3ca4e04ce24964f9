// The work database while it is open for writing: one connection, the journal and the features'
// rows, and how it comes back after the disk failed.
//
// Owned by the store's writer; one thread at a time.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "platform/sqlite/sqlite.h"
#include "store/batch.h"
#include "store/database/journal.h"
#include "store/disk/blobs.h"
#include "store/row_writer.h"

namespace mainstay::store {

class Database {
 public:
  struct Place {
    std::string path;
    std::string vfs;  ///< empty: the system's files
  };

  /// Both references must outlive the database. Nothing is opened yet.
  Database(Place place, RowWriter& rows, Blobs& blobs);
  ~Database();
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  /// Opens, migrates, prepares.
  Result<void> open();
  bool is_open() const { return db_.is_open(); }

  /// All batches as one durable transaction, or none of them. After an error that came while
  /// committing it is unknown whether they are there; committing them again is right.
  Result<void> commit(std::span<const Batch> group);

  /// After an I/O error nothing that the system caches about the log can be trusted: closes without
  /// touching anything, writes the log's bytes again and syncs them, opens, and checks the
  /// database. storage_corrupt when the check fails.
  Result<void> reopen();

  /// `trusted` false: an error came before, so the log is left as it is for the next start.
  void close(bool trusted) { disconnect(trusted); }

  /// See SqliteConnection::checkpoint.
  Result<int> checkpoint() { return db_.checkpoint(); }
  int log_pages() const { return db_.is_open() ? db_.log_pages() : 0; }
  const Place& place() const { return place_; }

  /// A read-only connection of its own.
  static Result<platform::SqliteConnection> open_reader(const Place& place);

 private:
  Result<void> connect();
  Result<void> write(std::span<const Batch> group);
  void disconnect(bool checkpoint);

  Place place_;
  RowWriter& rows_;
  Blobs& blobs_;
  platform::SqliteConnection db_;
  std::optional<JournalWriter> journal_;
  std::vector<const model::Row*> scratch_;
};

}  // namespace mainstay::store
