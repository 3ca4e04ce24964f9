#include "sim/processes.h"

#include <fmt/format.h>

#include <utility>

namespace mainstay::sim {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// PIDs come from a tiny range, so they are reused all the time (faults A9).
constexpr std::int32_t kPidRange = 40;
constexpr Duration kLinkDelay = milliseconds(3);
constexpr int kFewRestarts = 10;

}  // namespace

void Processes::carry_out(const model::Effect& effect) {
  const bool over_link = std::holds_alternative<model::AssignWork>(effect) ||
                         std::holds_alternative<model::CancelAttempt>(effect) ||
                         std::holds_alternative<model::AckResult>(effect);
  if (const auto* assign = std::get_if<model::AssignWork>(&effect)) ledger_.assigned(*assign);
  if (!over_link) {
    std::visit([this](const auto& body) { on(body); }, effect);
    return;
  }
  // One delay for all keeps their order, as a connection does.
  world_.after(kLinkDelay,
               [this, effect] { std::visit([this](const auto& body) { on(body); }, effect); });
}

// Facts travel for a moment, and those on their way when the daemon dies are lost.
void Processes::tell(model::Fact fact) {
  const std::uint64_t life = life_;
  world_.after(world_.between(std::chrono::microseconds(50), milliseconds(5)),
               [this, life, fact = std::move(fact)] {
                 if (life == life_) daemon_.fact(fact);
               });
}

Processes::ProcessPtr Processes::find(const model::AgentName& agent) const {
  const auto found = alive_.find(agent);
  return found == alive_.end() ? nullptr : found->second;
}

Processes::ProcessPtr Processes::find(const model::AgentName& agent, model::LinkId link) const {
  ProcessPtr process = find(agent);
  return process && link != 0 && process->link == link ? process : nullptr;
}

bool Processes::lives(const ProcessPtr& process) const { return find(process->agent) == process; }

void Processes::on(const model::StartProcess& effect) {
  const int of_agent = find(effect.agent) ? 1 : 0;
  ledger_.process_started(effect.agent, of_agent, world_.elapsed(),
                          effect.spec->restart.max_restarts, effect.spec->restart.window);
  if (world_.chance(faults_.start_fails)) {
    tell(model::ProcessStartFailed{effect.agent, effect.incarnation,
                                   Error(Code::process_start_failed, "simulated: try again"),
                                   false});
    return;
  }
  auto process = std::make_shared<Process>();
  process->agent = effect.agent;
  process->incarnation = effect.incarnation;
  process->spec = effect.spec;
  process->identity = {100 + next_pid_++ % kPidRange, next_ticks_++, "sim-boot"};
  process->ignores_term = world_.chance(faults_.ignores_term);
  alive_[effect.agent] = process;
  tell(model::ProcessStarted{effect.agent, effect.incarnation, process->identity, "token"});
  plan_connect(process);
  plan_crash(process);
}

void Processes::plan_crash(const ProcessPtr& process) {
  const auto mean = [this, process] {
    const bool fragile = process->spec->restart.max_restarts <= kFewRestarts;
    return fragile ? faults_.fragile_crash_mean : faults_.crash_mean;
  };
  if (mean() == Duration::zero()) return;
  world_.after(world_.around(mean()), [this, process, mean] {
    if (!lives(process) || mean() == Duration::zero()) return;
    ++ledger_.sights["agent crashed"];
    end(process, {std::nullopt, 9, false, false});
  });
}

void Processes::on(const model::AdoptProcess& effect) {
  ProcessPtr process = find(effect.agent);
  std::optional<model::ProcessIdentity> adopted;
  if (process && process->incarnation == effect.incarnation) {
    if (effect.process) {
      ledger_.require(*effect.process == process->identity, 6,
                      fmt::format("agent {} was taken for another process", effect.agent));
    }
    if (effect.kill || !effect.process) {
      alive_.erase(effect.agent);
    } else {
      adopted = process->identity;
      ++ledger_.sights["agent adopted"];
    }
  } else {
    ledger_.require(process == nullptr, 6,
                    fmt::format("agent {} lives in start {} and the daemon knows {}", effect.agent,
                                process ? process->incarnation : 0, effect.incarnation));
  }
  tell(model::AdoptionFinished{effect.agent, effect.incarnation, adopted});
}

void Processes::on(const model::StopProcess& effect) {
  ProcessPtr process = find(effect.agent);
  if (!process || process->incarnation != effect.incarnation) return;
  const Duration delay = process->ignores_term ? effect.grace : milliseconds(20);
  world_.after(delay, [this, process] {
    if (lives(process)) end(process, {std::nullopt, 15, false, false});
  });
}

void Processes::on(const model::KillProcess& effect) {
  ProcessPtr process = find(effect.agent);
  if (!process || process->incarnation != effect.incarnation) return;
  end(process, {std::nullopt, 9, false, false});
}

void Processes::end(const ProcessPtr& process, model::ExitStatus status) {
  alive_.erase(process->agent);
  if (process->link != 0) {
    tell(model::LinkClosed{process->agent, process->link, "process ended", false});
  }
  tell(model::ProcessExited{process->agent, process->incarnation, status});
}

void Processes::plan_connect(const ProcessPtr& process) {
  world_.after(world_.between(milliseconds(50), seconds(2)), [this, process] {
    if (!lives(process) || process->link != 0) return;
    if (daemon_.is_up())
      connect(process);
    else
      plan_connect(process);
  });
}

void Processes::connect(const ProcessPtr& process) {
  process->link = next_link_++;
  model::LinkOpened hello;
  hello.agent = process->agent;
  hello.incarnation = process->incarnation;
  hello.link = process->link;
  hello.slots = process->spec->concurrency;
  for (const auto& [key, held] : process->held) hello.held.push_back({key.first, key.second});
  if (!hello.held.empty()) ++ledger_.sights["reconnected with held attempts"];
  daemon_.fact(hello);
  for (const auto& [key, held] : process->held) {
    if (held.finished) send_result(process, key.first, key.second);
  }
  if (faults_.link_drop_mean > Duration::zero()) {
    world_.after(world_.around(faults_.link_drop_mean), [this, process, link = process->link] {
      if (lives(process) && process->link == link) drop_link(process);
    });
  }
}

void Processes::drop_link(const ProcessPtr& process) {
  if (process->link == 0) return;
  ++ledger_.sights["link dropped"];
  tell(model::LinkClosed{process->agent, process->link, "connection reset", false});
  process->link = 0;
  plan_connect(process);
}

void Processes::on(const model::CloseLink& effect) {
  ProcessPtr process = find(effect.agent, effect.link);
  if (process) drop_link(process);
}

void Processes::on(const model::DrainAgent& effect) {
  ProcessPtr process = find(effect.agent, effect.link);
  if (!process) return;
  process->draining = true;
  say_goodbye_when_idle(process);
}

void Processes::say_goodbye_when_idle(const ProcessPtr& process) {
  if (!process->draining || !process->held.empty() || process->link == 0) return;
  tell(model::LinkClosed{process->agent, process->link, "goodbye", true});
  process->link = 0;
  world_.after(milliseconds(10), [this, process] {
    if (lives(process)) end(process, {0, std::nullopt, false, false});
  });
}

model::AttemptOutcome Processes::outcome_of(const model::AgentName& agent, model::Epoch epoch) {
  model::AttemptOutcome outcome;
  if (world_.chance(faults_.handler_fails)) {
    outcome.error = model::WorkError{model::FailureKind::error, "handler_failed",
                                     Ledger::failure_of(agent, epoch), false, ""};
  } else {
    outcome.output = model::Payload::of(Ledger::output_of(agent, epoch));
  }
  return outcome;
}

void Processes::claim(const ProcessPtr& process, const model::WorkId& work, model::Epoch epoch) {
  if (!lives(process) || process->link == 0) return;
  model::AttemptOutcome outcome;
  outcome.output = model::Payload::of(Ledger::output_of(process->agent, epoch));
  tell(model::AttemptFinished{process->agent, process->link, work, epoch, outcome});
}

void Processes::on(const model::AssignWork& effect) {
  world_.trace(effect.work->id.view());
  if (effect.link == 0) {
    if (daemon_.is_up()) run_command(effect);
    return;
  }
  ProcessPtr process = find(effect.agent, effect.link);
  if (!process) {
    ++ledger_.sights["assignment lost"];
    return;
  }
  const model::WorkId work = effect.work->id;
  const model::Epoch epoch = effect.epoch;
  process->held[{work, epoch}] = Held{effect.work, false, {}};
  if (world_.chance(faults_.hangs)) {
    ++ledger_.sights["attempt hung"];
    return;
  }
  if (world_.chance(faults_.foreign)) {
    for (const auto& [name, other] : alive_) {
      if (other == process || other->link == 0) continue;
      ++ledger_.sights["result claimed by another agent"];
      claim(other, work, epoch);
      break;
    }
  }
  Duration takes = world_.around(milliseconds(400));
  if (world_.chance(faults_.late)) takes += std::chrono::minutes(2);
  world_.after(takes, [this, process, work, epoch] {
    if (lives(process)) finish(process, work, epoch);
  });
}

void Processes::finish(const ProcessPtr& process, const model::WorkId& work, model::Epoch epoch) {
  const auto found = process->held.find({work, epoch});
  if (found == process->held.end()) return;
  found->second.finished = true;
  found->second.outcome = outcome_of(process->agent, epoch);
  if (process->link != 0) send_result(process, work, epoch);
}

void Processes::send_result(const ProcessPtr& process, const model::WorkId& work,
                            model::Epoch epoch) {
  const auto found = process->held.find({work, epoch});
  if (found == process->held.end()) return;
  const model::AttemptFinished fact{process->agent, process->link, work, epoch,
                                    found->second.outcome};
  tell(fact);
  if (world_.chance(faults_.repeated)) {
    ++ledger_.sights["result sent twice"];
    tell(fact);
  }
  if (world_.chance(faults_.contradicts)) {
    ++ledger_.sights["result contradicted later"];
    world_.after(world_.around(seconds(1)),
                 [this, process, work, epoch] { claim(process, work, epoch); });
  }
}

model::AttemptFinished Processes::confirmation(const model::CancelAttempt& effect,
                                               model::LinkId link) {
  model::AttemptOutcome outcome;
  outcome.error =
      model::WorkError{model::FailureKind::cancelled, "cancelled", "told to stop", false, ""};
  return {effect.agent, link, effect.work, effect.epoch, outcome};
}

// What was cancelled is confirmed: a command is killed at once, a handler stops at its next look at
// ctx.cancelled. One in eight handlers never looks; only killing its process frees the slot.
void Processes::on(const model::CancelAttempt& effect) {
  if (commands_.erase({effect.work, effect.epoch}) > 0) {
    tell(confirmation(effect, 0));
    return;
  }
  ProcessPtr process = find(effect.agent);
  if (!process) return;
  const auto found = process->held.find({effect.work, effect.epoch});
  if (found == process->held.end() || found->second.finished) return;
  if (world_.chance(0.125)) {
    ++ledger_.sights["handler ignores its cancellation"];
    return;
  }
  found->second.finished = true;
  found->second.outcome = confirmation(effect, 0).outcome;
  if (process->link != 0) send_result(process, effect.work, effect.epoch);
}

void Processes::on(const model::AckResult& effect) {
  if (!effect.accepted) ++ledger_.sights["stale result refused"];
  ProcessPtr process = find(effect.agent, effect.link);
  if (!process) return;
  process->held.erase({effect.work, effect.epoch});
  say_goodbye_when_idle(process);
}

// A command agent's process dies with the daemon.
void Processes::run_command(const model::AssignWork& effect) {
  const std::pair<model::WorkId, model::Epoch> key{effect.work->id, effect.epoch};
  const std::uint64_t life = life_;
  commands_[key] = life;
  if (world_.chance(faults_.hangs)) return;
  world_.after(world_.around(milliseconds(200)), [this, key, life, effect] {
    if (life != life_ || commands_.erase(key) == 0) return;
    daemon_.fact(model::AttemptFinished{effect.agent, 0, key.first, key.second,
                                        outcome_of(effect.agent, key.second)});
  });
}

void Processes::daemon_changed(bool up) {
  ++life_;
  if (up) return;
  commands_.clear();
  for (const auto& [name, process] : alive_) {
    if (process->link == 0) continue;
    process->link = 0;
    plan_connect(process);
  }
}

}  // namespace mainstay::sim
