// For the store's tests: a RowWriter with one table, in which an AgentRow is (name, reason).
#pragma once

#include <optional>
#include <string>
#include <variant>

#include "base/assert.h"
#include "store/row_writer.h"
#include "store/store.h"

namespace mainstay::store {

class TestRows : public RowWriter {
 public:
  std::vector<Migration> migrations() const override {
    return {{"agents", "CREATE TABLE agents(name TEXT PRIMARY KEY, reason TEXT) STRICT;"}};
  }
  Result<void> attach(platform::SqliteConnection& db, Blobs&) override {
    Result<platform::SqliteStatement> put = db.prepare(
        "INSERT INTO agents VALUES(?1, ?2) ON CONFLICT(name) DO UPDATE SET "
        "reason=excluded.reason");
    if (!put) return std::move(put).error();
    put_ = std::move(*put);
    return {};
  }
  void detach() override { put_.reset(); }
  Result<void> write(std::span<const model::Row* const> rows) override {
    for (const model::Row* row : rows) {
      const auto& agent = std::get<model::AgentRow>(*row);
      put_->bind_text(1, agent.status.name);
      put_->bind_text(2, agent.status.reason);
      Result<void> done = put_->run();
      if (!done) return done;
    }
    return {};
  }

 private:
  std::optional<platform::SqliteStatement> put_;
};

/// A batch with one row and one event of sequence `seq`.
inline Batch batch_of(model::Sequence seq, std::string name, std::string reason,
                      std::function<void()> on_durable = nullptr) {
  model::AgentRow row;
  row.status.name = std::move(name);
  row.status.reason = std::move(reason);
  Batch batch;
  batch.rows.push_back(std::move(row));
  batch.events.push_back({seq, Wall{}, "agent.state_changed", "a", "{}"});
  batch.on_durable = std::move(on_durable);
  return batch;
}

inline std::int64_t count_agents(const Store& store) {
  Result<platform::SqliteConnection> reader = store.open_reader();
  MS_ASSERT(reader.has_value(), "a reader opens");
  return reader->query_integer("SELECT count(*) FROM agents").value().value_or(-1);
}

}  // namespace mainstay::store
