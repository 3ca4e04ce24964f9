#include "fleet/supervision/dependency.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "base/text.h"

namespace mainstay::fleet {
namespace {

/// The names on one cycle among the entries that could not be ordered, first one repeated.
std::string cycle_text(const model::FleetSpec& fleet, const DependencyGraph& graph,
                       const std::vector<bool>& ordered) {
  std::size_t at = 0;
  while (ordered[at]) ++at;
  std::vector<std::size_t> path;
  // Every entry that is left needs another that is left, so this walk must meet itself.
  while (std::find(path.begin(), path.end(), at) == path.end()) {
    path.push_back(at);
    at = *std::find_if(graph.needs[at].begin(), graph.needs[at].end(),
                       [&](std::size_t need) { return !ordered[need]; });
  }
  std::vector<std::string> names;
  for (auto from = std::find(path.begin(), path.end(), at); from != path.end(); ++from) {
    names.push_back(fleet.agents[*from]->name);
  }
  names.push_back(fleet.agents[at]->name);
  return base::join(names, " -> ");
}

Result<void> order_entries(const model::FleetSpec& fleet, DependencyGraph& graph) {
  std::vector<bool> ordered(fleet.agents.size(), false);
  while (graph.order.size() < fleet.agents.size()) {
    bool found = false;
    for (std::size_t i = 0; i < fleet.agents.size(); ++i) {
      if (ordered[i]) continue;
      const auto& needs = graph.needs[i];
      if (!std::all_of(needs.begin(), needs.end(), [&](std::size_t n) { return ordered[n]; })) {
        continue;
      }
      ordered[i] = true;
      graph.order.push_back(i);
      found = true;
    }
    if (!found) {
      return Error(Code::config_invalid,
                   "agents depend on each other in a cycle: " + cycle_text(fleet, graph, ordered));
    }
  }
  return {};
}

}  // namespace

Result<DependencyGraph> make_dependency_graph(const model::FleetSpec& fleet) {
  std::map<std::string, std::size_t> index;
  for (std::size_t i = 0; i < fleet.agents.size(); ++i) index.emplace(fleet.agents[i]->name, i);
  DependencyGraph graph;
  graph.needs.resize(fleet.agents.size());
  graph.needed_by.resize(fleet.agents.size());
  for (std::size_t i = 0; i < fleet.agents.size(); ++i) {
    for (const std::string& name : fleet.agents[i]->depends_on) {
      auto found = index.find(name);
      if (found == index.end()) {
        return Error(Code::config_invalid,
                     fmt::format("agent {} depends on {}, which is not in the fleet file",
                                 fleet.agents[i]->name, name));
      }
      auto& needs = graph.needs[i];
      if (std::find(needs.begin(), needs.end(), found->second) != needs.end()) continue;
      needs.push_back(found->second);
      graph.needed_by[found->second].push_back(i);
    }
  }
  if (auto ordered = order_entries(fleet, graph); !ordered) return ordered.error();
  return graph;
}

std::vector<model::AgentName> agent_names(const model::AgentSpec& spec) {
  if (spec.replicas <= 1) return {spec.name};
  std::vector<model::AgentName> names;
  for (int i = 1; i <= spec.replicas; ++i) names.push_back(fmt::format("{}-{}", spec.name, i));
  return names;
}

Result<void> check_agent_names(const model::FleetSpec& fleet) {
  std::set<std::string> specs;
  std::set<model::AgentName> agents;
  for (const auto& spec : fleet.agents) {
    if (!base::is_valid_name(spec->name)) {
      return Error(Code::config_invalid, fmt::format("\"{}\" is not a name", spec->name));
    }
    if (!specs.insert(spec->name).second) {
      return Error(Code::config_invalid, fmt::format("two agents are named {}", spec->name));
    }
    for (const model::AgentName& name : agent_names(*spec)) {
      if (!agents.insert(name).second) {
        return Error(Code::config_invalid,
                     fmt::format("two agents would be named {}: one of them is a replica", name));
      }
    }
  }
  return {};
}

}  // namespace mainstay::fleet
