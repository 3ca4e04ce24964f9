// Starts and ends of processes: the half of the supervisor that decides what runs.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/text.h"
#include "fleet/supervision/agent_journal.h"
#include "fleet/supervision/exit_text.h"
#include "fleet/supervision/spec_digest.h"
#include "fleet/supervision/supervisor.h"

namespace mainstay::fleet {

using model::AgentState;
using model::RestartMode;

namespace {

/// Why what it held is lost, of one whose process was not found again after the daemon's restart.
std::string loss_of_adopted(const Agent& agent) {
  if (agent.discard_is_stop) return "it was being stopped when the daemon went away";
  return agent.discard ? "its spec has changed" : "it ended while the daemon was away";
}

}  // namespace

void Supervisor::begin_incarnation(Agent& agent) {
  ++agent.status.incarnation;
  agent.status.process.reset();
  agent.status.token_sha256.clear();
  agent.status.spec_digest = spec_digest(*agent.spec);
  agent.status.sdk.clear();
  agent.status.unserved.clear();
  agent.status.started_at.reset();
  agent.status.linked = false;
  agent.link = 0;
  agent.link_reason.clear();
  agent.discard = false;
  agent.discard_is_stop = false;
  agent.kill_reason.clear();
  agent.was_ready = false;
  agent.stall_reason.clear();
  agent.failures_in_a_row = 0;
  agent.lost_told = false;
  agent.told_to_end = false;
  directory_.begin_incarnation(agent.status.name, agent.status.incarnation);
}

void Supervisor::launch(Agent& agent, bool restart, Turn& turn) {
  begin_incarnation(agent);
  if (restart) {
    ++agent.status.restarts;
    agent.restarts.record(agent.spec->restart, turn.now.mono);
  }
  if (agent.is_exec()) {
    agent.phase = Phase::running;
    agent.status.started_at = turn.now.wall;
    write_row(agent, turn);
    become_ready(agent, turn);
    return;
  }
  agent.phase = Phase::launching;
  transition(agent, AgentState::starting, "its process is being made", turn);
  // The intent is a row before the effect is released: a daemon that dies in between looks for the
  // process instead of making a second one.
  write_row(agent, turn);
  journal_starting(agent.status, turn);
  turn.out.effect(model::StartProcess{agent.status.name, agent.status.incarnation, agent.spec});
}

void Supervisor::on(const model::ProcessStarted& fact, Turn turn) {
  Agent* agent = find(fact.agent, fact.incarnation);
  if (agent == nullptr || agent->phase != Phase::launching) return;
  agent->phase = Phase::running;
  agent->status.process = fact.process;
  agent->status.token_sha256 = fact.token_sha256;
  agent->status.started_at = turn.now.wall;
  if (agent->link == 0 && !agent->stop_begun) {
    arm(*agent, Timer::hello, turn.now.mono + agent->spec->health.start_grace);
  }
  refresh(*agent, turn);
  write_row(*agent, turn);
  journal_started(agent->status, turn);
  advance(turn);
}

void Supervisor::on(const model::ProcessStartFailed& fact, Turn turn) {
  Agent* agent = find(fact.agent, fact.incarnation);
  if (agent == nullptr || agent->phase != Phase::launching) return;
  start_over(*agent, true, fact.permanent, fact.error.to_text(), turn);
  advance(turn);
}

void Supervisor::on(const model::ProcessExited& fact, Turn turn) {
  Agent* agent = find(fact.agent, fact.incarnation);
  if (agent == nullptr || !agent->may_have_process()) return;
  if (agent->phase == Phase::adopting) {
    return on(model::AdoptionFinished{fact.agent, fact.incarnation, std::nullopt}, turn);
  }
  agent->status.last_exit = fact.status;
  agent->status.last_exit_at = turn.now.wall;
  std::string cause = exit_text(fact.status);
  if (!agent->kill_reason.empty()) {
    cause = agent->kill_reason + ": killed";
  } else if (!agent->was_ready) {
    cause += " before it was ready";
  }
  journal_exited(*agent, cause, turn);
  // One that ends before it was ready did not start, whatever its exit code says.
  const bool failure = !fact.status.clean() || !agent->kill_reason.empty() || !agent->was_ready;
  tell_lost(*agent, cause, agent->ends_as_asked(fact.status.clean()));
  start_over(*agent, failure, false, cause, turn);
  advance(turn);
}

void Supervisor::start_over(Agent& agent, bool failure, bool permanent, const std::string& cause,
                            Turn& turn) {
  disarm_all(agent);
  lose_link(agent);
  tell_lost(agent, cause);
  agent.status.process.reset();
  if (agent.stop_wanted) {
    end(agent, AgentState::stopped, "stopped on request; " + cause, turn);
    return;
  }
  if (failure) note_error(agent, cause, turn);
  const model::RestartPolicy& policy = agent.spec->restart;
  if (permanent) {
    end(agent, AgentState::failed, cause, turn);
    return;
  }
  if (policy.mode == RestartMode::never || (policy.mode == RestartMode::on_failure && !failure)) {
    end(agent, failure ? AgentState::failed : AgentState::stopped,
        fmt::format("{}; restart: {}", cause, to_text(policy.mode)), turn);
    return;
  }
  const StartOutcome outcome{agent.was_ready, turn.now.mono - agent.ready_at};
  const RestartDecision decision = agent.restarts.next(policy, outcome, turn.now.mono, random_);
  if (decision.give_up) {
    end(agent, AgentState::failed, decision.reason + "; last: " + cause, turn);
  } else if (decision.wait == Duration{0}) {
    launch(agent, true, turn);
  } else {
    agent.phase = Phase::backoff;
    arm(agent, Timer::restart, turn.now.mono + decision.wait);
    transition(
        agent, AgentState::backoff,
        fmt::format("{}; starts again in {}", cause, base::duration_for_people(decision.wait)),
        turn);
  }
}

void Supervisor::end(Agent& agent, AgentState state, std::string reason, Turn& turn) {
  disarm_all(agent);
  agent.phase = Phase::ended;
  agent.link = 0;
  transition(agent, state, std::move(reason), turn);
  // The last exit belongs to the row even where the state was the same before.
  write_row(agent, turn);
  if (state == AgentState::failed) journal_failed(agent.status, turn);
  changed_ = true;
}

void Supervisor::kill(Agent& agent, std::string reason, Turn& turn) {
  disarm_all(agent);
  agent.kill_reason = std::move(reason);
  turn.out.effect(model::KillProcess{agent.status.name, agent.status.incarnation});
  tell_lost(agent, agent.kill_reason, agent.discard_is_stop);
  refresh(agent, turn);
}

void Supervisor::on(const model::AdoptionFinished& fact, Turn turn) {
  if (auto dropped = dropped_.find(fact.agent); dropped != dropped_.end()) {
    if (dropped->second.incarnation != fact.incarnation || fact.process) return;
    changes_.push_back(
        {fact.agent, fact.incarnation, AgentChangeKind::lost, "the fleet file no longer has it"});
    turn.out.row(model::AgentRemoved{fact.agent});
    journal_removed(fact.agent, "the fleet file no longer has it", turn);
    dropped_.erase(dropped);
    changed_ = true;
    advance(turn);
    return;
  }
  Agent* agent = find(fact.agent, fact.incarnation);
  if (agent == nullptr || agent->phase != Phase::adopting) return;
  if (fact.process) {
    adopted(*agent, *fact.process, turn);
  } else {
    // Its end was not seen: with no exit to judge, it is started anew and nothing is counted.
    lose_link(*agent);
    disarm_all(*agent);
    const bool asked = agent->discard_is_stop || agent->ends_as_asked(false);
    tell_lost(*agent, loss_of_adopted(*agent), asked);
    agent->status.process.reset();
    agent->phase = Phase::waiting;
    agent->was_ready = false;
    if (agent->stop_wanted) {
      end(*agent, AgentState::stopped, "stopped on request", turn);
    } else {
      transition(*agent, AgentState::starting, "waits for its turn", turn);
      mark_dirty(*agent, turn);
    }
  }
  changed_ = true;
  advance(turn);
}

void Supervisor::adopted(Agent& agent, const model::ProcessIdentity& process, Turn& turn) {
  agent.phase = Phase::running;
  agent.status.process = process;
  if (agent.discard || !agent.kill_reason.empty()) {
    // The kill that was asked for while it was being looked for may not have reached it.
    kill(agent, agent.discard ? loss_of_adopted(agent) : agent.kill_reason, turn);
  } else if (agent.stop_begun) {
    tell_to_end(agent, turn);
  } else if (agent.link == 0) {
    agent.link_reason = "the daemon was restarted; its link is not back yet";
    const model::HealthPolicy& health = agent.spec->health;
    // It may be waiting between two tries to reconnect.
    arm(agent, agent.was_ready ? Timer::link : Timer::hello,
        turn.now.mono + std::max(health.start_grace, health.link_grace));
  }
  refresh(agent, turn);
  write_row(agent, turn);
}

void Supervisor::begin_stop(Agent& agent, Turn& turn) {
  const Duration grace = agent.spec->stop_grace;
  agent.stop_begun = true;
  agent.stop_deadline = turn.now.mono + grace;
  directory_.set_stopping(agent.status.name);
  switch (agent.phase) {
    case Phase::ended:
    case Phase::adopting:  // goes on when it is known what there is to stop
      return;
    case Phase::waiting:
    case Phase::backoff:
      end(agent, AgentState::stopped, "stopped on request", turn);
      return;
    case Phase::launching:
    case Phase::running:
      break;
  }
  disarm_all(agent);
  refresh(agent, turn);
  if (agent.is_exec()) {
    const AgentView* view = directory_.find(agent.status.name);
    if (view == nullptr || view->busy == 0) {
      tell_lost(agent, "the fleet stops");
      end(agent, AgentState::stopped, "stopped on request", turn);
    } else {
      arm(agent, Timer::drain, agent.stop_deadline);
    }
  } else if (agent.link != 0 && agent.kill_reason.empty()) {
    // Half of the grace to finish what it holds, the other half from SIGTERM to the kill.
    turn.out.effect(model::DrainAgent{agent.status.name, agent.link, grace / 2});
    arm(agent, Timer::drain, turn.now.mono + grace / 2);
  } else if (agent.kill_reason.empty()) {
    tell_to_end(agent, turn);
  }
}

void Supervisor::tell_to_end(Agent& agent, Turn& turn) {
  agent.told_to_end = true;
  turn.out.effect(model::StopProcess{agent.status.name, agent.status.incarnation,
                                     std::max(Duration{0}, agent.stop_deadline - turn.now.mono)});
}

void Supervisor::drain_over(Agent& agent, Turn& turn) {
  if (!agent.is_exec()) return tell_to_end(agent, turn);
  turn.out.effect(model::KillProcess{agent.status.name, agent.status.incarnation});
  tell_lost(agent, "the fleet stops; its item did not finish in time", true);
  end(agent, AgentState::stopped, "stopped on request; an item did not finish in time", turn);
}

}  // namespace mainstay::fleet
