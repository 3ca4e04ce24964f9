#include "engine/row_writer.h"

#include <functional>
#include <variant>

namespace mainstay::engine {

std::size_t RowWriter::Hash::operator()(const AttemptKey& key) const {
  return std::hash<model::WorkId>()(key.work) ^ static_cast<std::size_t>(key.epoch);
}
std::size_t RowWriter::Hash::operator()(const StepKey& key) const {
  return std::hash<model::RunId>()(key.run) ^ std::hash<std::string_view>()(key.stage);
}

std::vector<store::Migration> RowWriter::migrations() const {
  return {fleet::agents_migration(), work::work_migration(), work::run_migration()};
}

Result<void> RowWriter::attach(platform::SqliteConnection& db, store::Blobs& blobs) {
  Result<work::WorkTables> work = work::WorkTables::prepare(db, blobs, on_key_conflict_);
  if (!work) return std::move(work).error();
  Result<work::RunTables> runs = work::RunTables::prepare(db, blobs, on_key_conflict_);
  if (!runs) return std::move(runs).error();
  Result<fleet::AgentTable> agents = fleet::AgentTable::prepare(db);
  if (!agents) return std::move(agents).error();
  tables_.emplace(Tables{std::move(*work), std::move(*runs), std::move(*agents)});
  return {};
}

void RowWriter::detach() { tables_.reset(); }

Result<void> RowWriter::write(std::span<const model::Row* const> rows) {
  find_last(rows);
  for (std::size_t at = 0; at < rows.size(); ++at) {
    Result<void> done = std::visit([&](const auto& row) { return write(at, row); }, *rows[at]);
    if (!done) return done;
  }
  return {};
}

// ---- which change of each thing is its last ---------------------------------------------------

void RowWriter::find_last(std::span<const model::Row* const> rows) {
  work_.clear();
  runs_.clear();
  attempts_.clear();
  steps_.clear();
  agents_.clear();
  for (std::size_t at = 0; at < rows.size(); ++at) {
    std::visit([&](const auto& row) { see(at, row); }, *rows[at]);
  }
}

void RowWriter::see(std::size_t at, const model::WorkInserted& row) {
  work_[row.spec->id] = {at, at, &row.status};
}
void RowWriter::see(std::size_t at, const model::WorkUpdated& row) {
  auto& span = work_[row.id];
  span.last = at;
  span.status = &row.status;
}
void RowWriter::see(std::size_t at, const model::AttemptRow& row) {
  attempts_[{row.work, row.epoch}] = at;
}
void RowWriter::see(std::size_t at, const model::RunInserted& row) {
  runs_[row.spec->id] = {at, at, &row.status};
}
void RowWriter::see(std::size_t at, const model::RunUpdated& row) {
  auto& span = runs_[row.id];
  span.last = at;
  span.status = &row.status;
}
void RowWriter::see(std::size_t at, const model::StepRow& row) {
  steps_[{row.run, row.status.stage}] = at;
}

// ---- writing ----------------------------------------------------------------------------------

Result<void> RowWriter::write(std::size_t, const model::WorkInserted& row) {
  return tables_->work.insert(*row.spec, *work_[row.spec->id].status);
}
Result<void> RowWriter::write(std::size_t at, const model::WorkUpdated& row) {
  const auto& span = work_[row.id];
  if (span.inserted || span.last != at) return {};
  return tables_->work.update(row.id, row.status);
}
Result<void> RowWriter::write(std::size_t at, const model::AttemptRow& row) {
  if (attempts_[{row.work, row.epoch}] != at) return {};
  return tables_->work.put(row);
}
Result<void> RowWriter::write(std::size_t, const model::UsageRow& row) {
  return tables_->work.put(row);
}
Result<void> RowWriter::write(std::size_t, const model::RunInserted& row) {
  return tables_->runs.insert(*row.spec, *runs_[row.spec->id].status);
}
Result<void> RowWriter::write(std::size_t at, const model::RunUpdated& row) {
  const auto& span = runs_[row.id];
  if (span.inserted || span.last != at) return {};
  return tables_->runs.update(row.id, row.status);
}
Result<void> RowWriter::write(std::size_t at, const model::StepRow& row) {
  if (steps_[{row.run, row.status.stage}] != at) return {};
  return tables_->runs.put(row);
}
Result<void> RowWriter::write(std::size_t, const model::ArchiveRow& row) {
  return tables_->runs.put(row);
}
Result<void> RowWriter::write(std::size_t at, const model::AgentRow& row) {
  if (agents_[row.status.name] != at) return {};
  return tables_->agents.put(row.status);
}
Result<void> RowWriter::write(std::size_t at, const model::AgentRemoved& row) {
  if (agents_[row.name] != at) return {};
  return tables_->agents.remove(row.name);
}

}  // namespace mainstay::engine
