#include "platform/sqlite/sqlite.h"

#include <sqlite3.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <vector>

namespace mainstay::platform {
namespace {

/// What the caller can do about a result code; the code and errno go along as fields.
Code code_of(int extended, int system_errno) {
  if (system_errno == ENOSPC || system_errno == EDQUOT) return Code::storage_full;
  switch (extended & 0xff) {
    case SQLITE_FULL:
      return Code::storage_full;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return Code::storage_corrupt;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return Code::unavailable;
    case SQLITE_IOERR:
    case SQLITE_READONLY:
    case SQLITE_CANTOPEN:
    case SQLITE_PERM:
    case SQLITE_AUTH:
    case SQLITE_NOMEM:
    case SQLITE_PROTOCOL:
    case SQLITE_NOLFS:
      return Code::storage_failed;
    default:
      return Code::internal;
  }
}

bool meets_the_system(int extended) {
  const int primary = extended & 0xff;
  return primary == SQLITE_IOERR || primary == SQLITE_FULL || primary == SQLITE_CANTOPEN ||
         primary == SQLITE_READONLY;
}

std::string name_of(int error_number) {
  const char* name = strerrorname_np(error_number);
  return name != nullptr ? name : std::to_string(error_number);
}

Error error_of(sqlite3* db, int rc, std::string what) {
  const int extended = db != nullptr ? sqlite3_extended_errcode(db) : rc;
  const int number = db != nullptr && meets_the_system(extended) ? sqlite3_system_errno(db) : 0;
  const char* text = db != nullptr ? sqlite3_errmsg(db) : sqlite3_errstr(rc);
  std::string message = std::move(what) + ": " + text;
  if (number != 0) message += std::string(" (") + std::strerror(number) + ")";
  Error error(code_of(extended, number), std::move(message));
  error = std::move(error).with("sqlite", std::to_string(extended));
  if (number != 0) error = std::move(error).with("errno", name_of(number));
  return error;
}

std::string excerpt_of(std::string_view sql) { return std::string(sql.substr(0, 60)); }

}  // namespace

// ---- statement --------------------------------------------------------------------------------

SqliteStatement& SqliteStatement::operator=(SqliteStatement&& other) noexcept {
  std::swap(statement_, other.statement_);
  return *this;
}

SqliteStatement::~SqliteStatement() { sqlite3_finalize(statement_); }

// A failed bind means a wrong index or no memory for a handful of bytes: a defect, not input.
void SqliteStatement::bind(int index, std::int64_t value) {
  MS_ASSERT(sqlite3_bind_int64(statement_, index, value) == SQLITE_OK, "bind of an integer");
}
void SqliteStatement::bind_double(int index, double value) {
  MS_ASSERT(sqlite3_bind_double(statement_, index, value) == SQLITE_OK, "bind of a real");
}
void SqliteStatement::bind_text(int index, std::string_view text) {
  const char* data = text.data() != nullptr ? text.data() : "";  // a null pointer would be NULL
  MS_ASSERT(sqlite3_bind_text64(statement_, index, data, text.size(), SQLITE_STATIC, SQLITE_UTF8) ==
                SQLITE_OK,
            "bind of a text");
}
void SqliteStatement::bind_blob(int index, std::string_view bytes) {
  const char* data = bytes.data() != nullptr ? bytes.data() : "";
  MS_ASSERT(sqlite3_bind_blob64(statement_, index, data, bytes.size(), SQLITE_STATIC) == SQLITE_OK,
            "bind of a blob");
}
void SqliteStatement::bind_null(int index) {
  MS_ASSERT(sqlite3_bind_null(statement_, index) == SQLITE_OK, "bind of NULL");
}
void SqliteStatement::bind_text_or_null(int index, std::string_view text) {
  text.empty() ? bind_null(index) : bind_text(index, text);
}
void SqliteStatement::bind_or_null(int index, const std::optional<std::int64_t>& value) {
  value ? bind(index, *value) : bind_null(index);
}

Result<bool> SqliteStatement::step() {
  const int rc = sqlite3_step(statement_);
  if (rc == SQLITE_ROW) return true;
  if (rc == SQLITE_DONE) {
    sqlite3_reset(statement_);
    return false;
  }
  Error error = error_of(sqlite3_db_handle(statement_), rc, excerpt_of(sqlite3_sql(statement_)));
  sqlite3_reset(statement_);
  return error;
}

Result<void> SqliteStatement::run() {
  for (;;) {
    Result<bool> more = step();
    if (!more) return std::move(more).error();
    if (!*more) return {};
  }
}

void SqliteStatement::reset() { sqlite3_reset(statement_); }

bool SqliteStatement::is_null(int column) const {
  return sqlite3_column_type(statement_, column) == SQLITE_NULL;
}
std::int64_t SqliteStatement::integer(int column) const {
  return sqlite3_column_int64(statement_, column);
}
double SqliteStatement::real(int column) const { return sqlite3_column_double(statement_, column); }
std::string_view SqliteStatement::text(int column) const {
  const auto* data = reinterpret_cast<const char*>(sqlite3_column_text(statement_, column));
  if (data == nullptr) return {};
  return {data, static_cast<std::size_t>(sqlite3_column_bytes(statement_, column))};
}
std::string_view SqliteStatement::blob(int column) const {
  const auto* data = static_cast<const char*>(sqlite3_column_blob(statement_, column));
  if (data == nullptr) return {};
  return {data, static_cast<std::size_t>(sqlite3_column_bytes(statement_, column))};
}
std::optional<std::int64_t> SqliteStatement::integer_or_null(int column) const {
  if (is_null(column)) return std::nullopt;
  return integer(column);
}

// ---- connection -------------------------------------------------------------------------------

SqliteConnection& SqliteConnection::operator=(SqliteConnection&& other) noexcept {
  std::swap(db_, other.db_);
  std::swap(log_pages_, other.log_pages_);
  return *this;
}

SqliteConnection::~SqliteConnection() { close(); }

Result<SqliteConnection> SqliteConnection::open(const std::string& path,
                                                const SqliteOptions& options) {
  int flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
  if (options.access == SqliteAccess::read_only) flags |= SQLITE_OPEN_READONLY;
  if (options.access != SqliteAccess::read_only) flags |= SQLITE_OPEN_READWRITE;
  if (options.access == SqliteAccess::read_write_create) flags |= SQLITE_OPEN_CREATE;
  SqliteConnection connection;
  const char* vfs = options.vfs.empty() ? nullptr : options.vfs.c_str();
  const int rc = sqlite3_open_v2(path.c_str(), &connection.db_, flags, vfs);
  if (rc != SQLITE_OK) return error_of(connection.db_, rc, "cannot open " + path);
  sqlite3_busy_timeout(connection.db_, options.busy_timeout_ms);
  connection.log_pages_ = std::make_unique<int>(0);
  // The hook replaces SQLite's own automatic checkpoint: the store decides when to do one.
  sqlite3_wal_hook(
      connection.db_,
      [](void* log_pages, sqlite3*, const char*, int pages) {
        *static_cast<int*>(log_pages) = pages;
        return SQLITE_OK;
      },
      connection.log_pages_.get());
  return connection;
}

void SqliteConnection::close() {
  if (db_ == nullptr) return;
  sqlite3_close_v2(db_);
  db_ = nullptr;
}

void SqliteConnection::close_without_checkpoint() {
  if (db_ == nullptr) return;
  sqlite3_db_config(db_, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
  close();
}

Result<void> SqliteConnection::execute(const std::string& sql) {
  const int rc = sqlite3_exec(db_, sql.c_str(), nullptr, nullptr, nullptr);
  if (rc != SQLITE_OK) return error_of(db_, rc, excerpt_of(sql));
  return {};
}

Result<SqliteStatement> SqliteConnection::prepare(std::string_view sql) {
  sqlite3_stmt* statement = nullptr;
  const int rc = sqlite3_prepare_v3(db_, sql.data(), static_cast<int>(sql.size()),
                                    SQLITE_PREPARE_PERSISTENT, &statement, nullptr);
  if (rc != SQLITE_OK) return error_of(db_, rc, "cannot prepare " + excerpt_of(sql));
  return SqliteStatement(statement);
}

Result<std::optional<std::int64_t>> SqliteConnection::query_integer(std::string_view sql) {
  Result<SqliteStatement> statement = prepare(sql);
  if (!statement) return std::move(statement).error();
  Result<bool> row = statement->step();
  if (!row) return std::move(row).error();
  if (!*row) return std::optional<std::int64_t>();
  return statement->integer_or_null(0);
}

Result<std::optional<std::string>> SqliteConnection::query_text(std::string_view sql) {
  Result<SqliteStatement> statement = prepare(sql);
  if (!statement) return std::move(statement).error();
  Result<bool> row = statement->step();
  if (!row) return std::move(row).error();
  if (!*row || statement->is_null(0)) return std::optional<std::string>();
  return std::optional<std::string>(std::string(statement->text(0)));
}

Result<int> SqliteConnection::checkpoint() {
  int pages = 0;
  int moved = 0;
  const int rc = sqlite3_wal_checkpoint_v2(db_, nullptr, SQLITE_CHECKPOINT_PASSIVE, &pages, &moved);
  // Busy: another connection is at it; what it does not finish is done next time.
  if (rc != SQLITE_OK && (rc & 0xff) != SQLITE_BUSY) return error_of(db_, rc, "checkpoint");
  if (pages < 0) return 0;
  *log_pages_ = pages - moved;
  return pages - moved;
}

int SqliteConnection::log_pages() const { return *log_pages_; }
std::int64_t SqliteConnection::changes() const { return sqlite3_changes64(db_); }

// ---- transaction ------------------------------------------------------------------------------

Result<SqliteTransaction> SqliteTransaction::begin(SqliteConnection& db) {
  Result<void> begun = db.execute("BEGIN IMMEDIATE");
  if (!begun) return std::move(begun).error();
  return SqliteTransaction(db);
}

Result<void> SqliteTransaction::commit() {
  Result<void> done = db_->execute("COMMIT");
  if (done) {
    db_ = nullptr;
    return {};
  }
  return done;  // the destructor rolls back
}

SqliteTransaction::~SqliteTransaction() {
  // Fails when SQLite has rolled back by itself (after an I/O error); that is what was wanted.
  if (db_ != nullptr && db_->is_open()) static_cast<void>(db_->execute("ROLLBACK").has_value());
}

// ---- loose ends -------------------------------------------------------------------------------

bool is_unique_violation(const Error& error) {
  for (const auto& [key, value] : error.fields()) {
    if (key == "sqlite") return value == std::to_string(SQLITE_CONSTRAINT_UNIQUE);
  }
  return false;
}

namespace {

/// An open file of a VFS, closed at scope's end.
struct VfsFile {
  explicit VfsFile(sqlite3_vfs* vfs) : bytes(static_cast<std::size_t>(vfs->szOsFile)) {}
  VfsFile(const VfsFile&) = delete;
  VfsFile& operator=(const VfsFile&) = delete;
  ~VfsFile() {
    if (get()->pMethods != nullptr) get()->pMethods->xClose(get());
  }
  sqlite3_file* get() { return reinterpret_cast<sqlite3_file*>(bytes.data()); }
  std::vector<std::max_align_t> bytes;  // more than needed: one unit per byte, for the alignment
};

// SQLite's Unix VFS takes less than 128 KiB in one call: it cuts the higher bits off a length, and
// says "full" when nothing is left of it (seekAndWriteFd in os_unix.c).
constexpr sqlite3_int64 kRewriteChunk = 64 * 1024;

int rewrite(VfsFile& file) {
  const sqlite3_io_methods* methods = file.get()->pMethods;
  sqlite3_int64 size = 0;
  if (int rc = methods->xFileSize(file.get(), &size); rc != SQLITE_OK) return rc;
  std::vector<char> chunk(kRewriteChunk);
  for (sqlite3_int64 at = 0; at < size; at += kRewriteChunk) {
    const int length = static_cast<int>(std::min(kRewriteChunk, size - at));
    if (int rc = methods->xRead(file.get(), chunk.data(), length, at); rc != SQLITE_OK) return rc;
    if (int rc = methods->xWrite(file.get(), chunk.data(), length, at); rc != SQLITE_OK) return rc;
  }
  return methods->xSync(file.get(), SQLITE_SYNC_NORMAL);
}

}  // namespace

Result<void> rewrite_and_sync(const std::string& path, const std::string& vfs_name) {
  sqlite3_vfs* vfs = sqlite3_vfs_find(vfs_name.empty() ? nullptr : vfs_name.c_str());
  MS_ASSERT(vfs != nullptr, "no such VFS");
  int exists = 0;
  vfs->xAccess(vfs, path.c_str(), SQLITE_ACCESS_EXISTS, &exists);
  if (exists == 0) return {};
  // SQLite's contract for a name given to xOpen: it ends with two NULs (no URI parameters).
  std::string name = path;
  name.append(2, '\0');
  VfsFile file(vfs);
  int flags = 0;
  int rc =
      vfs->xOpen(vfs, name.c_str(), file.get(), SQLITE_OPEN_WAL | SQLITE_OPEN_READWRITE, &flags);
  if (rc == SQLITE_OK) rc = rewrite(file);
  if (rc == SQLITE_OK) return {};
  return error_of(nullptr, rc, "cannot write " + path + " again");
}

}  // namespace mainstay::platform
