// The table of agents: where each stood last, so that a restarted daemon finds their processes
// again and incarnations only grow.
//
// AgentTable: the store's writer only. load_agents: any connection. Fails as SQLite does.
#pragma once

#include <vector>

#include "base/result.h"
#include "model/row.h"
#include "platform/sqlite/sqlite.h"
#include "store/database/migration.h"

namespace mainstay::fleet {

store::Migration agents_migration();

class AgentTable {
 public:
  static Result<AgentTable> prepare(platform::SqliteConnection& db);

  Result<void> put(const model::AgentStatus& status);
  /// No such agent is success.
  Result<void> remove(const model::AgentName& name);

 private:
  platform::SqliteStatement put_;
  platform::SqliteStatement remove_;
};

/// All agents, by name. What is not durable (busy, linked) has its default.
Result<std::vector<model::AgentStatus>> load_agents(platform::SqliteConnection& db);

}  // namespace mainstay::fleet
