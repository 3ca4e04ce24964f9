#include "work/items/items.h"

#include <algorithm>
#include <utility>

#include "base/text.h"
#include "work/event_body.h"
#include "work/failure.h"

namespace mainstay::work {
namespace {

/// Order of Mono as an unsigned number.
std::uint64_t timer_rank(Mono at) {
  return static_cast<std::uint64_t>(at.time_since_epoch().count()) ^ (1ULL << 63U);
}

/// The moment on the monotonic clock; one that has passed is now.
Mono to_mono(Wall at, Now now) {
  return now.mono + std::max<Duration>(at - now.wall, Duration::zero());
}

/// The agent of its newest attempt as it is now; nullptr when there is none.
const fleet::AgentView* agent_of(const Item& item, const fleet::Directory& directory) {
  return item.attempt ? directory.find(item.attempt->agent) : nullptr;
}

std::string_view event_of(model::WorkState state) {
  switch (state) {
    case model::WorkState::failed:
      return "work.failed";
    case model::WorkState::timed_out:
      return "work.timed_out";
    case model::WorkState::cancelled:
      return "work.cancelled";
    default:
      return "work.succeeded";
  }
}

}  // namespace

Items::Items(const WorkSettings& settings, std::uint64_t seed)
    : settings_(settings), jitter_(seed) {}

Item& Items::accept(std::shared_ptr<const model::WorkSpec> spec, int step_number, Now now,
                    model::Outbox& out) {
  Item& item = insert(std::move(spec), step_number, now);
  const model::WorkSpec& accepted = *item.spec;
  if (accepted.start_after && *accepted.start_after > now.wall) {
    item.due = to_mono(*accepted.start_after, now);
    item.due_at = *accepted.start_after;
    set_state(item, model::WorkState::delayed);
  } else {
    set_state(item, model::WorkState::queued);
  }
  model::WorkStatus status;
  status.state = item.state;
  if (item.state == model::WorkState::delayed) status.due_at = item.due_at;
  out.row(model::WorkInserted{item.spec, std::move(status)});

  EventBody body;
  body.text("capability", accepted.capability).number("priority", accepted.priority);
  if (!accepted.phase.empty()) body.text("phase", accepted.phase);
  body.word("state", to_text(item.state)).work(accepted, step_number);
  out.event(now.wall, "work.accepted", accepted.id.to_text(), std::move(body).take());
  return item;
}

Item& Items::insert(std::shared_ptr<const model::WorkSpec> spec, int step_number, Now now) {
  const auto [place, fresh] = items_.try_emplace(spec->id);
  MS_ASSERT(fresh, "work ids are unique");
  Item& item = place->second;
  item.arrival = next_arrival_++;
  item.step_number = step_number;
  auto queue = queues_.find(spec->capability);
  if (queue == queues_.end()) {
    queue = queues_.emplace(spec->capability, CapabilityQueue{spec->capability, {}}).first;
  }
  item.queue = &queue->second;
  if (spec->deadline) item.deadline = to_mono(*spec->deadline, now);
  item.spec = std::move(spec);
  if (!item.spec->step) input_bytes_ += item.spec->input.view().size();
  keys_.open(item.spec->idempotency_key, item.spec->request_sha256, item.spec->id);
  // Not in any count yet: queued is entered by the first set_state().
  item.state = model::WorkState::cancelled;
  ++counts_[static_cast<std::size_t>(item.state)];
  return item;
}

Item* Items::find(const model::WorkId& id) {
  const auto found = items_.find(id);
  return found == items_.end() ? nullptr : &found->second;
}

void Items::set_state(Item& item, model::WorkState state) {
  --counts_[static_cast<std::size_t>(item.state)];
  ++counts_[static_cast<std::size_t>(state)];
  if (item.state == model::WorkState::queued) item.queue->waiting.remove(item);
  item.state = state;
  if (state == model::WorkState::queued) item.queue->waiting.push(item, queue_key(item));
  if (state != model::WorkState::delayed) item.due = kNever;
  arm(item);
}

void Items::arm(Item& item) {
  Mono next = std::min(item.deadline, item.due);
  if (item.state == model::WorkState::running) {
    next = std::min({next, item.attempt->timeout_at, item.attempt->idle_at});
  }
  if (next == kNever || model::is_terminal(item.state)) {
    timers_.remove(item);
  } else {
    timers_.set(item, {timer_rank(next), item.arrival});
  }
}

void Items::tick(const fleet::Directory& directory, Now now, model::Outbox& out) {
  const std::uint64_t rank = timer_rank(now.mono);
  for (int i = 0; i < kTickBatch && !timers_.empty() && timers_.top_key().major <= rank; ++i) {
    on_timer(timers_.top(), directory, now, out);
  }
  keys_.forget(now.mono);
  tell_counted_stale(now, out);
  while (auto stuck = leases_.pop_overdue(now.mono)) {
    if (!stuck->holds_slot) continue;
    reports_.push_back(
        {stuck->agent, false,
         "it did not stop work item " + stuck->work.to_text() + " in 30 s after it was told to",
         true});
  }
}

void Items::on_timer(Item& item, const fleet::Directory& directory, Now now, model::Outbox& out) {
  if (item.deadline <= now.mono) return time_out(item, directory, now, out);
  if (item.state == model::WorkState::delayed) {
    set_state(item, model::WorkState::queued);
    return write_status(item, {}, now, out);
  }
  MS_ASSERT(item.state == model::WorkState::running, "only running items have attempt timers");
  const bool total = item.attempt->timeout_at <= now.mono;
  const Duration limit = total ? item.spec->timeout : item.spec->idle_timeout;
  const std::string message =
      total
          ? "the attempt took longer than its timeout of " + base::duration_to_text(limit)
          : "the attempt made no progress for its idle timeout of " + base::duration_to_text(limit);
  Ending ending{failure(total ? model::FailureKind::timeout : model::FailureKind::idle_timeout,
                        Code::attempt_timeout, message, item, agent_of(item, directory)),
                {},
                true};
  reports_.push_back({item.attempt->agent, false, message, false});
  stop_attempt(item, ending.error, now, out);
  retry_or_fail(item, std::move(ending), now, out);
}

std::optional<Mono> Items::next_due() const {
  std::optional<Mono> due = leases_.next_overdue();
  if (const auto counted = stale_results_.next_due()) {
    due = std::min(due.value_or(*counted), *counted);
  }
  if (timers_.empty()) return due;
  const auto ns = static_cast<std::int64_t>(timers_.top_key().major ^ (1ULL << 63U));
  const Mono first{Duration(ns)};
  return due ? std::min(*due, first) : first;
}

void Items::write_status(const Item& item, model::Payload output, Now now,
                         model::Outbox& out) const {
  model::WorkStatus status;
  status.state = item.state;
  status.epoch = item.epoch;
  status.attempts_used = item.attempts_used;
  if (item.attempt) status.agent = item.attempt->agent;
  if (item.state == model::WorkState::delayed) status.due_at = item.due_at;
  status.first_started_at = item.first_started_at;
  if (model::is_terminal(item.state)) status.finished_at = now.wall;
  status.output = std::move(output);
  if (item.error) status.error = *item.error;
  out.row(model::WorkUpdated{item.spec->id, std::move(status)});
}

void Items::end(Item& item, model::WorkState state, model::Payload output, model::Usage usage,
                Now now, model::Outbox& out) {
  set_state(item, state);
  if (state != model::WorkState::succeeded) {
    EventBody body;
    if (item.attempt) body.text("agent", item.attempt->agent).number("epoch", item.epoch);
    body.number("attempt", item.attempts_used);
    if (item.attempt) body.milliseconds("duration_ms", now.mono - item.attempt->started);
    body.work(*item.spec, item.step_number);
    if (item.error) body.error("error", *item.error);
    if (is_any(usage)) body.usage("usage", usage);
    out.event(now.wall, std::string(event_of(state)), item.spec->id.to_text(),
              std::move(body).take());
  }
  write_status(item, output, now, out);
  recent_ends_.add(item.spec->id, {state, item.accepted_epoch});
  if (item.spec->step) {
    ItemNews news{item.spec, state, true, std::move(output), std::nullopt, std::move(usage)};
    if (item.error) news.error = std::move(*item.error);
    news_.push_back(std::move(news));
  }
  keys_.end(item.spec->idempotency_key, item.spec->id, state, now.mono);
  --counts_[static_cast<std::size_t>(state)];
  if (!item.spec->step) input_bytes_ -= item.spec->input.view().size();
  const model::WorkId id = item.spec->id;
  items_.erase(id);
}

void Items::cancel(Item& item, std::string_view reason, Now now, model::Outbox& out) {
  item.error = std::make_unique<model::WorkError>(
      failure(model::FailureKind::cancelled, Code::cancelled,
              reason.empty() ? std::string("cancelled") : std::string(reason), item));
  item.error->permanent = true;
  if (item.state == model::WorkState::running) stop_attempt(item, *item.error, now, out);
  end(item, model::WorkState::cancelled, {}, {}, now, out);
}

void Items::time_out(Item& item, const fleet::Directory& directory, Now now, model::Outbox& out) {
  item.error = std::make_unique<model::WorkError>(
      failure(model::FailureKind::timeout, Code::deadline_exceeded,
              "the deadline passed: " + base::wall_to_text(*item.spec->deadline), item,
              agent_of(item, directory)));
  item.error->permanent = true;
  if (item.state == model::WorkState::running) stop_attempt(item, *item.error, now, out);
  end(item, model::WorkState::timed_out, {}, {}, now, out);
}

}  // namespace mainstay::work
