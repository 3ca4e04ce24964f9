// Model values as columns: binding them to a statement and reading them back, one after another,
// so that the order is written once in the SQL and once here.
//
// One statement, one thread. A Binder must live until the statement has run: it owns the texts it
// made. Reading fails with storage_corrupt when a column holds what was never written.
#pragma once

#include <forward_list>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/enum_text.h"
#include "base/result.h"
#include "base/time.h"
#include "model/payload.h"
#include "model/usage.h"
#include "model/work.h"
#include "platform/sqlite/sqlite.h"
#include "store/disk/blobs.h"

namespace mainstay::store {

class Binder {
 public:
  explicit Binder(platform::SqliteStatement& statement, int first = 1)
      : statement_(statement), index_(first) {}

  Binder& integer(std::int64_t value) { return statement_.bind(index_++, value), *this; }
  Binder& text(std::string_view value) { return statement_.bind_text(index_++, value), *this; }
  /// NULL when it is empty.
  Binder& optional_text(std::string_view value) {
    return statement_.bind_text_or_null(index_++, value), *this;
  }
  Binder& bytes(std::string_view value) { return statement_.bind_blob(index_++, value), *this; }
  Binder& null() { return statement_.bind_null(index_++), *this; }
  Binder& integer(const std::optional<std::int64_t>& value) {
    return statement_.bind_or_null(index_++, value), *this;
  }
  Binder& wall(Wall value) { return integer(base::to_micros(value)); }
  Binder& wall(const std::optional<Wall>& value) { return value ? wall(*value) : null(); }
  Binder& duration(Duration value) { return integer(value.count()); }
  template <class Tag>
  Binder& id(const base::Id<Tag>& value) {
    return bytes(value.view());
  }
  /// JSON object text; NULL when there are none.
  Binder& labels(const std::map<std::string, std::string>& value);
  /// JSON array text; NULL when it is empty.
  Binder& list(const std::vector<std::string>& value);
  /// JSON object text; NULL when there is none.
  Binder& error(const std::optional<model::WorkError>& value);
  /// Six integers.
  Binder& counts(const model::Usage& usage);
  /// Two columns: the text, or the name of its blob. Text over Payload::kInlineLimit that has no
  /// blob yet gets one here, which is durable before the row is.
  Result<void> payload(const model::Payload& value, Blobs& blobs);

 private:
  std::string& keep(std::string text) { return texts_.emplace_front(std::move(text)); }

  platform::SqliteStatement& statement_;
  int index_;
  std::forward_list<std::string> texts_;
};

/// Reads the columns of the row that the statement stands on. The first thing that is wrong is
/// kept in error(); what follows reads as empty.
class ColumnReader {
 public:
  explicit ColumnReader(const platform::SqliteStatement& statement) : statement_(statement) {}

  std::int64_t integer() { return statement_.integer(index_++); }
  std::string text() { return std::string(statement_.text(index_++)); }
  bool is_null() const { return statement_.is_null(index_); }
  std::optional<std::int64_t> optional_integer() { return statement_.integer_or_null(index_++); }
  Wall wall() { return base::wall_from_micros(integer()); }
  std::optional<Wall> optional_wall();
  Duration duration() { return Duration(integer()); }
  template <class Id>
  Id id() {
    std::optional<Id> value = Id::from_bytes(statement_.blob(index_++));
    if (!value) fail("an id that has not 16 bytes");
    return value.value_or(Id{});
  }
  template <class E>
  E enumerator() {
    const std::string_view name = statement_.text(index_++);
    std::optional<E> value = base::parse_enum<E>(name);
    if (!value) fail("an unknown word '" + std::string(name) + "'");
    return value.value_or(E{});
  }
  std::map<std::string, std::string> labels();
  std::vector<std::string> list();
  std::optional<model::WorkError> error();
  void counts(model::Usage& usage);
  /// `blobs` null: the text of a blob is not loaded, only its name.
  model::Payload payload(const Blobs* blobs);
  void skip(int columns) { index_ += columns; }
  void fail(std::string what);

  /// Success, or what was wrong in the row so far.
  Result<void> finish();

 private:
  const platform::SqliteStatement& statement_;
  int index_ = 0;
  std::optional<Error> error_;
};

/// The statement's rows, one by one, by `read(ColumnReader&)`; stops at the first error.
template <class Read>
Result<void> for_each_row(platform::SqliteStatement& statement, Read read) {
  for (;;) {
    Result<bool> row = statement.step();
    if (!row) return std::move(row).error();
    if (!*row) return {};
    ColumnReader reader(statement);
    read(reader);
    Result<void> sound = reader.finish();
    if (!sound) {
      statement.reset();
      return sound;
    }
  }
}

}  // namespace mainstay::store
