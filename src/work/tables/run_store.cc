#include "work/tables/run_store.h"

#include <string>
#include <utility>

#include "store/database/columns.h"
#include "work/tables/pipeline_codec.h"

namespace mainstay::work {
namespace {

using platform::SqliteStatement;
using store::Binder;

constexpr const char* kInsert = R"(
  INSERT INTO runs(
    id, pipeline, version, spec, input, input_blob, labels, idempotency_key, request_sha256,
    trace_parent, created_at, open, state, finished_at, error, output, output_blob)
  VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14,?15,?16,?17)
  ON CONFLICT(id) DO UPDATE SET
    open=excluded.open, state=excluded.state, finished_at=excluded.finished_at,
    error=excluded.error, output=excluded.output, output_blob=excluded.output_blob)";

constexpr const char* kUpdate =
    "UPDATE runs SET open=?2, state=?3, finished_at=?4, error=?5, output=?6, output_blob=?7 "
    "WHERE id=?1";

constexpr const char* kStep = R"(
  INSERT OR REPLACE INTO steps(
    run, stage, number, state, items_total, items_done, items_failed, retries, started_at,
    finished_at, provider, model, prompt_tokens, completion_tokens, cached_tokens,
    reasoning_tokens, llm_requests, api_calls, error)
  VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14,?15,?16,?17,?18,?19))";

constexpr const char* kArchive =
    "INSERT OR REPLACE INTO run_archives(run, path, size_bytes, sha256, archived_at) "
    "VALUES(?1,?2,?3,?4,?5)";

Result<void> bind_status(Binder& binder, const model::RunStatus& status, store::Blobs& blobs) {
  if (is_terminal(status.state))
    binder.null();
  else
    binder.integer(1);
  binder.text(to_text(status.state)).wall(status.finished_at).error(status.error);
  return binder.payload(status.output, blobs);
}

}  // namespace

store::Migration run_migration() {
  return {"runs", R"(
    CREATE TABLE runs(
      id BLOB PRIMARY KEY NOT NULL,       -- UUIDv7
      pipeline TEXT NOT NULL,
      version INTEGER NOT NULL,
      spec TEXT NOT NULL,                 -- the pipeline as it was then, JSON
      input TEXT, input_blob TEXT,        -- JSON, or the name of its blob
      labels TEXT,                        -- JSON object
      idempotency_key TEXT,
      request_sha256 TEXT,
      trace_parent TEXT,
      created_at INTEGER NOT NULL,        -- all times: microseconds since 1970, UTC
      open INTEGER,                       -- 1 until it has ended, then NULL
      state TEXT NOT NULL,
      finished_at INTEGER,
      error TEXT,                         -- JSON: kind, code, message, permanent, context
      output TEXT, output_blob TEXT
    ) STRICT;
    CREATE INDEX run_open ON runs(open) WHERE open=1;
    CREATE UNIQUE INDEX run_key ON runs(idempotency_key) WHERE idempotency_key IS NOT NULL;

    CREATE TABLE steps(
      run BLOB NOT NULL,
      stage TEXT NOT NULL,
      number INTEGER NOT NULL,            -- order of first start, from 1; 0: not started
      state TEXT NOT NULL,
      items_total INTEGER NOT NULL,
      items_done INTEGER NOT NULL,
      items_failed INTEGER NOT NULL,
      retries INTEGER NOT NULL,
      started_at INTEGER,
      finished_at INTEGER,
      provider TEXT, model TEXT,
      prompt_tokens INTEGER NOT NULL,
      completion_tokens INTEGER NOT NULL,
      cached_tokens INTEGER NOT NULL,
      reasoning_tokens INTEGER NOT NULL,
      llm_requests INTEGER NOT NULL,
      api_calls INTEGER NOT NULL,
      error TEXT,
      PRIMARY KEY(run, stage)
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE run_archives(
      run BLOB PRIMARY KEY NOT NULL,
      path TEXT NOT NULL,                 -- under the project folder
      size_bytes INTEGER NOT NULL,
      sha256 TEXT NOT NULL,
      archived_at INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;)"};
}

Result<RunTables> RunTables::prepare(platform::SqliteConnection& db, store::Blobs& blobs,
                                     OnKeyConflict on_key_conflict) {
  RunTables tables;
  tables.db_ = &db;
  tables.blobs_ = &blobs;
  tables.on_key_conflict_ = std::move(on_key_conflict);
  const std::pair<SqliteStatement*, const char*> statements[] = {
      {&tables.insert_, kInsert},
      {&tables.update_, kUpdate},
      {&tables.step_, kStep},
      {&tables.archive_, kArchive},
  };
  for (const auto& [statement, sql] : statements) {
    Result<SqliteStatement> prepared = db.prepare(sql);
    if (!prepared) return std::move(prepared).error();
    *statement = std::move(*prepared);
  }
  return tables;
}

Result<void> RunTables::insert(const model::RunSpec& spec, const model::RunStatus& status) {
  Result<void> done = run_insert(spec, status, spec.idempotency_key);
  // As for work items: the older run keeps the key.
  if (done || !platform::is_unique_violation(done.error())) return done;
  tell_key_conflict(on_key_conflict_, "run " + spec.id.to_text(), spec.idempotency_key);
  return run_insert(spec, status, {});
}

Result<void> RunTables::run_insert(const model::RunSpec& spec, const model::RunStatus& status,
                                   std::string_view key) {
  const std::string pipeline = pipeline_to_json(*spec.pipeline);
  Binder binder(insert_);
  binder.id(spec.id).text(spec.pipeline->name).integer(spec.pipeline->version).text(pipeline);
  Result<void> done = binder.payload(spec.input, *blobs_);
  if (!done) return done;
  binder.labels(spec.labels)
      .optional_text(key)
      .optional_text(spec.request_sha256)
      .optional_text(spec.trace_parent)
      .wall(spec.created_at);
  done = bind_status(binder, status, *blobs_);
  if (!done) return done;
  return insert_.run();
}

Result<void> RunTables::update(const model::RunId& id, const model::RunStatus& status) {
  Binder binder(update_);
  binder.id(id);
  Result<void> done = bind_status(binder, status, *blobs_);
  if (done) done = update_.run();
  if (done && db_->changes() != 1) {
    return Error(Code::internal, "status of an unknown run " + id.to_text());
  }
  return done;
}

Result<void> RunTables::put(const model::StepRow& row) {
  const model::StepStatus& step = row.status;
  Binder binder(step_);
  binder.id(row.run)
      .text(step.stage)
      .integer(step.number)
      .text(to_text(step.state))
      .integer(step.items_total)
      .integer(step.items_done)
      .integer(step.items_failed)
      .integer(step.retries)
      .wall(step.started_at)
      .wall(step.finished_at)
      .optional_text(step.usage.provider)
      .optional_text(step.usage.model)
      .counts(step.usage)
      .error(step.error);
  return step_.run();
}

Result<void> RunTables::put(const model::ArchiveRow& row) {
  Binder binder(archive_);
  binder.id(row.run).text(row.path).integer(row.size_bytes).text(row.sha256).wall(row.archived_at);
  return archive_.run();
}

}  // namespace mainstay::work
