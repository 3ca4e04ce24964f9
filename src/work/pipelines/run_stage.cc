#include "work/pipelines/run_stage.h"

#include <algorithm>
#include <utility>

#include "work/event_body.h"
#include "work/pipelines/reference.h"
#include "work/trace_context.h"

namespace mainstay::work {
namespace {

/// Enough waiting items to keep the slots of a large fleet busy, few enough that a fan-out of
/// 100,000 is not in the queue at once.
constexpr std::int64_t kFanOutWindow = 1024;

std::string run_document(const model::RunSpec& run) {
  EventBody labels;
  for (const auto& [key, value] : run.labels) labels.text(key, value);
  EventBody document;
  document.id("id", run.id.bytes());
  document.raw("input", run.input.has_value() ? run.input.view() : "null");
  document.raw("labels", std::move(labels).take());
  return std::move(document).take();
}

Sources sources_of(const Stage& stage, const StageScope& scope) {
  std::vector<std::string> names;
  names.reserve(scope.stages->size());
  for (const Stage& other : *scope.stages) names.push_back(other.spec->name);
  Sources sources(std::move(names));
  sources.add("run", model::Payload::of(run_document(*scope.run)));
  for (const std::size_t index : stage.ancestors) {
    const Stage& before = (*scope.stages)[index];
    if (before.status.state == model::StepState::skipped) {
      sources.add_skipped(before.spec->name);
    } else {
      sources.add(before.spec->name, before.output);
    }
  }
  return sources;
}

std::size_t index_of(const std::vector<Stage>& stages, const std::string& name) {
  const auto found = std::find_if(stages.begin(), stages.end(),
                                  [&](const Stage& stage) { return stage.spec->name == name; });
  MS_ASSERT(found != stages.end(), "needs names stages of its pipeline");
  return static_cast<std::size_t>(found - stages.begin());
}

void add_ancestors(const std::vector<Stage>& stages, std::size_t of, std::vector<bool>& seen) {
  for (const std::size_t before : stages[of].needs) {
    if (seen[before]) continue;
    seen[before] = true;
    add_ancestors(stages, before, seen);
  }
}

}  // namespace

struct StageInputs::Parts {
  explicit Parts(Sources all) : sources(std::move(all)) {}

  Sources sources;
  /// Points into `sources`; nullptr without fan-out.
  const platform::JsonArray* elements = nullptr;
  /// Unset: the element, or the run's input.
  std::optional<platform::Json> input_template;
  model::Payload run_input;
};

Stage::Stage(const model::StageSpec& stage_spec) : spec(&stage_spec) {
  status.stage = stage_spec.name;
}
Stage::~Stage() = default;
Stage::Stage(Stage&&) noexcept = default;
Stage& Stage::operator=(Stage&&) noexcept = default;

std::int64_t Stage::window() const {
  return spec->max_parallel > 0 ? spec->max_parallel : kFanOutWindow;
}

model::Payload Stage::join_outputs() const {
  const auto text = [](const Slot& slot) {
    return slot.output.has_value() ? slot.output.view() : std::string_view("null");
  };
  if (!fan_out()) return slots.empty() ? model::Payload() : slots.front().output;
  std::size_t size = 2 + slots.size();
  for (const Slot& slot : slots) size += text(slot).size();
  std::string joined;
  joined.reserve(size);
  joined.push_back('[');
  for (const Slot& slot : slots) {
    if (joined.size() > 1) joined.push_back(',');
    joined.append(text(slot));
  }
  joined.push_back(']');
  return model::Payload::of(std::move(joined));
}

void Stage::drop_work() {
  inputs.reset();
  slots = {};
  open = 0;
}

std::vector<Stage> make_stages(const model::RunSpec& run) {
  std::vector<Stage> stages;
  stages.reserve(run.pipeline->stages.size());
  for (const model::StageSpec& spec : run.pipeline->stages) {
    stages.emplace_back(spec);
    stages.back().span_id = span_id_of(run.id, spec.name);
  }
  for (Stage& stage : stages) {
    for (const std::string& name : stage.spec->needs) {
      stage.needs.push_back(index_of(stages, name));
      stages[stage.needs.back()].is_needed = true;
    }
  }
  for (std::size_t i = 0; i < stages.size(); ++i) {
    std::vector<bool> seen(stages.size(), false);
    add_ancestors(stages, i, seen);
    for (std::size_t before = 0; before < seen.size(); ++before) {
      if (seen[before]) stages[i].ancestors.push_back(before);
    }
  }
  return stages;
}

StageInputs::StageInputs(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
StageInputs::~StageInputs() = default;

Result<std::unique_ptr<StageInputs>> StageInputs::make(const Stage& stage,
                                                       const StageScope& scope) {
  auto parts = std::make_unique<Parts>(sources_of(stage, scope));
  parts->run_input = scope.run->input;
  if (stage.fan_out()) {
    auto elements = elements_of(stage.spec->foreach_reference, parts->sources);
    if (!elements) return std::move(elements).error();
    parts->elements = *elements;
  }
  if (!stage.spec->input_json.empty()) {
    auto input = platform::parse_json(stage.spec->input_json);
    if (!input) return std::move(input).error();
    parts->input_template = *std::move(input);
  }
  return std::unique_ptr<StageInputs>(new StageInputs(std::move(parts)));
}

std::int64_t StageInputs::count() const {
  return parts_->elements ? static_cast<std::int64_t>(parts_->elements->size()) : 1;
}

Result<model::Payload> StageInputs::input(std::int64_t index) {
  Parts& parts = *parts_;
  const platform::Json* element =
      parts.elements ? &(*parts.elements)[static_cast<std::size_t>(index)] : nullptr;
  if (!parts.input_template) {
    if (element != nullptr) return model::Payload::of(platform::to_text(*element));
    return parts.run_input.has_value() ? parts.run_input : model::Payload::of("null");
  }
  parts.sources.set_element(element, index);
  auto text = resolve_input(*parts.input_template, parts.sources);
  if (!text) return std::move(text).error();
  return model::Payload::of(*std::move(text));
}

Result<bool> is_wanted(const Stage& stage, const StageScope& scope) {
  if (!stage.spec->when) return true;
  Sources sources = sources_of(stage, scope);
  return holds(*stage.spec->when, sources);
}

}  // namespace mainstay::work
