// Which entry of the fleet file waits for which. Checked here once more, though the manifest was:
// a cycle would make a fleet that never starts or never stops.
//
// Pure. check_dependencies fails with config_invalid; the rest cannot fail.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "base/result.h"
#include "model/fleet.h"

namespace mainstay::fleet {

/// Entries by their position in FleetSpec::agents.
struct DependencyGraph {
  /// What entry i waits for, and who waits for it.
  std::vector<std::vector<std::size_t>> needs;
  std::vector<std::vector<std::size_t>> needed_by;
  /// Every entry after what it needs; file order where that leaves a choice.
  std::vector<std::size_t> order;
};

/// config_invalid: an unknown or own name in depends_on, or a cycle (all its names are said).
Result<DependencyGraph> make_dependency_graph(const model::FleetSpec& fleet);

/// `scout`; `analyst-1` to `analyst-4` for four replicas.
std::vector<model::AgentName> agent_names(const model::AgentSpec& spec);

/// config_invalid: two agents would have the same name, or a name is none.
Result<void> check_agent_names(const model::FleetSpec& fleet);

}  // namespace mainstay::fleet
