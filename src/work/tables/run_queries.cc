#include "work/tables/run_queries.h"

#include <algorithm>
#include <utility>

#include "store/database/columns.h"
#include "work/tables/pipeline_codec.h"
#include "work/tables/work_queries.h"

namespace mainstay::work {
namespace {

using platform::SqliteConnection;
using platform::SqliteStatement;
using store::ColumnReader;

std::string select_runs(bool payloads) {
  std::string sql =
      "SELECT id, spec, labels, idempotency_key, request_sha256, trace_parent, created_at, state, "
      "finished_at, error, ";
  sql +=
      payloads ? "input, input_blob, output, output_blob" : "NULL, input_blob, NULL, output_blob";
  return sql + " FROM runs ";
}

RunRecord read_run(ColumnReader& reader, const store::Blobs* blobs) {
  auto spec = std::make_shared<model::RunSpec>();
  RunRecord record;
  spec->id = reader.id<model::RunId>();
  Result<model::PipelineSpec> pipeline = pipeline_from_json(reader.text());
  if (!pipeline) reader.fail(pipeline.error().message());
  spec->pipeline = std::make_shared<const model::PipelineSpec>(pipeline ? std::move(*pipeline)
                                                                        : model::PipelineSpec{});
  spec->labels = reader.labels();
  spec->idempotency_key = reader.text();
  spec->request_sha256 = reader.text();
  spec->trace_parent = reader.text();
  spec->created_at = reader.wall();
  record.status.state = reader.enumerator<model::RunState>();
  record.status.finished_at = reader.optional_wall();
  record.status.error = reader.error();
  spec->input = reader.payload(blobs);
  record.status.output = reader.payload(blobs);
  record.spec = std::move(spec);
  return record;
}

model::StepStatus read_step(ColumnReader& reader) {
  model::StepStatus step;
  step.stage = reader.text();
  step.number = static_cast<int>(reader.integer());
  step.state = reader.enumerator<model::StepState>();
  step.items_total = reader.integer();
  step.items_done = reader.integer();
  step.items_failed = reader.integer();
  step.retries = reader.integer();
  step.started_at = reader.optional_wall();
  step.finished_at = reader.optional_wall();
  step.usage.provider = reader.text();
  step.usage.model = reader.text();
  reader.counts(step.usage);
  step.error = reader.error();
  return step;
}

void sort_as_in(const model::PipelineSpec& pipeline, std::vector<model::StepStatus>& steps) {
  const auto place = [&pipeline](const model::StepStatus& step) {
    return std::find_if(pipeline.stages.begin(), pipeline.stages.end(),
                        [&step](const model::StageSpec& s) { return s.name == step.stage; }) -
           pipeline.stages.begin();
  };
  std::stable_sort(steps.begin(), steps.end(),
                   [&place](const auto& a, const auto& b) { return place(a) < place(b); });
}

Result<void> add_steps(SqliteConnection& db, std::vector<RunRecord>& runs) {
  Result<SqliteStatement> select = db.prepare(
      "SELECT stage, number, state, items_total, items_done, items_failed, retries, started_at, "
      "finished_at, provider, model, prompt_tokens, completion_tokens, cached_tokens, "
      "reasoning_tokens, llm_requests, api_calls, error FROM steps WHERE run=?1");
  if (!select) return std::move(select).error();
  for (RunRecord& run : runs) {
    select->bind_blob(1, run.spec->id.view());
    Result<void> done = store::for_each_row(
        *select, [&run](ColumnReader& reader) { run.steps.push_back(read_step(reader)); });
    if (!done) return done;
    sort_as_in(*run.spec->pipeline, run.steps);
  }
  return {};
}

Result<std::vector<RunRecord>> load_runs(SqliteConnection& db, SqliteStatement& select,
                                         const store::Blobs* blobs) {
  std::vector<RunRecord> runs;
  Result<void> done = store::for_each_row(
      select, [&](ColumnReader& reader) { runs.push_back(read_run(reader, blobs)); });
  if (done) done = add_steps(db, runs);
  if (!done) return std::move(done).error();
  return runs;
}

std::string where_of(const RunFilter& filter) {
  std::string where;
  const auto add = [&where](const std::string& term) {
    where += (where.empty() ? "WHERE " : " AND ") + term;
  };
  if (filter.before) add("id<?1");
  if (!filter.pipeline.empty()) add("pipeline=?2");
  std::string states;
  for (model::RunState state : filter.states) {
    states += states.empty() ? "'" : ",'";
    states.append(to_text(state)).append("'");
  }
  if (!states.empty()) add("state IN (" + states + ")");
  return where;
}

/// sum() of SQLite fails when it overflows, and with it all that is told of the run: a row from
/// before such numbers were refused on entry counts for no more than they would now.
std::string clamped_sum(const std::string& column) {
  return "sum(max(0, min(u." + column + ", 1000000000000))), ";
}

}  // namespace

Result<std::vector<RunRecord>> list_runs(SqliteConnection& db, const RunFilter& filter) {
  Result<SqliteStatement> select =
      db.prepare(select_runs(false) + where_of(filter) + " ORDER BY id DESC LIMIT ?3");
  if (!select) return std::move(select).error();
  if (filter.before) select->bind_blob(1, filter.before->view());
  if (!filter.pipeline.empty()) select->bind_text(2, filter.pipeline);
  select->bind(3, static_cast<std::int64_t>(filter.limit));
  return load_runs(db, *select, nullptr);
}

Result<RunRecord> find_run(SqliteConnection& db, const model::RunId& id,
                           const store::Blobs* blobs) {
  Result<SqliteStatement> select = db.prepare(select_runs(true) + "WHERE id=?1");
  if (!select) return std::move(select).error();
  select->bind_blob(1, id.view());
  Result<std::vector<RunRecord>> runs = load_runs(db, *select, blobs);
  if (!runs) return std::move(runs).error();
  if (runs->empty()) return Error(Code::not_found, "there is no run " + id.to_text());
  return std::move(runs->front());
}

Result<std::optional<RunRecord>> find_run_by_key(SqliteConnection& db,
                                                 const std::string& idempotency_key) {
  Result<SqliteStatement> select = db.prepare(select_runs(false) + "WHERE idempotency_key=?1");
  if (!select) return std::move(select).error();
  select->bind_text(1, idempotency_key);
  Result<std::vector<RunRecord>> runs = load_runs(db, *select, nullptr);
  if (!runs) return std::move(runs).error();
  if (runs->empty()) return std::optional<RunRecord>();
  return std::optional<RunRecord>(std::move(runs->front()));
}

Result<std::optional<model::ArchiveRow>> find_archive(SqliteConnection& db,
                                                      const model::RunId& id) {
  Result<SqliteStatement> select = db.prepare(
      "SELECT run, path, size_bytes, sha256, archived_at FROM run_archives WHERE run=?1");
  if (!select) return std::move(select).error();
  select->bind_blob(1, id.view());
  std::optional<model::ArchiveRow> found;
  Result<void> done = store::for_each_row(*select, [&found](ColumnReader& reader) {
    model::ArchiveRow& row = found.emplace();
    row.run = reader.id<model::RunId>();
    row.path = reader.text();
    row.size_bytes = reader.integer();
    row.sha256 = reader.text();
    row.archived_at = reader.wall();
  });
  if (!done) return std::move(done).error();
  return found;
}

Result<std::vector<model::RunId>> unarchived_runs(SqliteConnection& db, std::size_t limit) {
  // Of the tables' rows, which hold inputs and outputs, none is read.
  Result<SqliteStatement> select = db.prepare(
      "SELECT id FROM runs WHERE NOT EXISTS(SELECT 1 FROM run_archives WHERE run=runs.id) "
      "AND id NOT IN (SELECT id FROM runs WHERE open=1) ORDER BY id DESC LIMIT ?1");
  if (!select) return std::move(select).error();
  select->bind(1, static_cast<std::int64_t>(limit));
  std::vector<model::RunId> ids;
  Result<void> done = store::for_each_row(
      *select, [&ids](ColumnReader& reader) { ids.push_back(reader.id<model::RunId>()); });
  if (!done) return std::move(done).error();
  return ids;
}

Result<std::vector<UsageTotal>> usage_of_run(SqliteConnection& db, const model::RunId& id) {
  Result<SqliteStatement> select = db.prepare(
      "SELECT w.stage, u.provider, u.model, " + clamped_sum("prompt_tokens") +
      clamped_sum("completion_tokens") + clamped_sum("cached_tokens") +
      clamped_sum("reasoning_tokens") + clamped_sum("llm_requests") + clamped_sum("api_calls") +
      "count(DISTINCT hex(u.work) || u.epoch) "
      "FROM work_items w JOIN usage u ON u.work=w.id WHERE w.run=?1 GROUP BY 1, 2, 3 "
      "ORDER BY 1, 2, 3");
  if (!select) return std::move(select).error();
  select->bind_blob(1, id.view());
  std::vector<UsageTotal> totals;
  Result<void> done = store::for_each_row(*select, [&totals](ColumnReader& reader) {
    UsageTotal& total = totals.emplace_back();
    total.stage = reader.text();
    total.usage.provider = reader.text();
    total.usage.model = reader.text();
    reader.counts(total.usage);
    total.attempts = reader.integer();
  });
  if (!done) return std::move(done).error();
  return totals;
}

Result<std::vector<model::RecoveredRun>> open_runs(SqliteConnection& db,
                                                   const store::Blobs& blobs) {
  Result<SqliteStatement> select = db.prepare(select_runs(true) + "WHERE open=1 ORDER BY id");
  if (!select) return std::move(select).error();
  Result<std::vector<RunRecord>> records = load_runs(db, *select, &blobs);
  if (!records) return std::move(records).error();
  std::vector<model::RecoveredRun> runs;
  for (RunRecord& record : *records) {
    Result<std::vector<model::RecoveredWork>> items = items_of_run(db, record.spec->id, &blobs);
    if (!items) return std::move(items).error();
    runs.push_back({std::move(record.spec), std::move(record.status), std::move(record.steps),
                    std::move(*items)});
  }
  return runs;
}

}  // namespace mainstay::work
