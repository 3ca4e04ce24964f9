#include "fleet/fleet_store.h"

#include <utility>

#include "store/database/columns.h"

namespace mainstay::fleet {
namespace {

using store::Binder;
using store::ColumnReader;

// The order of the columns is that of bind() and read() below.
constexpr const char* kColumns =
    "name, spec, kind, state, reason, incarnation, pid, start_ticks, boot_id, token_sha256, "
    "spec_digest, capabilities, labels, endpoint, slots, sdk, restarts, error_count, last_error, "
    "last_error_at, started_at, last_exit_at, exit_code, exit_signal, exit_core, exit_oom, "
    "lease_until";

void bind_process(Binder& binder, const std::optional<model::ProcessIdentity>& process) {
  if (!process) {
    binder.null().null().null();
    return;
  }
  binder.integer(process->pid)
      .integer(static_cast<std::int64_t>(process->start_ticks))
      .text(process->boot_id);
}

std::optional<std::int64_t> widened(const std::optional<int>& value) {
  if (!value) return std::nullopt;
  return *value;
}

std::optional<int> narrowed(const std::optional<std::int64_t>& value) {
  if (!value) return std::nullopt;
  return static_cast<int>(*value);
}

void bind_exit(Binder& binder, const std::optional<model::ExitStatus>& exit) {
  if (!exit) {
    binder.null().null().null().null();
    return;
  }
  binder.integer(widened(exit->code))
      .integer(widened(exit->signal))
      .integer(exit->core_dumped ? 1 : 0)
      .integer(exit->out_of_memory ? 1 : 0);
}

std::optional<model::ProcessIdentity> read_process(ColumnReader& reader) {
  if (reader.is_null()) return reader.skip(3), std::nullopt;
  model::ProcessIdentity process;
  process.pid = static_cast<std::int32_t>(reader.integer());
  process.start_ticks = static_cast<std::uint64_t>(reader.integer());
  process.boot_id = reader.text();
  return process;
}

std::optional<model::ExitStatus> read_exit(ColumnReader& reader) {
  model::ExitStatus exit;
  exit.code = narrowed(reader.optional_integer());
  exit.signal = narrowed(reader.optional_integer());
  std::optional<std::int64_t> core = reader.optional_integer();
  exit.core_dumped = core.value_or(0) != 0;
  exit.out_of_memory = reader.optional_integer().value_or(0) != 0;
  if (!core) return std::nullopt;
  return exit;
}

model::AgentStatus read_agent(ColumnReader& reader) {
  model::AgentStatus agent;
  agent.name = reader.text();
  agent.spec = reader.text();
  agent.kind = reader.enumerator<model::AgentKind>();
  agent.state = reader.enumerator<model::AgentState>();
  agent.reason = reader.text();
  agent.incarnation = reader.integer();
  agent.process = read_process(reader);
  agent.token_sha256 = reader.text();
  agent.spec_digest = reader.text();
  agent.capabilities = reader.list();
  agent.labels = reader.labels();
  agent.endpoint = reader.text();
  agent.slots = static_cast<int>(reader.integer());
  agent.sdk = reader.text();
  agent.restarts = reader.integer();
  agent.error_count = reader.integer();
  agent.last_error = reader.text();
  agent.last_error_at = reader.optional_wall();
  agent.started_at = reader.optional_wall();
  agent.last_exit_at = reader.optional_wall();
  agent.last_exit = read_exit(reader);
  agent.lease_until = reader.optional_wall();
  return agent;
}

}  // namespace

store::Migration agents_migration() {
  return {"agents", R"(
    CREATE TABLE agents(
      name TEXT PRIMARY KEY,
      spec TEXT,
      kind TEXT NOT NULL,
      state TEXT NOT NULL,
      reason TEXT,
      incarnation INTEGER NOT NULL,
      pid INTEGER, start_ticks INTEGER, boot_id TEXT,
      token_sha256 TEXT,
      spec_digest TEXT,
      capabilities TEXT,          -- JSON array
      labels TEXT,                -- JSON object
      endpoint TEXT,
      slots INTEGER NOT NULL,
      sdk TEXT,
      restarts INTEGER NOT NULL,
      error_count INTEGER NOT NULL,
      last_error TEXT, last_error_at INTEGER,
      started_at INTEGER,         -- all times: microseconds since 1970, UTC
      last_exit_at INTEGER, exit_code INTEGER, exit_signal INTEGER,
      exit_core INTEGER, exit_oom INTEGER,
      lease_until INTEGER
    ) STRICT, WITHOUT ROWID;)"};
}

Result<AgentTable> AgentTable::prepare(platform::SqliteConnection& db) {
  AgentTable table;
  Result<platform::SqliteStatement> put =
      db.prepare("INSERT OR REPLACE INTO agents(" + std::string(kColumns) +
                 ") VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14,?15,?16,?17,?18,?19,?20,"
                 "?21,?22,?23,?24,?25,?26,?27)");
  if (!put) return std::move(put).error();
  Result<platform::SqliteStatement> remove = db.prepare("DELETE FROM agents WHERE name=?1");
  if (!remove) return std::move(remove).error();
  table.put_ = std::move(*put);
  table.remove_ = std::move(*remove);
  return table;
}

Result<void> AgentTable::put(const model::AgentStatus& status) {
  Binder binder(put_);
  binder.text(status.name)
      .optional_text(status.spec)
      .text(to_text(status.kind))
      .text(to_text(status.state))
      .optional_text(status.reason)
      .integer(status.incarnation);
  bind_process(binder, status.process);
  binder.optional_text(status.token_sha256)
      .optional_text(status.spec_digest)
      .list(status.capabilities)
      .labels(status.labels)
      .optional_text(status.endpoint)
      .integer(status.slots)
      .optional_text(status.sdk)
      .integer(status.restarts)
      .integer(status.error_count)
      .optional_text(status.last_error)
      .wall(status.last_error_at)
      .wall(status.started_at)
      .wall(status.last_exit_at);
  bind_exit(binder, status.last_exit);
  binder.wall(status.lease_until);
  return put_.run();
}

Result<void> AgentTable::remove(const model::AgentName& name) {
  remove_.bind_text(1, name);
  return remove_.run();
}

Result<std::vector<model::AgentStatus>> load_agents(platform::SqliteConnection& db) {
  Result<platform::SqliteStatement> select =
      db.prepare("SELECT " + std::string(kColumns) + " FROM agents ORDER BY name");
  if (!select) return std::move(select).error();
  std::vector<model::AgentStatus> agents;
  Result<void> done = store::for_each_row(
      *select, [&agents](ColumnReader& reader) { agents.push_back(read_agent(reader)); });
  if (!done) return std::move(done).error();
  return agents;
}

}  // namespace mainstay::fleet
