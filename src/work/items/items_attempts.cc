// How attempts of work items begin and end.
#include <algorithm>
#include <utility>

#include "work/event_body.h"
#include "work/failure.h"
#include "work/items/items.h"
#include "work/items/retry_policy.h"
#include "work/validation.h"

namespace mainstay::work {
namespace {

/// Tries given back (refused, cancelled by the agent itself, or never arrived) that one item may
/// have without counting; more look like an agent that never takes it, and every retry needs a
/// bound.
constexpr std::int64_t kMaxUncounted = 20;

/// Every try has an epoch, and is taken back from attempts_used when it does not count. Both are in
/// the item's row, so a restart of the daemon forgets nothing.
std::int64_t uncounted(const Item& item) { return item.epoch - item.attempts_used; }

/// Never, when the limit is zero.
Mono after(Mono start, Duration limit) {
  return limit > Duration::zero() ? start + std::min(limit, kMaxHorizon) : kNever;
}

Duration time_left(const Item& item, Now now) {
  const Mono end = std::min(item.attempt->timeout_at, item.deadline);
  if (end == kNever) return Duration::zero();
  return std::max<Duration>(end - now.mono, std::chrono::milliseconds(1));
}

model::AttemptRow attempt_row(const Item& item) {
  model::AttemptRow row;
  row.work = item.spec->id;
  row.epoch = item.epoch;
  row.agent = item.attempt->agent;
  row.incarnation = item.attempt->incarnation;
  row.started_at = item.attempt->started_at;
  return row;
}

/// Writes a row per entry; their sum, with the model when it is the same one everywhere.
model::Usage take_usage(const model::AttemptFinished& finished, model::Outbox& out) {
  model::Usage sum;
  int ordinal = 0;
  for (const model::Usage& usage : finished.outcome.usage) {
    out.row(model::UsageRow{finished.work, finished.epoch, ordinal, usage});
    if (ordinal++ == 0) {
      sum.provider = usage.provider;
      sum.model = usage.model;
    } else if (sum.model != usage.model) {
      sum.model.clear();
    }
    sum.add(usage);
  }
  return sum;
}

/// The agent was asked to stop and says that it could not finish in time. A refusal or a cancel
/// then is the same; a failure of the handler's own is not.
bool is_given_up(const model::AttemptFinished& finished, const model::WorkError& error,
                 const fleet::Directory& directory) {
  const fleet::AgentView* agent = directory.find(finished.agent);
  if (agent == nullptr || !agent->stopping || error.permanent) return false;
  return error.kind == model::FailureKind::refused || error.kind == model::FailureKind::cancelled ||
         error.code == base::code_info(Code::agent_lost).name;
}

}  // namespace

void Items::dispatch(fleet::Directory& directory, Now now, model::Outbox& out) {
  if (queued() == 0) return;
  startable_.clear();
  for (auto& [name, queue] : queues_) {
    if (!queue.waiting.empty() && directory.has_free(name)) startable_.push_back(&queue);
  }
  // One order over all capabilities: an agent that offers several takes the most urgent item.
  while (!startable_.empty()) {
    const auto best = std::min_element(startable_.begin(), startable_.end(),
                                       [](CapabilityQueue* a, CapabilityQueue* b) {
                                         return a->waiting.top_key() < b->waiting.top_key();
                                       });
    const fleet::AgentView* agent = directory.pick((*best)->capability);
    if (agent != nullptr) start((*best)->waiting.top(), *agent, directory, now, out);
    if (agent == nullptr || (*best)->waiting.empty()) startable_.erase(best);
  }
}

void Items::start(Item& item, const fleet::AgentView& agent, fleet::Directory& directory, Now now,
                  model::Outbox& out) {
  if (!item.attempt) item.attempt = std::make_unique<Attempt>();
  Attempt& attempt = *item.attempt;
  attempt = Attempt{};
  attempt.agent = agent.name;
  attempt.link = agent.link;
  attempt.incarnation = agent.incarnation;
  attempt.report = agent.report;
  attempt.started = now.mono;
  attempt.started_at = now.wall;
  attempt.timeout_at = after(now.mono, item.spec->timeout);
  attempt.idle_at = after(now.mono, item.spec->idle_timeout);
  attempt.holds_slot = true;
  ++item.epoch;
  ++item.attempts_used;
  if (!item.first_started_at) item.first_started_at = now.wall;
  leases_.add(item);
  set_state(item, model::WorkState::running);

  write_status(item, {}, now, out);
  out.row(attempt_row(item));
  EventBody body;
  body.text("agent", attempt.agent).number("incarnation", attempt.incarnation);
  body.number("epoch", item.epoch).number("attempt", item.attempts_used);
  body.milliseconds("since_accepted_ms", now.wall - item.spec->created_at);
  body.work(*item.spec, item.step_number);
  out.event(now.wall, "work.started", item.spec->id.to_text(), std::move(body).take());
  model::AssignWork assign{
      attempt.agent,    attempt.link,         item.spec, item.epoch, item.attempts_used,
      item.step_number, time_left(item, now), nullptr};
  if (agent.kind == model::AgentKind::exec) assign.spec = agent.spec;
  out.effect(std::move(assign));
  directory.take(attempt.agent);
}

void Items::end_attempt(Item& item, std::string_view outcome, const model::WorkError* error,
                        Now now, model::Outbox& out) {
  leases_.remove(item);
  model::AttemptRow row = attempt_row(item);
  row.finished_at = now.wall;
  row.outcome = outcome;
  if (error != nullptr) row.error = *error;
  out.row(std::move(row));
}

void Items::stop_attempt(Item& item, const model::WorkError& error, Now now, model::Outbox& out) {
  end_attempt(item, to_text(error.kind), &error, now, out);
  leases_.stop(item, now);
  // An attempt from before a restart has no link yet; link_opened() will cancel it.
  if (!item.attempt->holds_slot) return;
  out.effect(model::CancelAttempt{item.attempt->agent, item.attempt->link, item.spec->id,
                                  item.epoch, error.message});
}

void Items::on(const model::AttemptFinished& finished, fleet::Directory& directory, Now now,
               model::Outbox& out) {
  if (const auto stopped = leases_.confirmed(finished.agent, finished.work, finished.epoch)) {
    if (stopped->holds_slot) directory.release(stopped->agent, stopped->incarnation);
    const bool expected =
        finished.outcome.error && finished.outcome.error->kind == model::FailureKind::cancelled;
    if (!expected) return refuse_stale(finished, find(finished.work), now, out);
    return out.effect(
        model::AckResult{finished.agent, finished.link, finished.work, finished.epoch, false});
  }
  Item* item = find(finished.work);
  const bool current = item != nullptr && item->state == model::WorkState::running &&
                       item->epoch == finished.epoch && item->attempt->agent == finished.agent;
  if (!current) {
    if (!was_accepted(finished.work, finished.epoch)) {
      return refuse_stale(finished, item, now, out);
    }
    return out.effect(
        model::AckResult{finished.agent, finished.link, finished.work, finished.epoch, true});
  }
  item->accepted_epoch = finished.epoch;
  release(*item->attempt, directory);
  out.effect(model::AckResult{finished.agent, finished.link, finished.work, finished.epoch, true});
  if (finished.outcome.output && !finished.outcome.error) return succeed(*item, finished, now, out);

  Ending ending;
  if (finished.outcome.error) {
    ending.error = *finished.outcome.error;
  } else {
    ending.error.message = "the agent sent neither an output nor an error";
  }
  ending.error = reported_failure(std::move(ending.error), *item);
  ending.usage = take_usage(finished, out);
  const bool given_up = is_given_up(finished, ending.error, directory);
  ending.counted = !given_up && counts(*item, ending.error);
  if (ending.counted) {
    reports_.push_back({finished.agent, false, ending.error.message, false});
  }
  end_attempt(*item, to_text(ending.error.kind), &ending.error, now, out);
  if (given_up) return hand_back(*item, ending, now, out);
  retry_or_fail(*item, std::move(ending), now, out);
}

void Items::succeed(Item& item, const model::AttemptFinished& finished, Now now,
                    model::Outbox& out) {
  model::Usage usage = take_usage(finished, out);
  item.error.reset();
  end_attempt(item, "succeeded", nullptr, now, out);
  EventBody body;
  body.text("agent", finished.agent).number("epoch", item.epoch);
  body.number("attempt", item.attempts_used);
  body.milliseconds("duration_ms", now.mono - item.attempt->started);
  body.milliseconds("handler_ms", finished.outcome.handler_time);
  body.work(*item.spec, item.step_number);
  if (!finished.outcome.usage.empty()) body.usage("usage", usage);
  out.event(now.wall, "work.succeeded", item.spec->id.to_text(), std::move(body).take());
  reports_.push_back({finished.agent, true, {}, false});
  end(item, model::WorkState::succeeded, *finished.outcome.output, std::move(usage), now, out);
}

bool Items::counts(const Item& item, const model::WorkError& error) {
  const bool given_back =
      error.kind == model::FailureKind::refused || error.kind == model::FailureKind::cancelled;
  return !given_back || error.permanent || uncounted(item) >= kMaxUncounted;
}

void Items::retry_or_fail(Item& item, Ending ending, Now now, model::Outbox& out) {
  if (!ending.counted) --item.attempts_used;
  item.error = std::make_unique<model::WorkError>(ending.error);
  const Verdict verdict =
      ending.counted ? after_failure(item.spec->retry, item.attempts_used, ending.error.permanent)
                     : Verdict::retry;
  if (verdict == Verdict::give_up) {
    return end(item, model::WorkState::failed, {}, std::move(ending.usage), now, out);
  }
  const std::int64_t tries = ending.counted ? item.attempts_used : uncounted(item);
  // The first that its agent lost goes back at once: links break, and mostly only once.
  const bool lost = !ending.counted && ending.error.kind == model::FailureKind::agent_lost;
  const Duration wait =
      lost && tries == 1 ? Duration::zero()
                         : backoff_before_retry(item.spec->retry, static_cast<int>(tries), jitter_);
  put_back(item, wait, ending, now, out);
}

void Items::put_back(Item& item, Duration wait, const Ending& ending, Now now, model::Outbox& out) {
  if (wait > Duration::zero()) {
    item.due_at = now.wall + std::chrono::ceil<Wall::duration>(wait);
    item.due = now.mono + wait;
    set_state(item, model::WorkState::delayed);
  } else {
    set_state(item, model::WorkState::queued);
  }
  EventBody body;
  body.text("agent", item.attempt->agent).number("epoch", item.epoch);
  body.number("attempt", item.attempts_used).boolean("counted", ending.counted);
  body.milliseconds("duration_ms", now.mono - item.attempt->started);
  body.milliseconds("retry_in_ms", wait);
  body.work(*item.spec, item.step_number).error("error", ending.error);
  if (is_any(ending.usage)) body.usage("usage", ending.usage);
  out.event(now.wall, "work.retrying", item.spec->id.to_text(), std::move(body).take());
  write_status(item, {}, now, out);
  if (item.spec->step) {
    news_.push_back({item.spec, item.state, ending.counted, {}, ending.error, ending.usage});
  }
}

void Items::give_back(Item& item, std::string message, Now now, model::Outbox& out) {
  Ending ending{failure(model::FailureKind::agent_lost, Code::agent_lost, std::move(message), item),
                {},
                uncounted(item) >= kMaxUncounted};
  end_attempt(item, to_text(ending.error.kind), &ending.error, now, out);
  retry_or_fail(item, std::move(ending), now, out);
}

void Items::hand_back(Item& item, const Ending& ending, Now now, model::Outbox& out) {
  --item.attempts_used;
  item.error = std::make_unique<model::WorkError>(ending.error);
  put_back(item, Duration::zero(), ending, now, out);
}

void Items::on(const model::AttemptProgress& progress, fleet::Directory& directory, Now now) {
  Item* item = find(progress.work);
  if (item == nullptr || item->state != model::WorkState::running) return;
  if (item->epoch != progress.epoch || item->attempt->agent != progress.agent) return;
  item->attempt->progress = std::clamp(progress.fraction, 0.0, 1.0);
  item->attempt->idle_at = after(now.mono, item->spec->idle_timeout);
  arm(*item);
  directory.note_progress(progress.agent);
}

void Items::refuse_stale(const model::AttemptFinished& finished, const Item* item, Now now,
                         model::Outbox& out) {
  out.effect(model::AckResult{finished.agent, finished.link, finished.work, finished.epoch, false});
  const StaleResults::Verdict verdict = stale_results_.take(finished.agent, now.mono);
  if (verdict == StaleResults::Verdict::blame) {
    reports_.push_back(
        {finished.agent, false, "it floods with results of attempts that it does not hold", false});
  }
  if (verdict != StaleResults::Verdict::record) return;
  EventBody body;
  body.text("agent", finished.agent).number("epoch", finished.epoch);
  body.boolean("succeeded", finished.outcome.output && !finished.outcome.error);
  if (item != nullptr) {
    body.number("current_epoch", item->epoch).word("state", to_text(item->state));
    body.work(*item->spec, item->step_number);
  } else if (const RecentEnds::End* end = recent_ends_.find(finished.work)) {
    body.word("state", to_text(end->state));
  }
  out.event(now.wall, "work.stale_result", finished.work.to_text(), std::move(body).take());
}

void Items::tell_counted_stale(Now now, model::Outbox& out) {
  while (const auto counted = stale_results_.pop_over(now.mono)) {
    EventBody body;
    body.text("agent", counted->agent).number("count", counted->results);
    body.text("reason", std::to_string(counted->results) +
                            " more results of attempts that it does not hold were refused");
    out.event(now.wall, "agent.stale_results", counted->agent, std::move(body).take());
  }
}

bool Items::was_accepted(const model::WorkId& id, model::Epoch epoch) {
  if (const Item* item = find(id)) return item->accepted_epoch == epoch;
  const RecentEnds::End* end = recent_ends_.find(id);
  return end != nullptr && end->accepted_epoch == epoch;
}

void Items::release(const Attempt& attempt, fleet::Directory& directory) {
  if (attempt.holds_slot) directory.release(attempt.agent, attempt.incarnation);
}

}  // namespace mainstay::work
