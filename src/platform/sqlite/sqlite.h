// SQLite as plain objects: a connection, a prepared statement, a transaction. All SQL of the
// product goes through here, so this is the one place that knows SQLite's error codes.
//
// Lifetime: statements and transactions must not outlive their connection. Threads: one thread at
// a time per connection with its statements (opened without SQLite's own mutex); several
// connections to one database may be used at once. Fails: every call that can meet the disk gives
// a Result, whose Error is storage_full, storage_failed, storage_corrupt, unavailable (locked by
// someone else) or internal (a statement that is wrong), with fields `sqlite` (extended result
// code) and, where the system said no, `errno` (its name).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/result.h"

struct sqlite3;
struct sqlite3_stmt;

namespace mainstay::platform {

enum class SqliteAccess { read_write_create, read_write, read_only };

struct SqliteOptions {
  SqliteAccess access = SqliteAccess::read_write_create;
  /// Name of a registered VFS; empty: the system's files.
  std::string vfs;
  /// How long a statement waits for another connection's lock.
  int busy_timeout_ms = 5000;
};

class SqliteConnection;

/// A prepared statement: bind from index 1, step, read columns from index 0, reset.
class SqliteStatement {
 public:
  SqliteStatement() = default;
  SqliteStatement(SqliteStatement&& other) noexcept { *this = std::move(other); }
  SqliteStatement& operator=(SqliteStatement&& other) noexcept;
  ~SqliteStatement();

  /// Text and blobs are not copied: they must live until the next reset() or run().
  void bind(int index, std::int64_t value);
  void bind_double(int index, double value);
  void bind_text(int index, std::string_view text);
  void bind_blob(int index, std::string_view bytes);
  void bind_null(int index);
  /// Text, or NULL when it is empty.
  void bind_text_or_null(int index, std::string_view text);
  void bind_or_null(int index, const std::optional<std::int64_t>& value);

  /// True: a row is there. False: finished, and the statement is reset.
  Result<bool> step();
  /// Steps to the end, whatever rows come, and resets.
  Result<void> run();
  void reset();

  bool is_null(int column) const;
  std::int64_t integer(int column) const;
  double real(int column) const;
  /// Valid until the next step() or reset(). Empty for NULL.
  std::string_view text(int column) const;
  std::string_view blob(int column) const;
  std::optional<std::int64_t> integer_or_null(int column) const;

 private:
  friend class SqliteConnection;
  explicit SqliteStatement(sqlite3_stmt* statement) : statement_(statement) {}

  sqlite3_stmt* statement_ = nullptr;
};

class SqliteConnection {
 public:
  SqliteConnection() = default;
  SqliteConnection(SqliteConnection&& other) noexcept { *this = std::move(other); }
  SqliteConnection& operator=(SqliteConnection&& other) noexcept;
  ~SqliteConnection();

  static Result<SqliteConnection> open(const std::string& path, const SqliteOptions& options);

  bool is_open() const { return db_ != nullptr; }
  /// Statements that are still alive keep the file open until they end (SQLite's zombie state).
  void close();
  /// As close(), but leaves the write-ahead log as it is: after a sync error its pages must not be
  /// moved into the database before they were written again.
  void close_without_checkpoint();

  /// Runs one or more statements without results.
  Result<void> execute(const std::string& sql);
  /// One prepared statement; kept for the connection's life.
  Result<SqliteStatement> prepare(std::string_view sql);
  /// The first column of the first row; nullopt when there is no row or it is NULL.
  Result<std::optional<std::int64_t>> query_integer(std::string_view sql);
  Result<std::optional<std::string>> query_text(std::string_view sql);

  /// Moves what it can of the write-ahead log into the database without waiting for anyone.
  /// Gives the pages left in the log.
  Result<int> checkpoint();
  /// Pages in the write-ahead log after the last commit of this connection.
  int log_pages() const;
  /// Rows changed by the last finished statement.
  std::int64_t changes() const;

 private:
  sqlite3* db_ = nullptr;
  std::unique_ptr<int> log_pages_;  // written by SQLite's hook, so its address must not move
};

/// BEGIN IMMEDIATE … COMMIT; rolled back when it goes out of scope uncommitted.
class SqliteTransaction {
 public:
  static Result<SqliteTransaction> begin(SqliteConnection& db);
  SqliteTransaction(SqliteTransaction&& other) noexcept : db_(std::exchange(other.db_, nullptr)) {}
  SqliteTransaction& operator=(SqliteTransaction&&) = delete;
  ~SqliteTransaction();

  /// On an error the transaction is rolled back; whether it is durable is then unknown.
  Result<void> commit();

 private:
  explicit SqliteTransaction(SqliteConnection& db) : db_(&db) {}
  SqliteConnection* db_;
};

/// True for the Error of a statement that broke a UNIQUE constraint (not a primary key).
bool is_unique_violation(const Error& error);

/// Writes a file's bytes again in place and syncs it, through the VFS. After a failed sync the
/// system may hold pages that it believes to be on disk and that are not; writing makes it try
/// again. No such file is success.
Result<void> rewrite_and_sync(const std::string& path, const std::string& vfs);

}  // namespace mainstay::platform
