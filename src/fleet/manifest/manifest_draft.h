// Agents and pipelines as read from fleet.yaml, with the places that the later checks report. Only
// the manifest reader uses this.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "config/problems.h"
#include "config/yaml/yaml_document.h"
#include "fleet/manifest/manifest.h"
#include "fleet/manifest/manifest_fields.h"
#include "model/fleet.h"

namespace mainstay::fleet {

struct AgentDraft {
  model::AgentSpec spec;
  /// Of its name.
  config::Position at;
  /// Of each word of its command.
  std::vector<config::Position> command_at;
  config::Position working_dir_at;
  /// Of each name in depends_on.
  std::vector<config::Position> depends_at;
  /// Variables that must be set.
  std::vector<std::string> required_variables;
  /// Where each variable that is passed on or required is named.
  std::map<std::string, config::Position> variables_at;

  std::string path() const { return "agents." + spec.name; }
};

struct StageDraft {
  model::StageSpec spec;
  config::Position at;
  config::Position capability_at;
  /// Of each name in needs.
  std::vector<config::Position> needs_at;
  /// Null when the stage has no `foreach`.
  const config::YamlNode* foreach = nullptr;
  config::Position when_at;
  /// Null when the stage has no `input`.
  const config::YamlNode* input = nullptr;
};

struct PipelineDraft {
  model::PipelineSpec spec;
  config::Position at;
  std::vector<StageDraft> stages;

  std::string path() const { return "pipelines." + spec.name; }
  std::string path_of(const StageDraft& stage) const {
    return path() + ".stages." + stage.spec.name;
  }
};

struct FleetDraft {
  std::string name = "fleet";
  std::vector<AgentDraft> agents;
  std::vector<PipelineDraft> pipelines;
};

AgentDraft read_agent(const config::YamlEntry& entry, const ManifestContext& context);
PipelineDraft read_pipeline(const config::YamlEntry& entry, const ManifestContext& context);

/// Names, dependencies, cycles, programs and variables of all agents.
void check_agents(const FleetDraft& fleet, const ManifestSource& source,
                  const ManifestContext& context);
/// Capabilities, needs, cycles and references of all pipelines.
void check_pipelines(const FleetDraft& fleet, const ManifestContext& context);

/// Where `name` stands in a list of names, of which `at` has the places.
config::Position place_of(const std::vector<std::string>& names,
                          const std::vector<config::Position>& at, const std::string& name);

/// Every name of a list of (name, names it points to) that leads back to itself, each cycle once,
/// as `a -> b -> a`. Names that are not in the list are left out.
struct NamedEdges {
  std::string name;
  std::vector<std::string> to;
};
std::vector<std::vector<std::string>> find_cycles(const std::vector<NamedEdges>& graph);

}  // namespace mainstay::fleet
