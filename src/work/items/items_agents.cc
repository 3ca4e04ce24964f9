// What becomes of work items when their agent, its link or the daemon goes away and comes back.
#include <algorithm>
#include <utility>

#include "work/event_body.h"
#include "work/failure.h"
#include "work/items/items.h"

namespace mainstay::work {
namespace {

/// An attempt that ran while the daemon was away gets at least this long to deliver its result,
/// or its timeout if that is shorter.
constexpr Duration kRecoveryGrace = std::chrono::seconds(30);

/// How much of `limit` is left after `since`; a wall clock that jumped cannot make it negative or
/// longer than it was.
Duration remaining(Duration limit, Wall since, Wall now) {
  limit = std::max(limit, Duration::zero());
  return limit - std::clamp<Duration>(now - since, Duration::zero(), limit);
}

/// Agents acknowledge what they took; these results were recorded by their word.
bool is_agents_word(const model::WorkStatus& status) {
  if (model::is_terminal(status.state) || status.state == model::WorkState::running) return false;
  return status.error && (status.error->kind == model::FailureKind::error ||
                          status.error->kind == model::FailureKind::refused);
}

}  // namespace

void Items::restore(model::RecoveredWork recovered, int step_number,
                    const std::map<model::AgentName, bool>& linkable, Now now, model::Outbox& out) {
  const model::WorkStatus& status = recovered.status;
  Item& item = insert(std::move(recovered.spec), step_number, now);
  const Wall created = item.spec->created_at;
  if (item.spec->deadline) {
    item.deadline = now.mono + remaining(*item.spec->deadline - created, created, now.wall);
  }
  item.epoch = status.epoch;
  item.attempts_used = status.attempts_used;
  item.accepted_epoch = is_agents_word(status) ? status.epoch : 0;
  item.first_started_at = status.first_started_at;
  if (status.error) item.error = std::make_unique<model::WorkError>(*status.error);
  if (status.epoch > 0) {
    item.attempt = std::make_unique<Attempt>();
    item.attempt->agent = status.agent;
    item.attempt->started = now.mono;
  }
  if (status.state == model::WorkState::running) {
    if (recovered.attempt) restore_attempt(item, *recovered.attempt, now);
    leases_.add(item);
    set_state(item, model::WorkState::running);
    if (!recovered.attempt || !linkable.contains(item.attempt->agent)) {
      give_back(item, "the daemon went away and the command's process with it", now, out);
    }
  } else if (status.state == model::WorkState::delayed && status.due_at) {
    // Waits for a backoff, or for start_after; never longer than was asked for, whatever the wall
    // clock says now.
    const bool backoff = status.epoch > 0;
    const Duration longest =
        backoff ? item.spec->retry.backoff_max : std::max<Duration>(*status.due_at - created, {});
    item.due = now.mono + std::clamp<Duration>(*status.due_at - now.wall, {}, longest);
    item.due_at = *status.due_at;
    set_state(item, model::WorkState::delayed);
  } else {
    set_state(item, model::WorkState::queued);
  }
}

void Items::restore_attempt(Item& item, const model::AttemptRow& row, Now now) {
  Attempt& attempt = *item.attempt;
  const model::WorkSpec& spec = *item.spec;
  attempt.agent = row.agent;
  attempt.incarnation = row.incarnation;
  attempt.started_at = row.started_at;
  attempt.started = now.mono - std::max<Duration>(now.wall - row.started_at, {});
  if (spec.timeout > Duration::zero()) {
    const Duration grace = std::min(spec.timeout, kRecoveryGrace);
    attempt.timeout_at =
        now.mono + std::max(remaining(spec.timeout, row.started_at, now.wall), grace);
  }
  if (spec.idle_timeout > Duration::zero()) attempt.idle_at = now.mono + spec.idle_timeout;
}

void Items::restore(const model::RecoveredEnd& end) {
  // A failed one may have ended by timeout; then the agent's result was not recorded.
  const bool recorded = end.state == model::WorkState::succeeded;
  recent_ends_.add(end.id, {end.state, recorded ? end.epoch : 0});
}

void Items::agent_lost(const AgentLoss& loss, fleet::Directory& directory, Now now,
                       model::Outbox& out) {
  for (Item* item : leases_.running_of(loss.agent)) {
    if (item->attempt->incarnation > loss.incarnation) continue;
    release(*item->attempt, directory);
    if (loss.orderly) {
      stopped(*item, loss.reason, now, out);
    } else {
      lose(*item, loss.reason, now, out);
    }
  }
  const auto of_it = [&](const Stopping& held) { return held.incarnation <= loss.incarnation; };
  for (const Stopping& stopped : leases_.drop(loss.agent, of_it)) {
    if (stopped.holds_slot) directory.release(loss.agent, stopped.incarnation);
  }
}

void Items::stopped(Item& item, std::string_view reason, Now now, model::Outbox& out) {
  std::string message = "agent " + item.attempt->agent + " was stopped: ";
  const Ending ending{
      failure(model::FailureKind::agent_lost, Code::agent_lost, message.append(reason), item),
      {},
      false};
  end_attempt(item, to_text(ending.error.kind), &ending.error, now, out);
  hand_back(item, ending, now, out);
}

void Items::lose(Item& item, std::string_view reason, Now now, model::Outbox& out) {
  std::string message = "agent " + item.attempt->agent + " was lost";
  if (!reason.empty()) message.append(": ").append(reason);
  Ending ending{failure(model::FailureKind::agent_lost, Code::agent_lost, std::move(message), item),
                {},
                true};
  end_attempt(item, to_text(ending.error.kind), &ending.error, now, out);
  retry_or_fail(item, std::move(ending), now, out);
}

void Items::link_opened(const model::LinkOpened& opened, fleet::Directory& directory, Now now,
                        model::Outbox& out) {
  Held held;
  held.reserve(opened.held.size());
  for (const model::HeldAttempt& attempt : opened.held) {
    held.emplace_back(attempt.work, attempt.epoch);
  }
  std::sort(held.begin(), held.end());
  const auto holds = [&held](const model::WorkId& work, model::Epoch epoch) {
    return std::binary_search(held.begin(), held.end(), std::pair(work, epoch));
  };
  for (Item* item : leases_.running_of(opened.agent)) {
    const Attempt& attempt = *item->attempt;
    if (attempt.incarnation < opened.incarnation) {
      lose(*item, "a later start of it has connected", now, out);
    } else if (!holds(item->spec->id, item->epoch) && attempt.link != opened.link) {
      release(attempt, directory);
      give_back(*item, "the link was lost before the assignment arrived", now, out);
    }
  }
  for (const Stopping& gone : leases_.drop(opened.agent, [&](const Stopping& stopping) {
         return stopping.incarnation < opened.incarnation || !holds(stopping.work, stopping.epoch);
       })) {
    if (gone.holds_slot) directory.release(opened.agent, gone.incarnation);
  }
  resume_held(opened, held, directory, now, out);
}

void Items::resume_held(const model::LinkOpened& opened, const Held& held,
                        fleet::Directory& directory, Now now, model::Outbox& out) {
  for (const auto& [work, epoch] : held) {
    Item* item = find(work);
    if (item != nullptr && item->state == model::WorkState::running && item->epoch == epoch &&
        item->attempt->agent == opened.agent) {
      item->attempt->link = opened.link;
      if (const auto* agent = directory.find(opened.agent)) item->attempt->report = agent->report;
      if (!std::exchange(item->attempt->holds_slot, true)) directory.take(opened.agent);
      continue;
    }
    // Recorded already: it will send the result again and be told so.
    if (was_accepted(work, epoch)) continue;
    auto stopping = leases_.confirmed(opened.agent, work, epoch);
    if (!stopping || !stopping->holds_slot) directory.take(opened.agent);
    leases_.stop({work, epoch, opened.agent, opened.incarnation, true}, now);
    out.effect(
        model::CancelAttempt{opened.agent, opened.link, work, epoch, "this attempt is over"});
  }
}

}  // namespace mainstay::work
