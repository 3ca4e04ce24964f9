#include "fleet/supervision/supervisor.h"

#include <algorithm>
#include <utility>

#include "fleet/supervision/agent_journal.h"
#include "fleet/supervision/spec_digest.h"

namespace mainstay::fleet {
namespace {

using model::AgentKind;
using model::AgentState;

/// Something of that start may still be alive. Not only where a process was recorded: a hello may
/// overtake the news of the process, and a stop may come before it.
bool may_be_alive(const model::AgentStatus& row) {
  if (row.kind != AgentKind::link || row.incarnation == 0) return false;
  return row.process.has_value() ||
         (row.state != AgentState::stopped && row.state != AgentState::backoff &&
          row.state != AgentState::failed);
}

/// It had ended for good, and nobody has asked for it anew since: neither by stop(), which clears
/// the digest, nor by another spec.
bool stays_ended(const model::AgentStatus& row, const model::AgentSpec& spec) {
  return (row.state == AgentState::stopped || row.state == AgentState::failed) &&
         row.spec_digest == spec_digest(spec);
}

}  // namespace

Result<void> Supervisor::load(std::shared_ptr<const model::FleetSpec> fleet, Turn turn) {
  if (fleet_ && !stopped()) {
    return Error(Code::conflict, "the fleet " + fleet_->name + " is loaded; stop it first");
  }
  if (auto names = check_agent_names(*fleet); !names) return names.error();
  auto graph = make_dependency_graph(*fleet);
  if (!graph) return graph.error();

  for (const auto& agent : agents_) {
    earlier_[agent->status.name] = agent->status;
    directory_.remove(agent->status.name);
  }
  agents_.clear();
  by_name_.clear();
  stopping_ = false;
  fleet_ = std::move(fleet);
  graph_ = *std::move(graph);
  agents_of_entry_.assign(fleet_->agents.size(), {});
  for (std::size_t entry = 0; entry < fleet_->agents.size(); ++entry) {
    const auto& spec = fleet_->agents[entry];
    for (const model::AgentName& name : agent_names(*spec)) place(spec, entry, name, turn);
  }
  for (const auto& [name, row] : earlier_) drop_earlier(row, turn);
  earlier_.clear();
  journal_loaded(*fleet_, agents_.size(), turn);
  changed_ = true;
  advance(turn);
  return {};
}

void Supervisor::place(const std::shared_ptr<const model::AgentSpec>& spec, std::size_t entry,
                       const model::AgentName& name, Turn& turn) {
  Agent& agent = *agents_.emplace_back(std::make_unique<Agent>());
  agents_of_entry_[entry].push_back(&agent);
  by_name_[name] = &agent;
  directory_.add(name, spec);
  agent.spec = spec;
  agent.entry = entry;
  auto row = earlier_.extract(name);
  if (!row.empty()) agent.status = row.mapped();
  model::AgentStatus& status = agent.status;
  status.name = name;
  status.spec = spec->name;
  status.kind = spec->kind;
  status.capabilities = spec->capabilities;
  status.labels = spec->labels;
  status.slots = std::max(1, spec->concurrency);
  status.endpoint.clear();
  status.lease_until.reset();
  status.linked = false;
  directory_.begin_incarnation(name, status.incarnation);
  if (!row.empty()) settle_earlier(agent, row.mapped(), turn);
  if (agent.phase == Phase::waiting) {
    status.process.reset();
    transition(agent, AgentState::starting, "waits for its turn", turn);
  }
}

void Supervisor::settle_earlier(Agent& agent, const model::AgentStatus& row, Turn& turn) {
  agent.lost_told = row.incarnation == 0;
  if (!may_be_alive(row)) {
    tell_lost(agent, "the daemon was restarted");
    if (!stays_ended(row, *agent.spec)) return;
    agent.phase = Phase::ended;
    agent.ended_earlier = true;
    mark_dirty(agent, turn);
    return;
  }
  agent.phase = Phase::adopting;
  agent.discard_is_stop = row.state == AgentState::draining;
  agent.discard =
      agent.is_exec() || row.spec_digest != spec_digest(*agent.spec) || agent.discard_is_stop;
  agent.was_ready = row.state != AgentState::starting;
  agent.ready_at = turn.now.mono;
  transition(agent, AgentState::starting,
             agent.discard ? "its process of before the restart is being killed"
                           : "its process of before the restart is being looked for",
             turn);
  turn.out.effect(model::AdoptProcess{row.name, row.incarnation, row.process, row.token_sha256,
                                      agent.spec, agent.discard});
}

void Supervisor::drop_earlier(const model::AgentStatus& row, Turn& turn) {
  if (!may_be_alive(row)) {
    if (row.incarnation > 0) {
      changes_.push_back(
          {row.name, row.incarnation, AgentChangeKind::lost, "the fleet file no longer has it"});
    }
    turn.out.row(model::AgentRemoved{row.name});
    journal_removed(row.name, "the fleet file no longer has it", turn);
    return;
  }
  model::AgentStatus& dropped = dropped_[row.name] = row;
  dropped.state = AgentState::draining;
  dropped.reason = "the fleet file no longer has it; it is being killed";
  turn.out.row(model::AgentRow{dropped});
  journal_state_change(dropped, row.state, turn);
  turn.out.effect(
      model::AdoptProcess{row.name, row.incarnation, row.process, row.token_sha256, nullptr, true});
}

void Supervisor::stop(model::ReplyToken token, Turn turn) {
  stop_tokens_.push_back(token);
  stopping_ = true;
  for (const auto& agent : agents_) {
    agent->stop_wanted = true;
    // Whoever starts the fleet again wants all of it, also what has ended or failed by then.
    agent->status.spec_digest.clear();
    if (agent->phase == Phase::backoff) {
      end(*agent, AgentState::stopped, "stopped on request", turn);
    }
    refresh(*agent, turn);
    write_row(*agent, turn);
  }
  changed_ = true;
  advance(turn);
}

void Supervisor::advance(Turn& turn) {
  while (std::exchange(changed_, false)) {
    for (std::size_t entry : graph_.order) advance_starts(entry, turn);
    if (stopping_) advance_stops(turn);
  }
}

void Supervisor::advance_starts(std::size_t entry, Turn& turn) {
  std::string waiting_for;
  std::string failed;
  bool ready = true;
  bool ready_again = true;
  for (std::size_t need : graph_.needs[entry]) {
    const Standing there = standing(need);
    ready = ready && there.ready;
    ready_again = ready_again && (there.ready || there.was_ready);
    if (!there.ready && waiting_for.empty()) waiting_for = there.waiting_for;
    if (failed.empty()) failed = there.failed;
  }
  for (Agent* agent : agents_of_entry_[entry]) {
    agent->failed_needs = failed;
    if (agent->phase != Phase::waiting) {
      refresh(*agent, turn);
    } else if (!agent->stop_wanted && (ready || (ready_again && agent->status.incarnation > 0))) {
      launch(*agent, false, turn);
    } else if (!agent->stop_wanted) {
      transition(*agent, AgentState::starting, waiting_for, turn);
    }
  }
}

Supervisor::Standing Supervisor::standing(std::size_t entry) const {
  Standing result;
  bool up = false;
  bool ended_earlier = false;
  const Agent* pending = nullptr;
  const Agent* over = nullptr;
  for (const Agent* agent : agents_of_entry_[entry]) {
    const AgentState state = agent->status.state;
    if (state == AgentState::healthy || state == AgentState::degraded) {
      up = true;
    } else if (agent->phase == Phase::ended) {
      over = agent;
      ended_earlier = ended_earlier || agent->ended_earlier;
    } else {
      pending = agent;
    }
    if (state == AgentState::failed && result.failed.empty()) {
      result.failed =
          agent->status.name + ", which it depends on, has failed: " + agent->status.reason;
    }
  }
  // Replicas that are over do not hold up dependants, as long as one is up.
  result.ready = up && pending == nullptr;
  result.was_ready = ended_earlier && pending == nullptr;
  if (pending != nullptr) {
    result.waiting_for = "waits for " + pending->status.name + " to be ready (" +
                         std::string(to_text(pending->status.state)) + ")";
  } else if (!up && over != nullptr) {
    result.waiting_for = "waits for " + over->status.name + ", which has " +
                         std::string(to_text(over->status.state)) + ": " + over->status.reason;
  }
  return result;
}

void Supervisor::advance_stops(Turn& turn) {
  for (auto entry = graph_.order.rbegin(); entry != graph_.order.rend(); ++entry) {
    const auto& users = graph_.needed_by[*entry];
    if (!std::all_of(users.begin(), users.end(), [&](std::size_t u) { return all_ended(u); })) {
      continue;
    }
    for (Agent* agent : agents_of_entry_[*entry]) {
      if (!agent->stop_begun) begin_stop(*agent, turn);
    }
  }
  if (!stopped()) return;
  for (model::ReplyToken token : std::exchange(stop_tokens_, {})) {
    turn.out.reply(token, model::ReplyBody{model::Done{}});
  }
}

bool Supervisor::all_ended(std::size_t entry) const {
  const auto& agents = agents_of_entry_[entry];
  return std::all_of(agents.begin(), agents.end(),
                     [](const Agent* agent) { return agent->phase == Phase::ended; });
}

bool Supervisor::stopped() const {
  if (!stopping_ || !dropped_.empty()) return false;
  return std::all_of(agents_.begin(), agents_.end(),
                     [](const auto& agent) { return agent->phase == Phase::ended; });
}

bool Supervisor::owns(const model::AgentName& name) const {
  return by_name_.contains(name) || earlier_.contains(name) || dropped_.contains(name);
}

void Supervisor::append_statuses(std::map<model::AgentName, model::AgentStatus>& all) const {
  for (const auto& [name, status] : earlier_) all[name] = status;
  for (const auto& [name, status] : dropped_) all[name] = status;
  for (const auto& agent : agents_) {
    model::AgentStatus status = agent->status;
    if (const AgentView* view = directory_.find(status.name)) {
      status.busy = view->busy;
      status.slots = view->slots;
    }
    all[status.name] = std::move(status);
  }
}

}  // namespace mainstay::fleet
