#include "work/pipelines/run_table.h"

#include <utility>
#include <vector>

namespace mainstay::work {

void RunTable::start(std::shared_ptr<const model::RunSpec> spec, std::string_view caller_span,
                     RunContext& context) {
  const model::RunId id = spec->id;
  Run& run = *runs_.emplace(id, std::make_unique<Run>(std::move(spec))).first->second;
  keys_.open(run.spec().idempotency_key, run.spec().request_sha256, id);
  input_bytes_ += run.spec().input.view().size();
  run.begin(caller_span, context);
  if (run.deadline() != kNever) deadlines_.set(id, run.deadline());
  run.advance(context);
  settle(run, context.now);
}

Run& RunTable::restore(const model::RecoveredRun& recovered, Now now) {
  const model::RunId id = recovered.spec->id;
  Run& run = *runs_.emplace(id, std::make_unique<Run>(recovered.spec)).first->second;
  keys_.open(run.spec().idempotency_key, run.spec().request_sha256, id);
  input_bytes_ += run.spec().input.view().size();
  run.restore(recovered, now);
  if (run.deadline() != kNever) deadlines_.set(id, run.deadline());
  return run;
}

void RunTable::resume(RunContext& context) {
  std::vector<Run*> all;
  all.reserve(runs_.size());
  for (const auto& [id, run] : runs_) all.push_back(run.get());
  for (Run* run : all) {
    run->advance(context);
    settle(*run, context.now);
  }
}

Run* RunTable::find(const model::RunId& id) {
  const auto found = runs_.find(id);
  return found == runs_.end() ? nullptr : found->second.get();
}

void RunTable::cancel(Run& run, std::string_view reason, RunContext& context) {
  run.cancel(reason, context);
  settle(run, context.now);
}

void RunTable::tick(RunContext& context) {
  keys_.forget(context.now.mono);
  while (const auto id = deadlines_.pop_due(context.now.mono)) {
    Run* run = find(*id);
    if (run == nullptr) continue;
    run->time_out(context);
    settle(*run, context.now);
  }
  for (const model::RunId& id : std::exchange(unfinished_, {})) {
    Run* run = find(id);
    if (run == nullptr) continue;
    run->advance(context);
    settle(*run, context.now);
  }
}

void RunTable::take_news(RunContext& context) {
  while (context.items.has_news()) {
    for (const ItemNews& news : context.items.take_news()) {
      Run* run = find(news.spec->step->run);
      if (run == nullptr) continue;  // it is over, and cancelled the item itself
      run->on_item(news, context);
      changed_.insert(run->spec().id);
      settle(*run, context.now);
    }
  }
}

void RunTable::flush(model::Outbox& out) {
  for (const model::RunId& id : std::exchange(changed_, {})) {
    if (Run* run = find(id)) run->flush(out);
  }
}

std::optional<Mono> RunTable::next_due() const {
  if (!unfinished_.empty()) return Mono{};  // has passed
  return deadlines_.next_due();
}

void RunTable::settle(Run& run, Now now) {
  const model::RunId id = run.spec().id;
  if (run.has_more()) unfinished_.insert(id);
  if (!run.is_over()) return;
  deadlines_.cancel(id);
  unfinished_.erase(id);
  keys_.end(run.spec().idempotency_key, id, run.state(), now.mono);
  input_bytes_ -= run.spec().input.view().size();
  runs_.erase(id);
}

}  // namespace mainstay::work
