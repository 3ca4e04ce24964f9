// Writes every kind of row change into the tables of its feature. Joins what the store must not
// know of: work, runs, fleet.
//
// Of several changes to one thing in one transaction only the last state is written: an item that
// is accepted and started in the same group costs one row. The result is the same, because each
// change carries the whole new state.
//
// Used by the store's writer, one thread at a time.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "fleet/fleet_store.h"
#include "model/row.h"
#include "store/row_writer.h"
#include "work/tables/run_store.h"
#include "work/tables/work_store.h"

namespace mainstay::engine {

class RowWriter : public store::RowWriter {
 public:
  explicit RowWriter(work::OnKeyConflict on_key_conflict = {})
      : on_key_conflict_(std::move(on_key_conflict)) {}

  std::vector<store::Migration> migrations() const override;
  Result<void> attach(platform::SqliteConnection& db, store::Blobs& blobs) override;
  void detach() override;
  Result<void> write(std::span<const model::Row* const> rows) override;

 private:
  struct AttemptKey {
    model::WorkId work;
    model::Epoch epoch;
    bool operator==(const AttemptKey&) const = default;
  };
  struct StepKey {
    model::RunId run;
    std::string_view stage;
    bool operator==(const StepKey&) const = default;
  };
  struct Hash {
    std::size_t operator()(const AttemptKey& key) const;
    std::size_t operator()(const StepKey& key) const;
  };
  struct Tables {
    work::WorkTables work;
    work::RunTables runs;
    fleet::AgentTable agents;
  };
  /// Where in the group an item or run was inserted, and its last status there.
  template <class Status>
  struct Span {
    std::optional<std::size_t> inserted;
    std::size_t last = 0;
    const Status* status = nullptr;
  };

  void find_last(std::span<const model::Row* const> rows);

  // One overload per kind of row; `at` is its place in the group.
  Result<void> write(std::size_t at, const model::WorkInserted& row);
  Result<void> write(std::size_t at, const model::WorkUpdated& row);
  Result<void> write(std::size_t at, const model::AttemptRow& row);
  Result<void> write(std::size_t at, const model::UsageRow& row);
  Result<void> write(std::size_t at, const model::RunInserted& row);
  Result<void> write(std::size_t at, const model::RunUpdated& row);
  Result<void> write(std::size_t at, const model::StepRow& row);
  Result<void> write(std::size_t at, const model::ArchiveRow& row);
  Result<void> write(std::size_t at, const model::AgentRow& row);
  Result<void> write(std::size_t at, const model::AgentRemoved& row);

  void see(std::size_t at, const model::WorkInserted& row);
  void see(std::size_t at, const model::WorkUpdated& row);
  void see(std::size_t at, const model::AttemptRow& row);
  void see(std::size_t, const model::UsageRow&) {}
  void see(std::size_t at, const model::RunInserted& row);
  void see(std::size_t at, const model::RunUpdated& row);
  void see(std::size_t at, const model::StepRow& row);
  void see(std::size_t, const model::ArchiveRow&) {}
  void see(std::size_t at, const model::AgentRow& row) { agents_[row.status.name] = at; }
  void see(std::size_t at, const model::AgentRemoved& row) { agents_[row.name] = at; }

  const work::OnKeyConflict on_key_conflict_;
  std::optional<Tables> tables_;

  // Of the group being written; looked up, never iterated. The views are of its rows.
  std::unordered_map<model::WorkId, Span<model::WorkStatus>> work_;
  std::unordered_map<model::RunId, Span<model::RunStatus>> runs_;
  std::unordered_map<AttemptKey, std::size_t, Hash> attempts_;
  std::unordered_map<StepKey, std::size_t, Hash> steps_;
  std::unordered_map<std::string_view, std::size_t> agents_;
};

}  // namespace mainstay::engine
