#include "fleet/manifest/manifest.h"

#include <array>
#include <utility>

#include "fleet/manifest/manifest_draft.h"

namespace mainstay::fleet {
namespace {

using config::YamlEntry;
using config::YamlKind;
using config::YamlNode;

constexpr std::size_t kMaxEntries = 500;

constexpr std::array<config::Unserved, 17> kUnserved{{
    {"devices", "devices"},
    {"gpu", "GPUs"},
    {"resources", "resources"},
    {"settings", "settings in the fleet file; they are in mainstay.yaml"},
    {"nodes", "several machines"},
    {"lanes", "lanes"},
    {"schedules", "schedules"},
    {"budgets", "budgets"},
    {"providers", "model providers"},
    {"gateway", "the model gateway"},
    {"memory", "agent memory"},
    {"plugins", "plugins"},
    {"alerts", "alerts"},
    {"secrets", "secrets"},
    {"include", "several fleet files"},
    {"a2a", "A2A"},
    {"mcp", "MCP"},
}};

/// The entries of `agents:` or `pipelines:`; nothing there is fine.
template <class Draft, class Read>
void read_entries(Fields& root, std::string_view key, std::vector<Draft>& out, Read read) {
  const YamlNode* node = root.find(key);
  if (node == nullptr || node->kind == YamlKind::null) return;
  if (node->kind != YamlKind::map) {
    root.error(node->at, key, "expected a map, got " + node->describe());
    return;
  }
  if (node->entries.size() > kMaxEntries) {
    root.error(node->at, key,
               "expected at most " + std::to_string(kMaxEntries) + " entries, got " +
                   std::to_string(node->entries.size()));
    return;
  }
  for (const YamlEntry& entry : node->entries) out.push_back(read(entry));
}

FleetDraft read_draft(const YamlNode& document, const ManifestContext& context) {
  FleetDraft draft;
  Fields root(document, document.at, {}, context);
  if (!root.usable()) return draft;
  if (const YamlNode* node = root.find("fleet")) {
    root.text("fleet", draft.name);
    if (node->kind == YamlKind::text) check_name(draft.name, node->at, "fleet", context);
  }
  read_entries(root, "agents", draft.agents,
               [&](const YamlEntry& entry) { return read_agent(entry, context); });
  read_entries(root, "pipelines", draft.pipelines,
               [&](const YamlEntry& entry) { return read_pipeline(entry, context); });
  root.finish(kUnserved);
  return draft;
}

/// A program with a folder in its name lies in the project folder, wherever the process will run.
void resolve_program(model::AgentSpec& spec, const std::string& project_dir) {
  if (spec.command.empty() || project_dir.empty()) return;
  std::string& program = spec.command.front();
  if (program.front() != '/' && program.find('/') != std::string::npos) {
    program = project_dir + "/" + program;
  }
}

model::FleetSpec finish_draft(FleetDraft draft, const ManifestSource& source) {
  model::FleetSpec fleet;
  fleet.name = std::move(draft.name);
  for (AgentDraft& agent : draft.agents) {
    resolve_program(agent.spec, source.project_dir);
    fleet.agents.push_back(std::make_shared<const model::AgentSpec>(std::move(agent.spec)));
  }
  for (PipelineDraft& pipeline : draft.pipelines) {
    for (StageDraft& stage : pipeline.stages) {
      pipeline.spec.stages.push_back(std::move(stage.spec));
    }
    fleet.pipelines.push_back(
        std::make_shared<const model::PipelineSpec>(std::move(pipeline.spec)));
  }
  return fleet;
}

}  // namespace

std::optional<model::FleetSpec> read_manifest(const ManifestSource& source,
                                              config::Problems& problems) {
  const std::size_t errors_before = problems.error_count();
  const auto document = config::read_yaml(source.text, source.file, problems);
  if (!document) return std::nullopt;
  const ManifestContext context{source.file, problems};
  FleetDraft draft;
  if (document->kind != YamlKind::null) draft = read_draft(*document, context);
  check_agents(draft, source, context);
  check_pipelines(draft, context);
  if (problems.error_count() != errors_before) return std::nullopt;
  return finish_draft(std::move(draft), source);
}

Result<model::FleetSpec> parse_manifest(std::string_view text) {
  config::Problems problems;
  auto fleet = read_manifest({.text = text}, problems);
  if (!fleet) return problems.to_error();
  return *std::move(fleet);
}

}  // namespace mainstay::fleet
