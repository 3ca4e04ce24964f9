#include "sim/simulation.h"

#include <fmt/format.h>

#include <memory>

#include "sim/clients.h"
#include "sim/daemon.h"
#include "sim/ledger.h"
#include "sim/processes.h"
#include "sim/world.h"

namespace mainstay::sim {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

// Everything that was accepted must end within this, once the faults are over.
constexpr Duration kLivenessBound = hours(2);

std::shared_ptr<const model::AgentSpec> agent_spec(const std::string& name, model::AgentKind kind,
                                                   int replicas, const std::string& capability,
                                                   int max_restarts = 1000) {
  auto spec = std::make_shared<model::AgentSpec>();
  spec->name = name;
  spec->kind = kind;
  spec->command = {"simulated"};
  spec->replicas = replicas;
  spec->capabilities = {capability};
  spec->concurrency = 2;
  spec->restart.mode = model::RestartMode::always;
  spec->restart.max_restarts = max_restarts;
  spec->stop_grace = seconds(5);
  return spec;
}

std::shared_ptr<const model::PipelineSpec> pipeline_spec() {
  auto pipeline = std::make_shared<model::PipelineSpec>();
  pipeline->name = "sim";
  pipeline->timeout = minutes(20);
  model::StageSpec first;
  first.name = "first";
  first.capability = "sim.link";
  first.timeout = seconds(30);
  first.retries = 4;
  model::StageSpec each = first;
  each.name = "each";
  each.needs = {"first"};
  each.foreach_reference = "run#/input/list";
  each.max_parallel = 2;
  model::StageSpec soft = first;
  soft.name = "soft";
  soft.capability = "sim.command";
  soft.needs = {"first"};
  soft.critical = false;
  soft.retries = 0;
  model::StageSpec last = first;
  last.name = "last";
  last.needs = {"each", "soft"};
  last.input_json = R"({"each":"each#","soft":"soft#"})";
  pipeline->stages = {first, each, soft, last};
  return pipeline;
}

std::shared_ptr<const model::FleetSpec> fleet_spec() {
  auto fleet = std::make_shared<model::FleetSpec>();
  fleet->name = "simulated";
  fleet->agents = {agent_spec("linked", model::AgentKind::link, 4, "sim.link"),
                   agent_spec("command", model::AgentKind::exec, 2, "sim.command"),
                   agent_spec("fragile", model::AgentKind::link, 2, "sim.fragile", 3)};
  fleet->pipelines = {pipeline_spec()};
  return fleet;
}

// Each seed draws which faults there are and how often ("swarm"); one in eight is calm.
struct Weather {
  bool calm = false;
  Duration crash_mean{0};
  double power_loss = 0;
  double crash_at_commit = 0;
  ProcessFaults processes;
};

Weather draw_weather(World& world, std::uint64_t seed) {
  Weather weather;
  weather.calm = seed % 8 == 0;
  if (weather.calm) return weather;
  const auto maybe = [&](Duration mean) { return world.chance(0.6) ? mean : Duration::zero(); };
  const auto often = [&](double most) {
    return world.chance(0.6) ? most * world.faults.unit() : 0;
  };
  weather.crash_mean = maybe(minutes(2));
  weather.power_loss = world.chance(0.5) ? 0.5 : 0;
  weather.crash_at_commit = often(0.002);
  weather.processes.crash_mean = maybe(minutes(3));
  weather.processes.link_drop_mean = maybe(minutes(1));
  weather.processes.start_fails = often(0.2);
  weather.processes.handler_fails = often(0.3);
  weather.processes.hangs = often(0.05);
  weather.processes.late = often(0.05);
  weather.processes.repeated = often(0.2);
  weather.processes.contradicts = often(0.2);
  weather.processes.foreign = often(0.2);
  weather.processes.fragile_crash_mean = maybe(seconds(5));
  weather.processes.ignores_term = often(0.5);
  return weather;
}

class Simulation {
 public:
  explicit Simulation(std::uint64_t seed)
      : world_(seed),
        ledger_(seed),
        daemon_(world_, ledger_, fleet_spec(), seed),
        processes_(world_, ledger_, daemon_),
        clients_(world_, ledger_, daemon_),
        seed_(seed) {
    daemon_.connect({[this](const model::Effect& effect) { processes_.carry_out(effect); },
                     [this](bool up) { on_daemon(up); }});
  }

  SimulationResult run(Duration safety_phase) {
    weather_ = draw_weather(world_, seed_);
    processes_.set_faults(weather_.processes);
    daemon_.set_crash_at_commit(weather_.crash_at_commit);
    daemon_.boot();
    clients_.start(milliseconds(700));
    plan_crash();
    play_until(safety_phase);
    heal();
    play_until_idle(safety_phase + kLivenessBound);
    check_all_ended();
    stop_fleet();
    return result();
  }

 private:
  void on_daemon(bool up) {
    processes_.daemon_changed(up);
    if (up) {
      check_nothing_lost();
      return;
    }
    ++ledger_.sights["daemon crashed"];
    world_.after(world_.between(milliseconds(100), seconds(20)), [this] {
      if (!daemon_.is_up()) daemon_.boot();
    });
  }

  void plan_crash() {
    if (weather_.crash_mean == Duration::zero()) return;
    world_.after(world_.around(weather_.crash_mean), [this] {
      if (healed_) return;
      if (daemon_.is_up()) daemon_.crash(world_.chance(weather_.power_loss));
      plan_crash();
    });
  }

  void play_until(Duration end) {
    while (ledger_.violations().empty() && world_.play_next(end)) {
    }
  }

  void heal() {
    healed_ = true;
    clients_.stop();
    processes_.set_faults({});
    daemon_.set_crash_at_commit(0);
  }

  bool is_idle() {
    if (!daemon_.is_up() || !daemon_.has_taken_all() || clients_.unanswered() > 0) return false;
    const work::Work& work = daemon_.core().work();
    return work.queued() == 0 && work.delayed() == 0 && work.running() == 0 &&
           work.open_runs() == 0;
  }

  void play_until_idle(Duration end) {
    std::int64_t steps = 0;
    while (ledger_.violations().empty() && world_.play_next(end)) {
      if (++steps % 64 == 0 && is_idle()) return;
    }
  }

  void check_nothing_lost() {
    for (const auto& [id, key] : ledger_.work()) {
      ledger_.require(!daemon_.state_of_work(id).empty(), 1,
                      fmt::format("acknowledged item {} ({}) is gone", id.to_text(), key));
    }
    for (const auto& [id, key] : ledger_.runs()) {
      ledger_.require(!daemon_.state_of_run(id).empty(), 1,
                      fmt::format("acknowledged run {} ({}) is gone", id.to_text(), key));
    }
  }

  void check_all_ended() {
    if (!ledger_.violations().empty()) return;
    for (const auto& [id, key] : ledger_.work()) {
      const std::string state = daemon_.state_of_work(id);
      ledger_.require(
          state == "succeeded" || state == "failed" || state == "timed_out", 15,
          fmt::format("item {} ({}) is {} long after the faults", id.to_text(), key, state));
    }
    for (const auto& [id, key] : ledger_.runs()) {
      const std::string state = daemon_.state_of_run(id);
      ledger_.require(
          !state.empty() && state != "running", 15,
          fmt::format("run {} ({}) is {} long after the faults", id.to_text(), key, state));
    }
  }

  void stop_fleet() {
    if (!ledger_.violations().empty()) return;
    bool stopped = false;
    daemon_.command(model::StopFleet{},
                    [&](const Result<model::ReplyBody>& reply) { stopped = reply.has_value(); });
    const Duration end = world_.elapsed() + minutes(10);
    while (!stopped && world_.play_next(end)) {
    }
    ledger_.require(stopped, 5, "the fleet did not stop");
    ledger_.require(processes_.alive() == 0, 5, "processes are left after the stop");
  }

  SimulationResult result() {
    SimulationResult out;
    out.seed = seed_;
    out.calm = weather_.calm;
    out.violations = ledger_.violations();
    out.sights = ledger_.sights;
    out.trace_hash = world_.trace_hash();
    out.simulated = world_.elapsed();
    out.acknowledged = static_cast<std::int64_t>(ledger_.work().size() + ledger_.runs().size());
    return out;
  }

  World world_;
  Ledger ledger_;
  Daemon daemon_;
  Processes processes_;
  Clients clients_;
  Weather weather_;
  std::uint64_t seed_;
  bool healed_ = false;
};

}  // namespace

SimulationResult simulate(std::uint64_t seed, Duration safety_phase) {
  return Simulation(seed).run(safety_phase);
}

}  // namespace mainstay::sim
