#include "work/pipelines/run.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/text.h"
#include "work/event_body.h"
#include "work/failure.h"
#include "work/trace_context.h"
#include "work/validation.h"

namespace mainstay::work {
namespace {

EventBody run_body(const model::RunSpec& run, std::string_view span_id) {
  EventBody body;
  body.text("pipeline", run.pipeline->name).number("version", run.pipeline->version);
  body.word("trace_id", trace_id_of(run.trace_parent)).word("span_id", span_id);
  return body;
}

EventBody step_body(const model::RunSpec& run, const Stage& stage, std::string_view run_span) {
  EventBody body;
  body.text("pipeline", run.pipeline->name).text("stage", stage.spec->name);
  body.number("step", stage.status.number).word("trace_id", trace_id_of(run.trace_parent));
  body.word("span_id", stage.span_id).word("parent_span_id", run_span);
  return body;
}

void add_usage(model::Usage& sum, const model::Usage& usage) {
  if (!is_any(usage)) return;
  if (!is_any(sum)) {
    sum.provider = usage.provider;
    sum.model = usage.model;
  } else if (sum.model != usage.model) {
    sum.model.clear();  // several; the rows of each attempt say which
    if (sum.provider != usage.provider) sum.provider.clear();
  }
  sum.add(usage);
}

}  // namespace

Run::Run(std::shared_ptr<const model::RunSpec> spec)
    : spec_(std::move(spec)), stages_(make_stages(*spec_)), span_id_(span_id_of(spec_->id, "")) {}

void Run::begin(std::string_view caller_span, RunContext& context) {
  started_ = context.now.mono;
  const Duration limit = spec_->pipeline->timeout;
  if (limit > Duration::zero()) deadline_ = started_ + std::min(limit, kMaxHorizon);
  context.out.row(model::RunInserted{spec_, status_});
  EventBody body = run_body(*spec_, span_id_);
  body.word("parent_span_id", caller_span);
  context.out.event(context.now.wall, "run.started", spec_->id.to_text(), std::move(body).take());
  for (Stage& stage : stages_) write_step(stage, context.out);
}

void Run::on_item(const ItemNews& news, RunContext& context) {
  if (is_over()) return;
  Stage* stage = stage_of(news.spec->step->stage);
  const auto index = static_cast<std::size_t>(news.spec->step->index);
  if (stage == nullptr || index >= stage->slots.size()) return;
  Slot& slot = stage->slots[index];
  if (slot.state != SlotState::open || slot.item != news.spec->id) return;
  add_usage(stage->status.usage, news.usage);
  stage->changed = true;
  if (!model::is_terminal(news.state)) {
    if (news.counted) ++stage->status.retries;
    return;
  }
  --stage->open;
  if (news.state == model::WorkState::succeeded) {
    slot.state = SlotState::done;
    slot.output = news.output;
    ++stage->status.items_done;
  } else {
    item_failed(*stage, news.spec->step->index, *news.error, context);
    if (is_over()) return;
  }
  int budget = kItemsPerCall;
  if (advance_stage(*stage, budget, context)) advance(context);
}

void Run::advance(RunContext& context) {
  int budget = kItemsPerCall;
  has_more_ = false;
  for (bool again = true; again && !is_over();) {
    again = false;
    for (Stage& stage : stages_) {
      if (is_over()) return;
      again = advance_stage(stage, budget, context) || again;
    }
  }
  const bool all_over = std::all_of(stages_.begin(), stages_.end(), [](const Stage& stage) {
    return model::is_terminal(stage.status.state);
  });
  if (all_over && !is_over()) finish(context);
}

bool Run::advance_stage(Stage& stage, int& budget, RunContext& context) {
  if (stage.status.state == model::StepState::waiting && is_ready(stage)) {
    start_stage(stage, context);
  }
  if (stage.status.state == model::StepState::running) fill_window(stage, budget, context);
  if (stage.status.state == model::StepState::running && stage.complete()) {
    stage.output = stage.join_outputs();
    const bool degraded = stage.status.items_failed > 0;
    end_stage(stage, degraded ? model::StepState::degraded : model::StepState::succeeded, context);
  }
  return model::is_terminal(stage.status.state) && std::exchange(stage.news, false);
}

bool Run::is_ready(const Stage& stage) const {
  return std::all_of(stage.needs.begin(), stage.needs.end(),
                     [this](std::size_t index) { return is_passed(stages_[index].status.state); });
}

void Run::start_stage(Stage& stage, RunContext& context) {
  auto wanted = is_wanted(stage, scope());
  if (wanted && !*wanted) {
    stage.output = model::Payload::of("null");
    return end_stage(stage, model::StepState::skipped, context);
  }
  stage.status.number = ++last_number_;
  stage.status.started_at = context.now.wall;
  stage.status.state = model::StepState::running;
  stage.started = context.now.mono;
  EventBody body = step_body(*spec_, stage, span_id_);
  body.text("capability", stage.spec->capability).boolean("critical", stage.spec->critical);
  context.out.event(context.now.wall, "step.started", spec_->id.to_text(), std::move(body).take());
  if (!wanted) return stage_failed(stage, failure_of(wanted.error(), stage), context);

  auto inputs = StageInputs::make(stage, scope());
  if (!inputs) return stage_failed(stage, failure_of(inputs.error(), stage), context);
  stage.inputs = *std::move(inputs);
  stage.status.items_total = stage.inputs->count();
  stage.slots.resize(static_cast<std::size_t>(stage.status.items_total));
  write_step(stage, context.out);
}

void Run::fill_window(Stage& stage, int& budget, RunContext& context) {
  const std::int64_t total = stage.status.items_total;
  while (stage.next < total && stage.open < stage.window()) {
    if (stage.slots[static_cast<std::size_t>(stage.next)].state != SlotState::empty) {
      ++stage.next;
      continue;
    }
    if (budget-- <= 0) {
      has_more_ = true;
      return;
    }
    if (!stage.inputs) {  // after a restart
      auto inputs = StageInputs::make(stage, scope());
      if (!inputs) return stage_failed(stage, failure_of(inputs.error(), stage), context);
      stage.inputs = *std::move(inputs);
    }
    const std::int64_t index = stage.next++;
    auto input = stage.inputs->input(index);
    if (input) {
      make_item(stage, index, *std::move(input), context);
    } else {
      item_failed(stage, index, failure_of(input.error(), stage), context);
      if (is_over()) return;
    }
  }
  if (stage.next == total) stage.inputs.reset();
}

void Run::make_item(Stage& stage, std::int64_t index, model::Payload input, RunContext& context) {
  const model::StageSpec& of = *stage.spec;
  auto work = std::make_shared<model::WorkSpec>();
  work->id = model::WorkId::make(context.ids, context.now.wall);
  work->description = stage.fan_out() ? fmt::format("{}/{} {} of {}", spec_->pipeline->name,
                                                    of.name, index + 1, stage.status.items_total)
                                      : fmt::format("{}/{}", spec_->pipeline->name, of.name);
  work->capability = of.capability;
  work->priority = std::clamp(of.priority, model::kPriorityMin, model::kPriorityMax);
  work->timeout = of.timeout > Duration::zero() ? of.timeout : context.settings.default_timeout;
  work->idle_timeout =
      of.idle_timeout > Duration::zero() ? of.idle_timeout : context.settings.default_idle_timeout;
  work->retry = {std::max(of.retries, 0) + 1, of.backoff_min, of.backoff_max};
  work->input = std::move(input);
  work->labels = spec_->labels;
  work->trace_parent = make_trace_parent(trace_id_of(spec_->trace_parent), stage.span_id);
  work->step = model::StepRef{spec_->id, spec_->pipeline->name, of.name, index};
  work->created_at = context.now.wall;
  Slot& slot = stage.slots[static_cast<std::size_t>(index)];
  slot.state = SlotState::open;
  slot.item = work->id;
  ++stage.open;
  context.items.accept(std::move(work), stage.status.number, context.now, context.out);
}

void Run::item_failed(Stage& stage, std::int64_t index, const model::WorkError& error,
                      RunContext& context) {
  Slot& slot = stage.slots[static_cast<std::size_t>(index)];
  slot.state = SlotState::failed;
  ++stage.status.items_failed;
  if (!stage.status.error) stage.status.error = error;
  stage.changed = true;
  if (stage.spec->critical) return fail(stage, error, context);
  slot.output = model::Payload::of(stage_error_output(stage.spec->name, error));
  tell_stage_error(stage, index, error, context);
}

void Run::stage_failed(Stage& stage, model::WorkError error, RunContext& context) {
  stage.status.error = error;
  if (stage.spec->critical) return fail(stage, error, context);
  stage.output = model::Payload::of(stage_error_output(stage.spec->name, error));
  tell_stage_error(stage, -1, error, context);
  cancel_items(stage, "its stage failed", context);
  end_stage(stage, model::StepState::degraded, context);
}

void Run::end_stage(Stage& stage, model::StepState state, RunContext& context) {
  model::StepStatus& status = stage.status;
  status.state = state;
  status.finished_at = context.now.wall;
  stage.drop_work();
  stage.news = true;
  EventBody body = step_body(*spec_, stage, span_id_);
  body.word("state", to_text(state));
  body.milliseconds("duration_ms",
                    status.started_at ? context.now.mono - stage.started : Duration{});
  body.number("items_total", status.items_total).number("items_done", status.items_done);
  body.number("items_failed", status.items_failed).number("retries", status.retries);
  if (is_any(status.usage)) body.usage("usage", status.usage);
  if (status.error) body.error("error", *status.error);
  context.out.event(context.now.wall, "step.finished", spec_->id.to_text(), std::move(body).take());
  write_step(stage, context.out);
}

void Run::fail(const Stage& stage, const model::WorkError& error, RunContext& context) {
  model::WorkError why = error;
  why.message = fmt::format("stage {} failed: {}", stage.spec->name, error.message);
  failed_stage_ = &stage;
  end(model::RunState::failed, std::move(why), context);
}

void Run::finish(RunContext& context) {
  const bool degraded = std::any_of(stages_.begin(), stages_.end(), [](const Stage& stage) {
    return stage.status.state == model::StepState::degraded;
  });
  status_.output = joined_output();
  end(degraded ? model::RunState::degraded : model::RunState::succeeded, std::nullopt, context);
}

void Run::cancel(std::string_view reason, RunContext& context) {
  const Error why(Code::cancelled, reason.empty() ? "cancelled" : std::string(reason));
  model::WorkError error = stage_failure(why, spec_->id, spec_->pipeline->name, "");
  error.kind = model::FailureKind::cancelled;
  end(model::RunState::cancelled, std::move(error), context);
}

void Run::time_out(RunContext& context) {
  const Error why(Code::deadline_exceeded,
                  fmt::format("the run took longer than its pipeline's timeout of {}",
                              base::duration_to_text(spec_->pipeline->timeout)));
  model::WorkError error = stage_failure(why, spec_->id, spec_->pipeline->name, "");
  error.kind = model::FailureKind::timeout;
  end(model::RunState::timed_out, std::move(error), context);
}

void Run::end(model::RunState state, std::optional<model::WorkError> error, RunContext& context) {
  status_.state = state;
  status_.finished_at = context.now.wall;
  status_.error = std::move(error);
  for (Stage& stage : stages_) {
    if (model::is_terminal(stage.status.state)) continue;
    cancel_items(stage, "its run ended as " + std::string(to_text(state)), context);
    if (&stage == failed_stage_) {
      end_stage(stage, model::StepState::failed, context);
    } else if (stage.status.state == model::StepState::waiting &&
               state == model::RunState::failed) {
      end_stage(stage, model::StepState::skipped, context);
    } else {
      end_stage(stage, model::StepState::cancelled, context);
    }
  }
  context.out.row(model::RunUpdated{spec_->id, status_});
  model::Usage usage;
  for (const Stage& stage : stages_) add_usage(usage, stage.status.usage);
  EventBody body = run_body(*spec_, span_id_);
  body.word("state", to_text(state)).milliseconds("duration_ms", context.now.mono - started_);
  if (is_any(usage)) body.usage("usage", usage);
  if (status_.error) body.error("error", *status_.error);
  context.out.event(context.now.wall, "run.finished", spec_->id.to_text(), std::move(body).take());
}

void Run::cancel_items(Stage& stage, std::string_view reason, RunContext& context) {
  for (Slot& slot : stage.slots) {
    if (slot.state != SlotState::open) continue;
    slot.state = SlotState::failed;
    if (Item* item = context.items.find(slot.item)) {
      context.items.cancel(*item, reason, context.now, context.out);
    }
  }
  stage.open = 0;
}

void Run::tell_stage_error(const Stage& stage, std::int64_t index, const model::WorkError& error,
                           RunContext& context) const {
  EventBody body = step_body(*spec_, stage, span_id_);
  if (index >= 0) body.number("index", index);
  body.error("error", error);
  context.out.event(context.now.wall, "step.stage_error", spec_->id.to_text(),
                    std::move(body).take());
}

void Run::write_step(Stage& stage, model::Outbox& out) {
  stage.changed = false;
  out.row(model::StepRow{spec_->id, stage.status});
}

void Run::flush(model::Outbox& out) {
  for (Stage& stage : stages_) {
    if (stage.changed) write_step(stage, out);
  }
}

model::WorkError Run::failure_of(const Error& error, const Stage& stage) const {
  return stage_failure(error, spec_->id, spec_->pipeline->name, stage.spec->name);
}

model::Payload Run::joined_output() const {
  std::string joined = "{";
  for (const Stage& stage : stages_) {
    if (stage.is_needed) continue;
    if (joined.size() > 1) joined.push_back(',');
    // Names of stages need no escaping (model: is_valid_name).
    joined.append("\"").append(stage.spec->name).append("\":");
    joined.append(stage.output.has_value() ? stage.output.view() : "null");
  }
  joined.push_back('}');
  return model::Payload::of(std::move(joined));
}

Stage* Run::stage_of(std::string_view name) {
  const auto found = std::find_if(stages_.begin(), stages_.end(),
                                  [name](const Stage& stage) { return stage.spec->name == name; });
  return found == stages_.end() ? nullptr : &*found;
}

}  // namespace mainstay::work
