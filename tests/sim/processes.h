// Agents of the simulated world: processes that start, crash and hang; links that drop and come
// back; results that come late, twice, or only after a reconnect. It carries out the daemon's
// effects like the node does, and outlives the daemon like real agents do.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "model/effect.h"
#include "model/fleet.h"
#include "sim/daemon.h"
#include "sim/ledger.h"
#include "sim/world.h"

namespace mainstay::sim {

/// How bad the world is; drawn per seed.
struct ProcessFaults {
  Duration crash_mean{0};      ///< of one process; zero: never
  Duration link_drop_mean{0};  ///< of one link; zero: never
  double start_fails = 0;
  double handler_fails = 0;
  double hangs = 0;                ///< an attempt that never ends by itself
  double late = 0;                 ///< a result that comes long after its timeout
  double repeated = 0;             ///< a result that is sent twice
  double contradicts = 0;          ///< a result that is followed by another one, which says success
  double foreign = 0;              ///< an attempt whose result is also claimed by another agent
  Duration fragile_crash_mean{0};  ///< of processes whose restarts are few
  double ignores_term = 0;
};

class Processes {
 public:
  Processes(World& world, Ledger& ledger, Daemon& daemon)
      : world_(world), ledger_(ledger), daemon_(daemon) {}

  void set_faults(const ProcessFaults& faults) { faults_ = faults; }
  void carry_out(const model::Effect& effect);
  void daemon_changed(bool up);
  int alive() const { return static_cast<int>(alive_.size()); }

 private:
  struct Held {
    std::shared_ptr<const model::WorkSpec> work;
    bool finished = false;
    model::AttemptOutcome outcome;
  };
  struct Process {
    model::AgentName agent;
    model::Incarnation incarnation = 0;
    model::ProcessIdentity identity;
    std::shared_ptr<const model::AgentSpec> spec;
    model::LinkId link = 0;
    bool draining = false;
    bool ignores_term = false;
    std::map<std::pair<model::WorkId, model::Epoch>, Held> held;
  };
  using ProcessPtr = std::shared_ptr<Process>;

  void on(const model::StartProcess& effect);
  void on(const model::AdoptProcess& effect);
  void on(const model::StopProcess& effect);
  void on(const model::KillProcess& effect);
  void on(const model::DrainAgent& effect);
  void on(const model::CloseLink& effect);
  void on(const model::AssignWork& effect);
  void on(const model::CancelAttempt& effect);
  void on(const model::AckResult& effect);

  ProcessPtr find(const model::AgentName& agent) const;
  ProcessPtr find(const model::AgentName& agent, model::LinkId link) const;
  void end(const ProcessPtr& process, model::ExitStatus status);
  bool lives(const ProcessPtr& process) const;
  void plan_connect(const ProcessPtr& process);
  void connect(const ProcessPtr& process);
  void drop_link(const ProcessPtr& process);
  void finish(const ProcessPtr& process, const model::WorkId& work, model::Epoch epoch);
  void send_result(const ProcessPtr& process, const model::WorkId& work, model::Epoch epoch);
  void say_goodbye_when_idle(const ProcessPtr& process);
  void run_command(const model::AssignWork& effect);
  static model::AttemptFinished confirmation(const model::CancelAttempt& effect,
                                             model::LinkId link);
  /// Says success for an attempt, whoever it belongs to.
  void claim(const ProcessPtr& process, const model::WorkId& work, model::Epoch epoch);
  void plan_crash(const ProcessPtr& process);
  model::AttemptOutcome outcome_of(const model::AgentName& agent, model::Epoch epoch);
  void tell(model::Fact fact);

  World& world_;
  Ledger& ledger_;
  Daemon& daemon_;
  ProcessFaults faults_;
  std::map<model::AgentName, ProcessPtr> alive_;
  std::map<std::pair<model::WorkId, model::Epoch>, std::uint64_t> commands_;
  model::LinkId next_link_ = 1;
  std::int32_t next_pid_ = 100;
  std::uint64_t next_ticks_ = 1;
  std::uint64_t life_ = 0;
};

}  // namespace mainstay::sim
