#include "work/tables/work_queries.h"

#include <algorithm>
#include <unordered_set>
#include <utility>

#include "store/database/columns.h"

namespace mainstay::work {
namespace {

using platform::SqliteConnection;
using platform::SqliteStatement;
using store::Binder;
using store::ColumnReader;

// The order of the columns is that of read_record().
constexpr std::string_view kColumnsBeforeInput =
    "id, description, capability, phase, priority, deadline, start_after, timeout_ns, "
    "idle_timeout_ns, max_attempts, backoff_min_ns, backoff_max_ns, idempotency_key, "
    "request_sha256, labels, trace_parent, run, pipeline, stage, stage_index, created_at, state, "
    "epoch, attempts_used, agent, due_at, first_started_at, finished_at, error, ";
constexpr std::string_view kPayloads = "input, input_blob, output, output_blob";
constexpr std::string_view kNoPayloads = "NULL, input_blob, NULL, output_blob";

std::string select_work(bool payloads) {
  std::string sql = "SELECT ";
  sql += kColumnsBeforeInput;
  sql += payloads ? kPayloads : kNoPayloads;
  return sql + " FROM work_items ";
}

std::optional<model::StepRef> read_step(ColumnReader& reader) {
  if (reader.is_null()) return reader.skip(4), std::nullopt;
  model::StepRef step;
  step.run = reader.id<model::RunId>();
  step.pipeline = reader.text();
  step.stage = reader.text();
  step.index = reader.integer();
  return step;
}

WorkRecord read_record(ColumnReader& reader, const store::Blobs* blobs) {
  auto spec = std::make_shared<model::WorkSpec>();
  model::WorkStatus status;
  spec->id = reader.id<model::WorkId>();
  spec->description = reader.text();
  spec->capability = reader.text();
  spec->phase = reader.text();
  spec->priority = static_cast<int>(reader.integer());
  spec->deadline = reader.optional_wall();
  spec->start_after = reader.optional_wall();
  spec->timeout = reader.duration();
  spec->idle_timeout = reader.duration();
  spec->retry.max_attempts = static_cast<int>(reader.integer());
  spec->retry.backoff_min = reader.duration();
  spec->retry.backoff_max = reader.duration();
  spec->idempotency_key = reader.text();
  spec->request_sha256 = reader.text();
  spec->labels = reader.labels();
  spec->trace_parent = reader.text();
  spec->step = read_step(reader);
  spec->created_at = reader.wall();
  status.state = reader.enumerator<model::WorkState>();
  status.epoch = reader.integer();
  status.attempts_used = static_cast<int>(reader.integer());
  status.agent = reader.text();
  status.due_at = reader.optional_wall();
  status.first_started_at = reader.optional_wall();
  status.finished_at = reader.optional_wall();
  status.error = reader.error();
  spec->input = reader.payload(blobs);
  status.output = reader.payload(blobs);
  return {std::move(spec), std::move(status)};
}

constexpr const char* kSelectAttempts =
    "SELECT work, epoch, agent, incarnation, started_at, finished_at, outcome, error FROM "
    "attempts ";

model::AttemptRow read_attempt(ColumnReader& reader) {
  model::AttemptRow row;
  row.work = reader.id<model::WorkId>();
  row.epoch = reader.integer();
  row.agent = reader.text();
  row.incarnation = reader.integer();
  row.started_at = reader.wall();
  row.finished_at = reader.optional_wall();
  row.outcome = reader.text();
  row.error = reader.error();
  return row;
}

// States are written as literals, not bound: only then SQLite sees that a partial index serves.
std::string state_list(const std::vector<model::WorkState>& states) {
  std::string list;
  for (model::WorkState state : states) {
    list += list.empty() ? "'" : ",'";
    list.append(to_text(state)).append("'");
  }
  return list;
}

std::string where_of(const WorkFilter& filter) {
  std::vector<std::string> terms;
  if (filter.before) terms.push_back("id<?1");
  if (!filter.states.empty()) terms.push_back("state IN (" + state_list(filter.states) + ")");
  const bool only_open =
      !filter.states.empty() && std::none_of(filter.states.begin(), filter.states.end(),
                                             [](model::WorkState s) { return is_terminal(s); });
  if (only_open && !filter.run) terms.push_back("open=1");
  if (!filter.capability.empty()) terms.push_back("capability=?2");
  if (filter.run) terms.push_back("run=?3");
  if (!filter.stage.empty()) terms.push_back("stage=?4");
  std::string where;
  for (const std::string& term : terms) where += (where.empty() ? "WHERE " : " AND ") + term;
  return where;
}

void bind_filter(SqliteStatement& select, const std::string& sql, const WorkFilter& filter) {
  if (filter.before) select.bind_blob(1, filter.before->view());
  if (!filter.capability.empty()) select.bind_text(2, filter.capability);
  if (filter.run) select.bind_blob(3, filter.run->view());
  if (!filter.stage.empty()) select.bind_text(4, filter.stage);
  if (sql.find("?5") != std::string::npos) {
    select.bind(5, static_cast<std::int64_t>(filter.limit));
  }
}

/// Adds the running attempt of each item that has one.
Result<void> add_attempts(SqliteConnection& db, std::vector<model::RecoveredWork>& items) {
  Result<SqliteStatement> select =
      db.prepare(std::string(kSelectAttempts) + "WHERE work=?1 AND epoch=?2");
  if (!select) return std::move(select).error();
  for (model::RecoveredWork& item : items) {
    if (item.status.state != model::WorkState::running) continue;
    Binder(*select).id(item.spec->id).integer(item.status.epoch);
    Result<void> done = store::for_each_row(
        *select, [&item](ColumnReader& reader) { item.attempt = read_attempt(reader); });
    if (!done) return done;
  }
  return {};
}

Result<std::vector<model::RecoveredWork>> load_items(SqliteConnection& db, const std::string& tail,
                                                     const model::RunId* run,
                                                     const store::Blobs* blobs) {
  Result<SqliteStatement> select = db.prepare(select_work(true) + tail);
  if (!select) return std::move(select).error();
  if (run != nullptr) select->bind_blob(1, run->view());
  std::vector<model::RecoveredWork> items;
  Result<void> done = store::for_each_row(*select, [&](ColumnReader& reader) {
    WorkRecord record = read_record(reader, blobs);
    items.push_back({std::move(record.spec), std::move(record.status), std::nullopt});
  });
  if (done) done = add_attempts(db, items);
  if (!done) return std::move(done).error();
  return items;
}

}  // namespace

Result<std::vector<WorkRecord>> list_work(SqliteConnection& db, const WorkFilter& filter) {
  const std::string sql =
      select_work(filter.payloads) + where_of(filter) + " ORDER BY id DESC LIMIT ?5";
  Result<SqliteStatement> select = db.prepare(sql);
  if (!select) return std::move(select).error();
  bind_filter(*select, sql, filter);
  std::vector<WorkRecord> records;
  Result<void> done = store::for_each_row(*select, [&records](ColumnReader& reader) {
    records.push_back(read_record(reader, nullptr));
  });
  if (!done) return std::move(done).error();
  return records;
}

Result<WorkRecord> find_work(SqliteConnection& db, const model::WorkId& id,
                             const store::Blobs* blobs) {
  Result<SqliteStatement> select = db.prepare(select_work(true) + "WHERE id=?1");
  if (!select) return std::move(select).error();
  select->bind_blob(1, id.view());
  std::optional<WorkRecord> found;
  Result<void> done = store::for_each_row(
      *select, [&](ColumnReader& reader) { found = read_record(reader, blobs); });
  if (!done) return std::move(done).error();
  if (!found) return Error(Code::not_found, "there is no work item " + id.to_text());
  return *std::move(found);
}

Result<WorkEnds> WorkEnds::prepare(SqliteConnection& db) {
  std::vector<model::WorkState> ends;
  for (const std::string_view name : base::enum_names<model::WorkState>()) {
    const auto state = base::parse_enum<model::WorkState>(name);
    if (state && model::is_terminal(*state)) ends.push_back(*state);
  }
  Result<SqliteStatement> select =
      db.prepare(select_work(true) + "WHERE id=?1 AND state IN (" + state_list(ends) + ")");
  if (!select) return std::move(select).error();
  return WorkEnds(std::move(*select));
}

Result<std::optional<WorkRecord>> WorkEnds::find(const model::WorkId& id,
                                                 const store::Blobs* blobs) {
  select_.bind_blob(1, id.view());
  std::optional<WorkRecord> found;
  Result<void> done = store::for_each_row(
      select_, [&](ColumnReader& reader) { found = read_record(reader, blobs); });
  if (!done) return std::move(done).error();
  return found;
}

Result<std::optional<WorkRecord>> find_work_by_key(SqliteConnection& db,
                                                   const std::string& idempotency_key) {
  Result<SqliteStatement> select = db.prepare(select_work(false) + "WHERE idempotency_key=?1");
  if (!select) return std::move(select).error();
  select->bind_text(1, idempotency_key);
  std::optional<WorkRecord> found;
  Result<void> done = store::for_each_row(
      *select, [&found](ColumnReader& reader) { found = read_record(reader, nullptr); });
  if (!done) return std::move(done).error();
  return found;
}

Result<std::vector<std::optional<model::SubmitWork::Known>>> find_work_keys(
    SqliteConnection& db, const std::vector<std::string>& keys) {
  Result<SqliteStatement> select =
      db.prepare("SELECT id, request_sha256, state FROM work_items WHERE idempotency_key=?1");
  if (!select) return std::move(select).error();
  std::vector<std::optional<model::SubmitWork::Known>> known(keys.size());
  for (std::size_t at = 0; at < keys.size(); ++at) {
    select->bind_text(1, keys[at]);
    Result<void> done = store::for_each_row(*select, [&](ColumnReader& reader) {
      auto& found = known[at].emplace();
      found.id = reader.id<model::WorkId>();
      found.request_sha256 = reader.text();
      found.state = reader.enumerator<model::WorkState>();
    });
    if (!done) return std::move(done).error();
  }
  return known;
}

Result<std::vector<model::AttemptRow>> list_attempts(SqliteConnection& db,
                                                     const model::WorkId& work) {
  Result<SqliteStatement> select =
      db.prepare(std::string(kSelectAttempts) + "WHERE work=?1 ORDER BY epoch");
  if (!select) return std::move(select).error();
  select->bind_blob(1, work.view());
  std::vector<model::AttemptRow> rows;
  Result<void> done = store::for_each_row(
      *select, [&rows](ColumnReader& reader) { rows.push_back(read_attempt(reader)); });
  if (!done) return std::move(done).error();
  return rows;
}

Result<std::vector<model::UsageRow>> list_usage(SqliteConnection& db, const model::WorkId& work) {
  Result<SqliteStatement> select = db.prepare(
      "SELECT epoch, ordinal, provider, model, prompt_tokens, completion_tokens, cached_tokens, "
      "reasoning_tokens, llm_requests, api_calls FROM usage WHERE work=?1 ORDER BY epoch, ordinal");
  if (!select) return std::move(select).error();
  select->bind_blob(1, work.view());
  std::vector<model::UsageRow> rows;
  Result<void> done = store::for_each_row(*select, [&](ColumnReader& reader) {
    model::UsageRow row;
    row.work = work;
    row.epoch = reader.integer();
    row.ordinal = static_cast<int>(reader.integer());
    row.usage.provider = reader.text();
    row.usage.model = reader.text();
    reader.counts(row.usage);
    rows.push_back(std::move(row));
  });
  if (!done) return std::move(done).error();
  return rows;
}

Result<WaitingItems> waiting_items(SqliteConnection& db, const model::RunId& run) {
  Result<SqliteStatement> select = db.prepare(
      "SELECT min(id), max(state='running') FROM work_items WHERE run=?1 AND open=1 "
      "GROUP BY stage ORDER BY 1");
  if (!select) return std::move(select).error();
  select->bind_blob(1, run.view());
  WaitingItems found;
  std::vector<model::WorkId> oldest;
  Result<void> done = store::for_each_row(*select, [&](ColumnReader& reader) {
    const auto id = reader.id<model::WorkId>();
    if (reader.integer() != 0) {
      found.some_run = true;
    } else {
      oldest.push_back(id);
    }
  });
  if (!done) return std::move(done).error();
  for (const model::WorkId& id : oldest) {
    Result<WorkRecord> record = find_work(db, id, nullptr);
    if (!record) return std::move(record).error();
    found.oldest.push_back(*std::move(record));
  }
  return found;
}

Result<std::vector<model::RecoveredWork>> items_of_run(SqliteConnection& db,
                                                       const model::RunId& run,
                                                       const store::Blobs* blobs) {
  return load_items(db, "WHERE run=?1 ORDER BY stage, stage_index", &run, blobs);
}

Result<std::vector<model::RecoveredWork>> open_work(SqliteConnection& db,
                                                    const store::Blobs& blobs) {
  return load_items(db, "WHERE open=1 AND run IS NULL ORDER BY id", nullptr, &blobs);
}

Result<std::vector<model::RecoveredEnd>> recent_ends(SqliteConnection& db, std::size_t journal_rows,
                                                     std::size_t limit) {
  Result<SqliteStatement> newest = db.prepare(
      "SELECT subject FROM journal WHERE seq>(SELECT ifnull(max(seq),0) FROM journal)-?1 AND "
      "kind IN ('work.succeeded','work.failed','work.timed_out','work.cancelled') "
      "ORDER BY seq DESC");
  if (!newest) return std::move(newest).error();
  Result<SqliteStatement> select =
      db.prepare("SELECT epoch, state FROM work_items WHERE id=?1 AND open IS NULL");
  if (!select) return std::move(select).error();
  newest->bind(1, static_cast<std::int64_t>(journal_rows));
  std::unordered_set<model::WorkId> seen;
  std::vector<model::RecoveredEnd> ends;
  while (ends.size() < limit) {
    Result<bool> row = newest->step();
    if (!row) return std::move(row).error();
    if (!*row) break;
    std::optional<model::WorkId> id = model::WorkId::from_text(newest->text(0));
    if (!id || !seen.insert(*id).second) continue;
    select->bind_blob(1, id->view());
    Result<void> done = store::for_each_row(*select, [&](ColumnReader& reader) {
      model::RecoveredEnd end{*id, 0, model::WorkState::succeeded};
      end.epoch = reader.integer();
      end.state = reader.enumerator<model::WorkState>();
      ends.push_back(end);
    });
    if (!done) return std::move(done).error();
  }
  std::reverse(ends.begin(), ends.end());
  return ends;
}

}  // namespace mainstay::work
