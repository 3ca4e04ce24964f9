#include "work/tables/work_store.h"

#include <utility>

#include "store/database/columns.h"

namespace mainstay::work {
namespace {

using platform::SqliteStatement;
using store::Binder;

// What bind_status() binds, after the columns before it. `open` is 1 or NULL and is left alone by
// the updates of an open item, so that its index is written twice in an item's life, not at every
// change of state.
constexpr const char* kInsert = R"(
  INSERT INTO work_items(
    id, description, capability, phase, priority, deadline, start_after, timeout_ns,
    idle_timeout_ns, max_attempts, backoff_min_ns, backoff_max_ns, idempotency_key, request_sha256,
    input, input_blob, labels, trace_parent, run, pipeline, stage, stage_index, created_at, open,
    state, epoch, attempts_used, agent, due_at, first_started_at, finished_at, output, output_blob,
    error)
  VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14,?15,?16,?17,?18,?19,?20,?21,?22,?23,?24,
         ?25,?26,?27,?28,?29,?30,?31,?32,?33,?34)
  ON CONFLICT(id) DO UPDATE SET
    open=excluded.open, state=excluded.state, epoch=excluded.epoch,
    attempts_used=excluded.attempts_used, agent=excluded.agent, due_at=excluded.due_at,
    first_started_at=excluded.first_started_at, finished_at=excluded.finished_at,
    output=excluded.output, output_blob=excluded.output_blob, error=excluded.error)";

#define MS_STATUS_COLUMNS                                                            \
  "state=?2, epoch=?3, attempts_used=?4, agent=?5, due_at=?6, first_started_at=?7, " \
  "finished_at=?8, output=?9, output_blob=?10, error=?11 WHERE id=?1"
constexpr const char* kUpdateOpen = "UPDATE work_items SET " MS_STATUS_COLUMNS " AND open=1";
constexpr const char* kUpdateEnded = "UPDATE work_items SET open=NULL, " MS_STATUS_COLUMNS;
#undef MS_STATUS_COLUMNS

constexpr const char* kAttempt = R"(
  INSERT INTO attempts(work, epoch, agent, incarnation, started_at, finished_at, outcome, error)
  VALUES(?1,?2,?3,?4,?5,?6,?7,?8)
  ON CONFLICT(work, epoch) DO UPDATE SET
    agent=excluded.agent, incarnation=excluded.incarnation, started_at=excluded.started_at,
    finished_at=excluded.finished_at, outcome=excluded.outcome, error=excluded.error)";

constexpr const char* kUsage = R"(
  INSERT OR REPLACE INTO usage(
    work, epoch, ordinal, provider, model, prompt_tokens, completion_tokens, cached_tokens,
    reasoning_tokens, llm_requests, api_calls)
  VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11))";

Result<void> bind_status(Binder& binder, const model::WorkStatus& status, store::Blobs& blobs) {
  binder.text(to_text(status.state))
      .integer(status.epoch)
      .integer(status.attempts_used)
      .optional_text(status.agent)
      .wall(status.due_at)
      .wall(status.first_started_at)
      .wall(status.finished_at);
  Result<void> done = binder.payload(status.output, blobs);
  if (done) binder.error(status.error);
  return done;
}

void bind_step(Binder& binder, const std::optional<model::StepRef>& step) {
  if (!step) {
    binder.null().null().null().null();
    return;
  }
  binder.id(step->run).text(step->pipeline).text(step->stage).integer(step->index);
}

}  // namespace

store::Migration work_migration() {
  return {"work", R"(
    CREATE TABLE work_items(
      id BLOB PRIMARY KEY NOT NULL,       -- UUIDv7, so that ids sort by the time of acceptance
      description TEXT NOT NULL,
      capability TEXT NOT NULL,
      phase TEXT,
      priority INTEGER NOT NULL,
      deadline INTEGER,                   -- all times: microseconds since 1970, UTC
      start_after INTEGER,
      timeout_ns INTEGER NOT NULL,
      idle_timeout_ns INTEGER NOT NULL,
      max_attempts INTEGER NOT NULL,
      backoff_min_ns INTEGER NOT NULL,
      backoff_max_ns INTEGER NOT NULL,
      idempotency_key TEXT,
      request_sha256 TEXT,
      input TEXT, input_blob TEXT,        -- JSON, or the name of its blob
      labels TEXT,                        -- JSON object
      trace_parent TEXT,
      run BLOB, pipeline TEXT, stage TEXT, stage_index INTEGER,
      created_at INTEGER NOT NULL,
      open INTEGER,                       -- 1 until it has ended, then NULL
      state TEXT NOT NULL,
      epoch INTEGER NOT NULL,
      attempts_used INTEGER NOT NULL,
      agent TEXT,
      due_at INTEGER,
      first_started_at INTEGER,
      finished_at INTEGER,
      output TEXT, output_blob TEXT,
      error TEXT                          -- JSON: kind, code, message, permanent, context
    ) STRICT;
    CREATE INDEX work_open ON work_items(open) WHERE open=1;
    CREATE INDEX work_of_run ON work_items(run, stage, stage_index) WHERE run IS NOT NULL;
    CREATE INDEX work_open_of_run ON work_items(run, stage) WHERE open=1 AND run IS NOT NULL;
    CREATE INDEX work_trouble ON work_items(state, id)
      WHERE state IN ('failed', 'timed_out', 'cancelled');
    CREATE UNIQUE INDEX work_key ON work_items(idempotency_key)
      WHERE idempotency_key IS NOT NULL;

    CREATE TABLE attempts(
      work BLOB NOT NULL,
      epoch INTEGER NOT NULL,
      agent TEXT NOT NULL,
      incarnation INTEGER NOT NULL,
      started_at INTEGER NOT NULL,
      finished_at INTEGER,
      outcome TEXT,                       -- NULL while it runs; then succeeded or a failure kind
      error TEXT,
      PRIMARY KEY(work, epoch)
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE usage(
      work BLOB NOT NULL,
      epoch INTEGER NOT NULL,
      ordinal INTEGER NOT NULL,
      provider TEXT NOT NULL,
      model TEXT NOT NULL,
      prompt_tokens INTEGER NOT NULL,
      completion_tokens INTEGER NOT NULL,
      cached_tokens INTEGER NOT NULL,
      reasoning_tokens INTEGER NOT NULL,
      llm_requests INTEGER NOT NULL,
      api_calls INTEGER NOT NULL,
      PRIMARY KEY(work, epoch, ordinal)
    ) STRICT, WITHOUT ROWID;)"};
}

Result<WorkTables> WorkTables::prepare(platform::SqliteConnection& db, store::Blobs& blobs,
                                       OnKeyConflict on_key_conflict) {
  WorkTables tables;
  tables.db_ = &db;
  tables.blobs_ = &blobs;
  tables.on_key_conflict_ = std::move(on_key_conflict);
  const std::pair<SqliteStatement*, const char*> statements[] = {
      {&tables.insert_, kInsert},
      {&tables.update_open_, kUpdateOpen},
      {&tables.update_ended_, kUpdateEnded},
      {&tables.attempt_, kAttempt},
      {&tables.usage_, kUsage},
  };
  for (const auto& [statement, sql] : statements) {
    Result<SqliteStatement> prepared = db.prepare(sql);
    if (!prepared) return std::move(prepared).error();
    *statement = std::move(*prepared);
  }
  return tables;
}

Result<void> WorkTables::insert(const model::WorkSpec& spec, const model::WorkStatus& status) {
  Result<void> done = run_insert(spec, status, spec.idempotency_key);
  if (done || !platform::is_unique_violation(done.error())) return done;
  // The control loop, the API and the link look for known keys before; the row of an item that was
  // accepted all the same must not be lost for its key. The older item keeps it.
  tell_key_conflict(on_key_conflict_, "work item " + spec.id.to_text(), spec.idempotency_key);
  return run_insert(spec, status, {});
}

Result<void> WorkTables::run_insert(const model::WorkSpec& spec, const model::WorkStatus& status,
                                    std::string_view key) {
  Binder binder(insert_);
  binder.id(spec.id)
      .text(spec.description)
      .text(spec.capability)
      .optional_text(spec.phase)
      .integer(spec.priority)
      .wall(spec.deadline)
      .wall(spec.start_after)
      .duration(spec.timeout)
      .duration(spec.idle_timeout)
      .integer(spec.retry.max_attempts)
      .duration(spec.retry.backoff_min)
      .duration(spec.retry.backoff_max)
      .optional_text(key)
      .optional_text(spec.request_sha256);
  Result<void> done = binder.payload(spec.input, *blobs_);
  if (!done) return done;
  binder.labels(spec.labels).optional_text(spec.trace_parent);
  bind_step(binder, spec.step);
  binder.wall(spec.created_at);
  if (is_terminal(status.state))
    binder.null();
  else
    binder.integer(1);
  done = bind_status(binder, status, *blobs_);
  if (!done) return done;
  return insert_.run();
}

Result<void> WorkTables::update(const model::WorkId& id, const model::WorkStatus& status) {
  SqliteStatement& statement = is_terminal(status.state) ? update_ended_ : update_open_;
  Binder binder(statement);
  binder.id(id);
  Result<void> done = bind_status(binder, status, *blobs_);
  if (done) done = statement.run();
  if (done && db_->changes() != 1) {
    // An item that has ended stays ended: opened again, it would not be found after a restart.
    return Error(Code::internal, "status of a work item that is unknown or has ended: " +
                                     id.to_text() + " to " + std::string(to_text(status.state)));
  }
  return done;
}

Result<void> WorkTables::put(const model::AttemptRow& row) {
  Binder binder(attempt_);
  binder.id(row.work)
      .integer(row.epoch)
      .text(row.agent)
      .integer(row.incarnation)
      .wall(row.started_at)
      .wall(row.finished_at)
      .optional_text(row.outcome)
      .error(row.error);
  return attempt_.run();
}

Result<void> WorkTables::put(const model::UsageRow& row) {
  Binder binder(usage_);
  binder.id(row.work)
      .integer(row.epoch)
      .integer(row.ordinal)
      .text(row.usage.provider)
      .text(row.usage.model)
      .counts(row.usage);
  return usage_.run();
}

}  // namespace mainstay::work
