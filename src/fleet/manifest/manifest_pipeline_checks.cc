#include <algorithm>
#include <map>
#include <set>

#include "base/text.h"
#include "fleet/manifest/manifest_draft.h"
#include "model/reference.h"

namespace mainstay::fleet {
namespace {

using config::quote;
using config::YamlEntry;
using config::YamlKind;
using config::YamlNode;

using Needs = std::map<std::string, std::set<std::string>>;

constexpr std::string_view kOrLiteral = " (for the text itself write {$literal: …})";

/// The pointer that was probably meant: with its first '/', and every stray '~' escaped.
std::string mended(std::string_view pointer) {
  std::string out = pointer.empty() || pointer.front() == '/' ? "" : "/";
  for (std::size_t i = 0; i < pointer.size(); ++i) {
    out += pointer[i];
    if (pointer[i] != '~') continue;
    const char next = i + 1 < pointer.size() ? pointer[i + 1] : '\0';
    if (next != '0' && next != '1') out += '0';
  }
  return out;
}

/// Checks the references of one stage: what they name must be there when the stage starts.
class ReferenceCheck {
 public:
  ReferenceCheck(const PipelineDraft& pipeline, const StageDraft& stage, const Needs& all_needs,
                 const ManifestContext& context)
      : pipeline_(pipeline), stage_(stage), needs_(all_needs), context_(context) {}

  void run() const {
    const model::StageSpec& spec = stage_.spec;
    if (stage_.foreach != nullptr && stage_.foreach->kind == YamlKind::text) {
      whole(spec.foreach_reference, stage_.foreach->at, "foreach");
    }
    if (spec.when) whole(spec.when->reference, stage_.when_at, "when");
    if (stage_.input != nullptr) input(*stage_.input, "input");
  }

 private:
  void error(config::Position at, std::string_view key, std::string message,
             std::string suggestion = {}) const {
    context_.error(at, pipeline_.path_of(stage_) + "." + std::string(key), std::move(message),
                   std::move(suggestion));
  }

  /// A field that must be a reference.
  void whole(std::string_view text, config::Position at, std::string_view key) const {
    const auto reference = model::parse_reference(text);
    if (reference) {
      source(*reference, text, at, key, false);
    } else if (is_source(model::source_of(text))) {
      bad_pointer(text, at, key, false);
    } else {
      error(at, key, "expected a reference such as scan#/files, got " + quote(text));
    }
  }

  /// Any text of the input that reads as a reference is one. Text that names a source but goes on
  /// in another way is far likelier a slip than text: it would reach the agent as it stands.
  void input(const YamlNode& node, const std::string& key) const {
    if (node.kind == YamlKind::text) {
      if (const auto reference = model::parse_reference(node.text)) {
        source(*reference, node.text, node.at, key, true);
      } else if (is_source(model::source_of(node.text))) {
        bad_pointer(node.text, node.at, key, true);
      }
    }
    for (const YamlNode& item : node.items) input(item, key);
    if (const YamlEntry* literal = node.find("$literal")) {
      if (node.entries.size() == 1) return;
      error(literal->key_at, key, "expected $literal to stand alone in its map");
    }
    for (const YamlEntry& entry : node.entries) input(entry.value, key + "." + entry.key);
  }

  bool is_source(std::string_view name) const {
    const auto is_it = [&](const StageDraft& stage) { return stage.spec.name == name; };
    return name == "run" || name == "item" || name == "index" ||
           std::any_of(pipeline_.stages.begin(), pipeline_.stages.end(), is_it);
  }

  void bad_pointer(std::string_view text, config::Position at, std::string_view key,
                   bool of_item) const {
    const std::string start(text.substr(0, text.find('#') + 1));
    std::string message = "expected nothing more or a JSON Pointer after " + quote(start) +
                          " ('/' before each name; '~' in a name is ~0, '/' is ~1), got " +
                          quote(text);
    if (of_item) message += kOrLiteral;
    error(at, key, std::move(message), start + mended(text.substr(start.size())));
  }

  void source(const model::Reference& reference, std::string_view text, config::Position at,
              std::string_view key, bool of_item) const {
    const std::string name(reference.source);
    if (name == "run") return run_pointer(reference.pointer, text, at, key);
    if (name == "item" || name == "index") {
      if (!of_item || stage_.foreach == nullptr) {
        error(at, key, quote(text) + " has a meaning only in the input of a stage with foreach");
      }
      return;
    }
    const auto own = needs_.find(stage_.spec.name);
    if (own != needs_.end() && own->second.count(name) != 0) return;
    unknown_source(name, text, at, key, of_item);
  }

  void run_pointer(std::string_view pointer, std::string_view text, config::Position at,
                   std::string_view key) const {
    if (pointer.empty()) return;
    const std::string_view rest = pointer.substr(1);
    const std::string first(rest.substr(0, rest.find('/')));
    if (first == "id" || first == "input" || first == "labels") return;
    error(at, key, "a run has id, input and labels, got " + quote(text),
          "run#/input" + std::string(pointer));
  }

  void unknown_source(const std::string& name, std::string_view text, config::Position at,
                      std::string_view key, bool of_item) const {
    std::vector<std::string> stages;
    for (const StageDraft& stage : pipeline_.stages) stages.push_back(stage.spec.name);
    if (std::find(stages.begin(), stages.end(), name) != stages.end()) {
      error(at, key,
            "expected the output of a stage in needs (directly or through others), got " +
                quote(text));
      return;
    }
    std::string message = "there is no stage " + quote(name) + " to take " + quote(text) + " from";
    if (of_item) message += kOrLiteral;
    error(at, key, std::move(message), base::nearest(name, stages).value_or(""));
  }

  const PipelineDraft& pipeline_;
  const StageDraft& stage_;
  const Needs& needs_;
  const ManifestContext& context_;
};

/// What each stage needs, directly or through others. Also right for parts with cycles.
Needs all_needs(const PipelineDraft& pipeline) {
  Needs needs;
  for (const StageDraft& stage : pipeline.stages) {
    needs[stage.spec.name] = {stage.spec.needs.begin(), stage.spec.needs.end()};
  }
  for (bool grew = true; grew;) {
    grew = false;
    for (auto& [name, of_stage] : needs) {
      std::set<std::string> more = of_stage;
      for (const std::string& need : of_stage) {
        if (const auto found = needs.find(need); found != needs.end()) {
          more.insert(found->second.begin(), found->second.end());
        }
      }
      if (more.size() == of_stage.size()) continue;
      of_stage = std::move(more);
      grew = true;
    }
  }
  return needs;
}

void check_needs(const PipelineDraft& pipeline, const ManifestContext& context) {
  std::vector<std::string> names;
  for (const StageDraft& stage : pipeline.stages) names.push_back(stage.spec.name);
  std::vector<NamedEdges> graph;
  for (const StageDraft& stage : pipeline.stages) {
    const std::string key = pipeline.path_of(stage) + ".needs";
    graph.push_back({stage.spec.name, stage.spec.needs});
    for (std::size_t i = 0; i < stage.spec.needs.size(); ++i) {
      const std::string& need = stage.spec.needs[i];
      if (std::find(names.begin(), names.end(), need) != names.end()) continue;
      context.error(stage.needs_at[i], key, "there is no stage " + quote(need),
                    base::nearest(need, names).value_or(""));
    }
  }
  for (const auto& cycle : find_cycles(graph)) {
    const auto stage = std::find_if(
        pipeline.stages.begin(), pipeline.stages.end(),
        [&](const StageDraft& candidate) { return candidate.spec.name == cycle.front(); });
    context.error(place_of(stage->spec.needs, stage->needs_at, cycle[1]),
                  pipeline.path_of(*stage) + ".needs",
                  "expected no cycle, got " + base::join(cycle, " -> "));
  }
}

void check_reserved(const PipelineDraft& pipeline, const StageDraft& stage,
                    const ManifestContext& context) {
  const std::string& name = stage.spec.name;
  if (name != "run" && name != "item" && name != "index") return;
  context.error(stage.at, pipeline.path_of(stage),
                "expected another name: references use " + quote(name) + " for something else");
}

void check_capability(const PipelineDraft& pipeline, const StageDraft& stage,
                      const std::vector<std::string>& offered, const ManifestContext& context) {
  const std::string& wanted = stage.spec.capability;
  if (!base::is_valid_name(wanted)) return;
  if (std::find(offered.begin(), offered.end(), wanted) != offered.end()) return;
  context.error(stage.capability_at, pipeline.path_of(stage) + ".capability",
                "no agent offers " + quote(wanted), base::nearest(wanted, offered).value_or(""));
}

}  // namespace

void check_pipelines(const FleetDraft& fleet, const ManifestContext& context) {
  std::vector<std::string> offered;
  for (const AgentDraft& agent : fleet.agents) {
    for (const std::string& capability : agent.spec.capabilities) {
      if (std::find(offered.begin(), offered.end(), capability) == offered.end()) {
        offered.push_back(capability);
      }
    }
  }
  for (const PipelineDraft& pipeline : fleet.pipelines) {
    check_needs(pipeline, context);
    const Needs needs = all_needs(pipeline);
    for (const StageDraft& stage : pipeline.stages) {
      check_reserved(pipeline, stage, context);
      check_capability(pipeline, stage, offered, context);
      ReferenceCheck(pipeline, stage, needs, context).run();
    }
  }
}

}  // namespace mainstay::fleet
