#include <array>

#include "base/text.h"
#include "fleet/manifest/manifest_draft.h"

namespace mainstay::fleet {
namespace {

using config::YamlEntry;
using config::YamlKind;
using config::YamlNode;
using std::chrono::hours;
using std::chrono::milliseconds;

constexpr std::size_t kMaxStages = 200;
constexpr int kMaxParallel = 100'000;

constexpr std::array<config::Unserved, 7> kUnserved{{
    {"schedule", "schedules"},
    {"lane", "lanes"},
    {"compensation", "compensation"},
    {"concurrency", "limits on runs at a time"},
    {"inputs", "schemas of the input"},
    {"on_failure", "compensation"},
    {"labels", "labels of pipelines"},
}};

constexpr std::array<config::Unserved, 3> kUnservedBudget{{
    {"tokens", "token budgets"},
    {"money", "money budgets"},
    {"cost", "money budgets"},
}};

constexpr std::array<config::Unserved, 12> kUnservedStage{{
    {"approval", "approval stages"},
    {"compensate", "compensation"},
    {"compensation", "compensation"},
    {"budget", "budgets of stages"},
    {"lane", "lanes"},
    {"resources", "resources"},
    {"sticky", "sticky routing"},
    {"schedule", "schedules"},
    {"pipeline", "pipelines inside pipelines"},
    {"phase", "phases of stages"},
    {"labels", "labels of stages"},
    {"agent", "naming an agent; work is addressed to capabilities"},
}};

void read_budget(Fields& fields, model::PipelineSpec& spec) {
  fields.duration("time", spec.timeout, {milliseconds(1), hours(24 * 30)});
  fields.finish(kUnservedBudget);
}

void not_a_reference(Fields& fields, std::string_view key, const YamlNode& node) {
  fields.error(node.at, key, "expected a reference such as scan#/files, got " + node.describe());
}

/// `{exists: REF}`, `{not_empty: REF}`, `{equals: [REF, VALUE]}` or `{not_equals: [REF, VALUE]}`.
void read_condition(Fields& fields, const YamlNode& node, StageDraft& draft) {
  const auto wrong = [&] {
    fields.error(node.at, "when",
                 "expected one of {exists: REF}, {not_empty: REF}, {equals: [REF, VALUE]}, "
                 "{not_equals: [REF, VALUE]}, got " +
                     node.describe());
  };
  if (node.kind != YamlKind::map || node.entries.size() != 1) return wrong();
  const YamlEntry& entry = node.entries.front();
  const auto kind = base::parse_enum<model::ConditionKind>(entry.key);
  if (!kind) {
    std::vector<std::string> names;
    for (const auto name : base::enum_names<model::ConditionKind>()) names.emplace_back(name);
    fields.error(entry.key_at, "when",
                 "expected one of " + base::join(names, ", ") + ", got " + config::quote(entry.key),
                 base::nearest(entry.key, names).value_or(""));
    return;
  }
  model::Condition condition;
  condition.kind = *kind;
  const bool compares =
      *kind == model::ConditionKind::equals || *kind == model::ConditionKind::not_equals;
  const YamlNode* reference = &entry.value;
  if (compares) {
    if (entry.value.kind != YamlKind::list || entry.value.items.size() != 2) {
      fields.error(entry.value.at, "when." + entry.key,
                   "expected {" + entry.key + ": [REF, VALUE]}, got " + entry.value.describe());
      return;
    }
    reference = &entry.value.items[0];
    condition.value_json = config::yaml_to_json(entry.value.items[1]);
  }
  if (reference->kind != YamlKind::text) {
    return not_a_reference(fields, "when." + entry.key, *reference);
  }
  condition.reference = reference->text;
  draft.when_at = reference->at;
  draft.spec.when = std::move(condition);
}

void read_fan_out(Fields& fields, StageDraft& draft) {
  model::StageSpec& spec = draft.spec;
  draft.foreach = fields.find("foreach");
  if (draft.foreach != nullptr && draft.foreach->kind != YamlKind::text) {
    not_a_reference(fields, "foreach", *draft.foreach);
  } else if (draft.foreach != nullptr) {
    spec.foreach_reference = draft.foreach->text;
  }
  fields.integer("max_parallel", spec.max_parallel, {1, kMaxParallel});
  if (const YamlNode* node = fields.find("max_parallel"); node && draft.foreach == nullptr) {
    fields.error(node->at, "max_parallel", "has a meaning only together with foreach");
  }
}

void read_retries(Fields& fields, model::StageSpec& spec) {
  fields.integer("retries", spec.retries, {0, 99});
  fields.backoff(spec.backoff_min, spec.backoff_max);
}

StageDraft read_stage(const YamlEntry& entry, const std::string& path,
                      const ManifestContext& context) {
  StageDraft draft;
  draft.at = entry.key_at;
  model::StageSpec& spec = draft.spec;
  spec.name = entry.key;
  check_name(entry.key, entry.key_at, path, context);
  Fields fields(entry.value, entry.key_at, path, context);
  if (!fields.usable()) return draft;
  if (const YamlNode* node = fields.require("capability", "the capability that the work needs")) {
    draft.capability_at = node->at;
    fields.text("capability", spec.capability);
    if (node->kind == YamlKind::text) {
      check_name(spec.capability, node->at, fields.path_of("capability"), context);
    }
  }
  fields.names("needs", spec.needs, &draft.needs_at);
  read_fan_out(fields, draft);
  draft.input = fields.find("input");
  if (draft.input != nullptr) spec.input_json = config::yaml_to_json(*draft.input);
  fields.duration("timeout", spec.timeout, {milliseconds(1), hours(24 * 30)});
  fields.duration("idle_timeout", spec.idle_timeout, {milliseconds(1), hours(24 * 30)});
  read_retries(fields, spec);
  fields.integer("priority", spec.priority, {model::kPriorityMin, model::kPriorityMax});
  fields.boolean("critical", spec.critical);
  if (const YamlNode* node = fields.find("when")) read_condition(fields, *node, draft);
  fields.finish(kUnservedStage);
  return draft;
}

void read_stages(Fields& fields, const YamlNode& node, PipelineDraft& draft,
                 const ManifestContext& context) {
  if (node.kind != YamlKind::map || node.entries.empty()) {
    fields.error(node.at, "stages", "expected a map of stages, got " + node.describe());
    return;
  }
  if (node.entries.size() > kMaxStages) {
    fields.error(node.at, "stages",
                 "expected at most " + std::to_string(kMaxStages) + " stages, got " +
                     std::to_string(node.entries.size()));
    return;
  }
  for (const YamlEntry& stage : node.entries) {
    draft.stages.push_back(read_stage(stage, fields.path_of("stages") + "." + stage.key, context));
  }
}

}  // namespace

PipelineDraft read_pipeline(const YamlEntry& entry, const ManifestContext& context) {
  PipelineDraft draft;
  draft.at = entry.key_at;
  draft.spec.name = entry.key;
  check_name(entry.key, entry.key_at, draft.path(), context);
  Fields fields(entry.value, entry.key_at, draft.path(), context);
  if (!fields.usable()) return draft;
  fields.integer("version", draft.spec.version, {1, 1'000'000'000});
  fields.text("description", draft.spec.description);
  fields.section("budget", [&](Fields& inner) { read_budget(inner, draft.spec); });
  if (const YamlNode* node = fields.require("stages", "a map of stages")) {
    read_stages(fields, *node, draft, context);
  }
  fields.finish(kUnserved);
  return draft;
}

}  // namespace mainstay::fleet
