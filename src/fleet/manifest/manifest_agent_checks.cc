#include <algorithm>
#include <map>

#include "base/text.h"
#include "fleet/manifest/manifest_draft.h"

namespace mainstay::fleet {
namespace {

using config::quote;

constexpr std::size_t kMaxAgents = 2000;

std::vector<std::string> agent_spec_names(const FleetDraft& fleet) {
  std::vector<std::string> names;
  for (const AgentDraft& agent : fleet.agents) names.push_back(agent.spec.name);
  return names;
}

/// `analyst` with four replicas gives `analyst-1` to `analyst-4`; no two agents may share a name.
void check_replica_names(const FleetDraft& fleet, const ManifestContext& context) {
  std::map<std::string, std::string> owner;
  for (const AgentDraft& agent : fleet.agents) {
    const int replicas = agent.spec.replicas;
    for (int i = 1; i <= replicas; ++i) {
      std::string name = agent.spec.name;
      if (replicas > 1) name.append("-").append(std::to_string(i));
      if (base::is_valid_name(agent.spec.name) && !base::is_valid_name(name)) {
        context.error(agent.at, agent.path(),
                      "expected a shorter name, so that its replicas can be numbered");
        break;
      }
      const auto [other, added] = owner.emplace(name, agent.spec.name);
      if (added) continue;
      context.error(agent.at, agent.path(),
                    "expected agents of different names, got " + quote(name) + " from both " +
                        other->second + " and " + agent.spec.name);
      break;
    }
  }
}

void check_number(const FleetDraft& fleet, const ManifestContext& context) {
  std::size_t all = 0;
  const AgentDraft* first_over = nullptr;
  for (const AgentDraft& agent : fleet.agents) {
    all += static_cast<std::size_t>(agent.spec.replicas);
    if (all > kMaxAgents && first_over == nullptr) first_over = &agent;
  }
  if (first_over == nullptr) return;
  context.error(first_over->at, "agents",
                "expected at most " + std::to_string(kMaxAgents) +
                    " agents with their replicas, got " + std::to_string(all));
}

void check_dependencies(const FleetDraft& fleet, const ManifestContext& context) {
  const std::vector<std::string> names = agent_spec_names(fleet);
  std::vector<NamedEdges> graph;
  std::map<std::string, const AgentDraft*> by_name;
  for (const AgentDraft& agent : fleet.agents) {
    graph.push_back({agent.spec.name, agent.spec.depends_on});
    by_name.emplace(agent.spec.name, &agent);
    for (std::size_t i = 0; i < agent.spec.depends_on.size(); ++i) {
      const std::string& name = agent.spec.depends_on[i];
      if (std::find(names.begin(), names.end(), name) != names.end()) continue;
      context.error(agent.depends_at[i], agent.path() + ".depends_on",
                    "there is no agent " + quote(name), base::nearest(name, names).value_or(""));
    }
  }
  for (const auto& cycle : find_cycles(graph)) {
    const AgentDraft& agent = *by_name.at(cycle.front());
    context.error(place_of(agent.spec.depends_on, agent.depends_at, cycle[1]),
                  agent.path() + ".depends_on",
                  "expected no cycle, got " + base::join(cycle, " -> "));
  }
}

std::string folder_of(const AgentDraft& agent, const ManifestSource& source) {
  const std::string& dir = agent.spec.working_dir;
  if (dir.empty()) return source.project_dir;
  return dir.front() == '/' ? dir : source.project_dir + "/" + dir;
}

bool is_python(std::string_view program) {
  const std::string_view name = program.substr(program.rfind('/') + 1);
  return name.substr(0, 6) == "python";
}

bool ends_with(std::string_view text, std::string_view end) {
  return text.size() >= end.size() && text.substr(text.size() - end.size()) == end;
}

void check_program(const AgentDraft& agent, const ManifestSource& source,
                   const ManifestContext& context) {
  const std::string& program = agent.spec.command.front();
  const bool bare = program.find('/') == std::string::npos;
  const std::string key = agent.path() + ".command";
  const std::string path =
      bare || program.front() == '/' ? program : source.project_dir + "/" + program;
  const ProgramState state = source.probe->program(path);
  if (state == ProgramState::not_executable) {
    context.error(agent.command_at.front(), key,
                  "expected a program that can be run, got " + quote(program) +
                      ", which is not executable (chmod +x)");
  } else if (state == ProgramState::missing && is_python(program)) {
    // Without Python the rest of the fleet still works (FLT-6).
    context.problems.warning(context.file, agent.command_at.front(), key,
                             quote(program) + " is not installed; this agent will not start");
  } else if (state == ProgramState::missing) {
    context.error(
        agent.command_at.front(), key,
        "there is no program " + quote(program) + (bare ? " on PATH" : " in the project folder"));
  }
  if (agent.spec.command.size() < 2 || !is_python(program)) return;
  const std::string& script = agent.spec.command[1];
  if (!ends_with(script, ".py")) return;
  const std::string at = script.front() == '/' ? script : folder_of(agent, source) + "/" + script;
  if (!source.probe->file_exists(at)) {
    context.error(agent.command_at[1], key, "there is no file " + quote(script));
  }
}

void check_variables(const AgentDraft& agent, const ManifestSource& source,
                     const ManifestContext& context) {
  for (const std::string& name : agent.spec.pass_environment) {
    if (source.probe->variable_set(name)) continue;
    const auto& required = agent.required_variables;
    if (std::find(required.begin(), required.end(), name) != required.end()) {
      context.error(agent.variables_at.at(name), agent.path() + ".requires_env",
                    "expected the variable " + name + " to be set, got nothing");
    } else {
      context.problems.warning(context.file, agent.variables_at.at(name),
                               agent.path() + ".pass_env",
                               name + " is not set; the agent runs without it");
    }
  }
}

}  // namespace

void check_agents(const FleetDraft& fleet, const ManifestSource& source,
                  const ManifestContext& context) {
  check_replica_names(fleet, context);
  check_number(fleet, context);
  check_dependencies(fleet, context);
  if (source.probe == nullptr) return;
  for (const AgentDraft& agent : fleet.agents) {
    if (!agent.spec.working_dir.empty() && !source.probe->file_exists(folder_of(agent, source))) {
      context.error(agent.working_dir_at, agent.path() + ".working_dir",
                    "there is no folder " + quote(agent.spec.working_dir));
    }
    if (!agent.spec.command.empty()) check_program(agent, source, context);
    check_variables(agent, source, context);
  }
}

}  // namespace mainstay::fleet
