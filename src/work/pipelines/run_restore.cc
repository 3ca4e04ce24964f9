// A run goes on after a restart of the daemon: its steps and items say how far it got, its pinned
// pipeline says what comes next. An item exists once per (stage, index).
#include <algorithm>
#include <map>
#include <utility>

#include "work/failure.h"
#include "work/pipelines/run.h"
#include "work/validation.h"

namespace mainstay::work {

void Run::restore(const model::RecoveredRun& recovered, Now now) {
  const auto ago = [now](Wall since) {
    return now.mono - std::max<Duration>(now.wall - since, Duration::zero());
  };
  status_ = recovered.status;
  started_ = ago(spec_->created_at);
  const Duration limit = std::min(spec_->pipeline->timeout, kMaxHorizon);
  if (limit > Duration::zero()) deadline_ = started_ + limit;
  for (const model::StepStatus& step : recovered.steps) {
    Stage* stage = stage_of(step.stage);
    if (stage == nullptr) continue;
    stage->status = step;
    last_number_ = std::max(last_number_, step.number);
    if (step.started_at) stage->started = ago(*step.started_at);
  }
  std::map<std::string_view, StageItems> items;
  for (const model::RecoveredWork& item : recovered.items) {
    items[item.spec->step->stage].push_back(&item);
  }
  for (Stage& stage : stages_) restore_stage(stage, items[stage.spec->name]);
  // A stage has more ancestors than any that it needs: outputs are there before they are asked for.
  std::vector<Stage*> order;
  for (Stage& stage : stages_) order.push_back(&stage);
  std::stable_sort(order.begin(), order.end(), [](const Stage* a, const Stage* b) {
    return a->ancestors.size() < b->ancestors.size();
  });
  for (Stage* stage : order) restore_output(*stage);
}

void Run::restore_stage(Stage& stage, const StageItems& items) {
  model::StepStatus& status = stage.status;
  if (status.state == model::StepState::skipped) stage.output = model::Payload::of("null");
  if (status.state != model::StepState::running && !is_passed(status.state)) return;
  if (status.state == model::StepState::skipped) return;
  if (status.state == model::StepState::degraded && status.items_total == 0) {
    // It failed as a whole.
    stage.output = model::Payload::of(
        stage_error_output(stage.spec->name, status.error ? *status.error : model::WorkError{}));
    return;
  }
  stage.slots.resize(static_cast<std::size_t>(status.items_total));
  status.items_done = 0;
  status.items_failed = 0;
  for (const model::RecoveredWork* item : items) restore_slot(stage, *item);
}

void Run::restore_slot(Stage& stage, const model::RecoveredWork& item) {
  const auto index = static_cast<std::size_t>(item.spec->step->index);
  if (index >= stage.slots.size()) return;
  Slot& slot = stage.slots[index];
  slot.item = item.spec->id;
  if (!model::is_terminal(item.status.state)) {
    slot.state = SlotState::open;
    ++stage.open;
  } else if (item.status.state == model::WorkState::succeeded) {
    slot.state = SlotState::done;
    slot.output = item.status.output;
    ++stage.status.items_done;
  } else {
    slot.state = SlotState::failed;
    const model::WorkError error = item.status.error ? *item.status.error : model::WorkError{};
    slot.output = model::Payload::of(stage_error_output(stage.spec->name, error));
    ++stage.status.items_failed;
  }
}

void Run::restore_output(Stage& stage) {
  if (!is_passed(stage.status.state) || stage.output.has_value()) return;
  const bool missing = std::any_of(stage.slots.begin(), stage.slots.end(),
                                   [](const Slot& slot) { return slot.state == SlotState::empty; });
  if (missing) restore_missing(stage);
  stage.output = stage.join_outputs();
  stage.drop_work();
}

void Run::restore_missing(Stage& stage) {
  // Elements whose input could not be resolved have no item; the same reason comes out again.
  auto inputs = StageInputs::make(stage, scope());
  for (std::size_t i = 0; i < stage.slots.size(); ++i) {
    Slot& slot = stage.slots[i];
    if (slot.state != SlotState::empty) continue;
    const auto index = static_cast<std::int64_t>(i);
    Error why(Code::internal, "the item of this element is not there");
    if (inputs && index < (*inputs)->count()) {
      auto input = (*inputs)->input(index);
      if (!input) why = std::move(input).error();
    }
    slot.state = SlotState::failed;
    slot.output = model::Payload::of(stage_error_output(stage.spec->name, failure_of(why, stage)));
    ++stage.status.items_failed;
  }
}

int Run::step_number(std::string_view stage) const {
  const auto found = std::find_if(stages_.begin(), stages_.end(),
                                  [stage](const Stage& one) { return one.spec->name == stage; });
  return found == stages_.end() ? 0 : found->status.number;
}

}  // namespace mainstay::work
