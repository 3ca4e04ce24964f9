// Links, health and timers: the half of the supervisor that judges what runs.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/text.h"
#include "fleet/supervision/agent_journal.h"
#include "fleet/supervision/health.h"
#include "fleet/supervision/supervisor.h"

namespace mainstay::fleet {

using model::AgentState;

namespace {

/// Counters and reasons reach the row at most this late; transitions at once.
constexpr Duration kRowFlush = std::chrono::seconds(1);
/// Of an error's text in rows.
constexpr std::size_t kErrorBytes = 1024;
constexpr Duration kLeastStallCheck = std::chrono::milliseconds(50);

std::string stop_text(const Agent& agent) {
  if (!agent.kill_reason.empty()) return agent.kill_reason + "; killed, not gone yet";
  return agent.stop_begun ? "stopping on request"
                          : "the fleet stops; waits for its dependants to be gone";
}

}  // namespace

Agent* Supervisor::find(const model::AgentName& name) {
  auto found = by_name_.find(name);
  return found == by_name_.end() ? nullptr : found->second;
}

Agent* Supervisor::find(const model::AgentName& name, model::Incarnation incarnation) {
  Agent* agent = find(name);
  return agent != nullptr && agent->status.incarnation == incarnation ? agent : nullptr;
}

void Supervisor::refuse_link(const model::LinkOpened& fact, std::string reason, Turn& turn) {
  turn.out.effect(model::CloseLink{fact.agent, fact.link, std::move(reason)});
}

void Supervisor::on(const model::LinkOpened& fact, Turn turn) {
  Agent* found = find(fact.agent);
  if (found == nullptr) return refuse_link(fact, "no such agent in the fleet file", turn);
  Agent& agent = *found;
  if (agent.status.incarnation != fact.incarnation || !agent.may_have_process()) {
    return refuse_link(fact,
                       fmt::format("start {} of the agent is over; the present one is {}",
                                   fact.incarnation, agent.status.incarnation),
                       turn);
  }
  if (agent.discard) return refuse_link(fact, "its spec has changed; it is being killed", turn);
  if (!agent.kill_reason.empty()) return refuse_link(fact, agent.kill_reason, turn);
  if (agent.link == fact.link) return;
  if (agent.link != 0) {
    turn.out.effect(model::CloseLink{fact.agent, agent.link, "a newer link of the same agent"});
  }
  agent.link = fact.link;
  agent.status.linked = true;
  agent.status.sdk = base::excerpt(fact.sdk, 200);
  directory_.set_link(fact.agent, fact.link, fact.slots, fact.capabilities);
  directory_.set_sdk(fact.agent, agent.status.sdk);
  agent.status.slots = directory_.find(fact.agent)->slots;
  note_unserved(agent, fact.capabilities, turn);
  if (agent.stop_begun) {
    const Duration left = agent.stop_deadline - turn.now.mono;
    turn.out.effect(model::DrainAgent{fact.agent, fact.link, std::max(Duration{0}, left)});
  } else {
    disarm_all(agent);
    agent.moved_at = turn.now.mono;
    watch_progress(agent, turn);
  }
  become_ready(agent, turn);
  advance(turn);
}

void Supervisor::note_unserved(Agent& agent, const std::vector<std::string>& serves, Turn& turn) {
  std::vector<std::string> unserved;
  for (const std::string& capability : agent.spec->capabilities) {
    // A hello that names none serves them all.
    const bool served =
        serves.empty() || std::find(serves.begin(), serves.end(), capability) != serves.end();
    if (!served) unserved.push_back(capability);
  }
  if (agent.status.unserved == unserved) return;
  agent.status.unserved = std::move(unserved);
  if (!agent.status.unserved.empty()) journal_unserved(agent.status, turn);
}

void Supervisor::become_ready(Agent& agent, Turn& turn) {
  const bool first = !agent.was_ready;
  if (first) {
    agent.was_ready = true;
    agent.ready_at = turn.now.mono;
  }
  refresh(agent, turn);
  mark_dirty(agent, turn);
  if (first) journal_ready(agent.status, turn);
}

void Supervisor::on(const model::LinkClosed& fact, Turn turn) {
  Agent* agent = find(fact.agent);
  if (agent == nullptr || agent->link == 0 || agent->link != fact.link) return;
  agent->link_reason = fact.orderly ? "it said goodbye and has not exited yet"
                                    : "its link is lost: " + base::excerpt(fact.reason, 200);
  lose_link(*agent);
  if (!agent->stop_begun && agent->kill_reason.empty() && agent->phase == Phase::running) {
    arm(*agent, Timer::link, turn.now.mono + agent->spec->health.link_grace);
  }
  refresh(*agent, turn);
  advance(turn);
}

void Supervisor::lose_link(Agent& agent) {
  agent.link = 0;
  agent.status.linked = false;
  sync_assignable(agent);
  directory_.clear_link(agent.status.name);
}

void Supervisor::tell_lost(Agent& agent, const std::string& reason, bool orderly) {
  if (std::exchange(agent.lost_told, true)) return;
  sync_assignable(agent);
  changes_.push_back(
      {agent.status.name, agent.status.incarnation, AgentChangeKind::lost, reason, orderly});
}

void Supervisor::note_outcome(const model::AgentName& name, bool ok, const std::string& error,
                              Turn turn) {
  Agent* agent = find(name);
  if (agent == nullptr) return;
  if (ok) {
    if (std::exchange(agent->failures_in_a_row, 0) < kDegradedAfter) return;
  } else {
    note_error(*agent, error, turn);
    if (++agent->failures_in_a_row < kDegradedAfter) return;
  }
  refresh(*agent, turn);
  advance(turn);
}

void Supervisor::note_stuck(const model::AgentName& name, const std::string& reason, Turn turn) {
  Agent* agent = find(name);
  // A command agent's attempts have processes of their own; the node ends those.
  if (agent == nullptr || agent->is_exec() || !agent->kill_reason.empty()) return;
  if (!agent->may_have_process() || agent->stop_begun) return;
  kill(*agent, reason, turn);
  advance(turn);
}

void Supervisor::watch_progress(const Agent& agent, Turn& turn) {
  const Duration limit = agent.spec->health.stall_after;
  if (limit <= Duration::zero()) return;
  arm(agent, Timer::stall, turn.now.mono + std::max<Duration>(limit / 4, kLeastStallCheck));
}

// Looks now and then instead of keeping a timer per attempt: an agent that works costs nothing, and
// a stall is told at most a quarter late.
void Supervisor::check_progress(Agent& agent, Turn& turn) {
  if (agent.link == 0) return;  // the next link begins anew
  const AgentView& view = *directory_.find(agent.status.name);
  const Duration limit = agent.spec->health.stall_after;
  if (view.busy == 0 || std::exchange(agent.signs, view.signs) != view.signs) {
    agent.moved_at = turn.now.mono;
    agent.stall_reason.clear();
  } else if (turn.now.mono - agent.moved_at >= limit && agent.stall_reason.empty()) {
    agent.stall_reason =
        fmt::format("no progress for {} from the {} it holds", base::duration_to_text(limit),
                    view.busy == 1 ? "item" : fmt::format("{} items", view.busy));
  }
  watch_progress(agent, turn);
  refresh(agent, turn);
}

void Supervisor::refresh(Agent& agent, Turn& turn) {
  const bool alive = agent.phase == Phase::running ||
                     (agent.phase != Phase::ended && agent.link != 0) ||
                     (agent.stop_wanted && agent.may_have_process());
  if (alive && agent.stop_wanted) {
    transition(agent, AgentState::draining, stop_text(agent), turn);
  } else if (alive) {
    const Health health = judge({!agent.is_exec(), agent.link != 0, agent.was_ready,
                                 agent.stall_reason, agent.kill_reason, agent.link_reason,
                                 agent.failures_in_a_row, agent.status.last_error,
                                 agent.failed_needs, base::join(agent.status.unserved, ", ")});
    transition(agent, health.state, health.reason, turn);
  }
  sync_assignable(agent);
}

void Supervisor::transition(Agent& agent, AgentState state, std::string reason, Turn& turn) {
  model::AgentStatus& status = agent.status;
  const AgentState from = status.state;
  if (from == state && status.reason == reason) return;
  status.state = state;
  status.reason = std::move(reason);
  if (from == state) {
    mark_dirty(agent, turn);
  } else {
    changed_ = true;
    write_row(agent, turn);
    journal_state_change(status, from, turn);
  }
  sync_assignable(agent);
}

void Supervisor::sync_assignable(Agent& agent) {
  const AgentView* view = directory_.find(agent.status.name);
  if (view == nullptr) return;
  const AgentState state = agent.status.state;
  const bool able = state == AgentState::healthy || state == AgentState::degraded;
  const bool reachable = agent.is_exec() ? agent.phase == Phase::running : agent.link != 0;
  const bool now = able && reachable && !agent.stop_wanted && !agent.lost_told;
  if (now == view->assignable) return;
  directory_.set_assignable(agent.status.name, now);
  changes_.push_back({agent.status.name, agent.status.incarnation,
                      now ? AgentChangeKind::available : AgentChangeKind::unavailable,
                      agent.status.reason});
}

void Supervisor::note_error(Agent& agent, const std::string& error, Turn& turn) {
  ++agent.status.error_count;
  agent.status.last_error = base::excerpt(error, kErrorBytes);
  agent.status.last_error_at = turn.now.wall;
  mark_dirty(agent, turn);
}

void Supervisor::write_row(Agent& agent, Turn& turn) {
  agent.row_dirty = false;
  turn.out.row(model::AgentRow{agent.status});
}

void Supervisor::mark_dirty(Agent& agent, Turn& turn) {
  agent.row_dirty = true;
  if (!flush_due_) flush_due_ = turn.now.mono + kRowFlush;
}

void Supervisor::flush_rows(Turn& turn) {
  flush_due_.reset();
  for (const auto& agent : agents_) {
    if (agent->row_dirty) write_row(*agent, turn);
  }
}

void Supervisor::arm(const Agent& agent, Timer timer, Mono due) {
  timers_.set({agent.status.name, timer}, due);
}

void Supervisor::disarm_all(const Agent& agent) {
  for (Timer timer : {Timer::restart, Timer::hello, Timer::link, Timer::drain, Timer::stall}) {
    timers_.cancel({agent.status.name, timer});
  }
}

void Supervisor::tick(Turn turn) {
  while (auto key = timers_.pop_due(turn.now.mono)) fire(*key, turn);
  if (stopping_) {
    for (const auto& agent : agents_) {
      if (!agent->is_exec() || agent->phase != Phase::running || !agent->stop_begun) continue;
      const AgentView* view = directory_.find(agent->status.name);
      if (view != nullptr && view->busy > 0) continue;
      tell_lost(*agent, "the fleet stops");
      end(*agent, AgentState::stopped, "stopped on request", turn);
    }
  }
  advance(turn);
  if (flush_due_ && *flush_due_ <= turn.now.mono) flush_rows(turn);
}

void Supervisor::fire(const TimerKey& key, Turn& turn) {
  Agent* agent = find(key.agent);
  if (agent == nullptr) return;
  const model::HealthPolicy& health = agent->spec->health;
  switch (key.timer) {
    case Timer::restart:
      launch(*agent, true, turn);
      return;
    case Timer::hello:
      kill(*agent,
           fmt::format("no hello within {} of its start",
                       base::duration_to_text(health.start_grace)),
           turn);
      return;
    case Timer::link:
      kill(*agent,
           fmt::format("its link was gone for {}", base::duration_to_text(health.link_grace)),
           turn);
      return;
    case Timer::drain:
      drain_over(*agent, turn);
      return;
    case Timer::stall:
      check_progress(*agent, turn);
      return;
  }
}

std::optional<Mono> Supervisor::next_due() const {
  const std::optional<Mono> timer = timers_.next_due();
  if (!timer) return flush_due_;
  if (!flush_due_) return timer;
  return std::min(*timer, *flush_due_);
}

}  // namespace mainstay::fleet
