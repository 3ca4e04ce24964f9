// Keeps the agents of the fleet file running: starts them in dependency order by readiness,
// restarts what fails within its policy, adopts what outlived the daemon, stops dependants first.
//
// Pure, like Fleet, of which it is the larger half. It gives out StartProcess for an agent only
// when nothing of an earlier incarnation can be alive: its end was reported, or adoption found it
// gone.
#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/random.h"
#include "base/timer_queue.h"
#include "fleet/directory.h"
#include "fleet/fleet.h"
#include "fleet/supervision/agent.h"
#include "fleet/supervision/dependency.h"

namespace mainstay::fleet {

class Supervisor {
 public:
  Supervisor(Directory& directory, std::uint64_t seed) : directory_(directory), random_(seed) {}

  void recover(const model::AgentStatus& row) { earlier_[row.name] = row; }
  Result<void> load(std::shared_ptr<const model::FleetSpec> fleet, Turn turn);
  void stop(model::ReplyToken token, Turn turn);

  void on(const model::ProcessStarted& fact, Turn turn);
  void on(const model::ProcessStartFailed& fact, Turn turn);
  void on(const model::ProcessExited& fact, Turn turn);
  void on(const model::AdoptionFinished& fact, Turn turn);
  void on(const model::LinkOpened& fact, Turn turn);
  void on(const model::LinkClosed& fact, Turn turn);
  void note_outcome(const model::AgentName& name, bool ok, const std::string& error, Turn turn);
  void note_stuck(const model::AgentName& name, const std::string& reason, Turn turn);

  void tick(Turn turn);
  std::optional<Mono> next_due() const;
  std::vector<AgentChange> take_changes() { return std::exchange(changes_, {}); }

  /// Whether the name is the fleet file's (or was, before the restart of the daemon).
  bool owns(const model::AgentName& name) const;
  void append_statuses(std::map<model::AgentName, model::AgentStatus>& all) const;
  bool loaded() const { return fleet_ != nullptr; }
  bool stopping() const { return stopping_; }
  bool stopped() const;

 private:
  enum class Timer { restart, hello, link, drain, stall };
  struct TimerKey {
    model::AgentName agent;
    Timer timer;
    auto operator<=>(const TimerKey&) const = default;
  };
  /// Where an entry of the file stands, for those that depend on it.
  struct Standing {
    bool ready = false;
    /// It ended before the daemon's restart and stays ended: what ran beside it then may run again.
    bool was_ready = false;
    /// Sentences; empty when it is so.
    std::string waiting_for;
    std::string failed;
  };

  // supervisor.cc: the fleet as a whole
  void place(const std::shared_ptr<const model::AgentSpec>& spec, std::size_t entry,
             const model::AgentName& name, Turn& turn);
  void settle_earlier(Agent& agent, const model::AgentStatus& row, Turn& turn);
  void drop_earlier(const model::AgentStatus& row, Turn& turn);
  /// Starts what may start, stops what may stop, and tells dependants, until nothing changes.
  void advance(Turn& turn);
  void advance_starts(std::size_t entry, Turn& turn);
  void advance_stops(Turn& turn);
  Standing standing(std::size_t entry) const;
  bool all_ended(std::size_t entry) const;

  // supervisor_process.cc: starts and ends of processes
  void launch(Agent& agent, bool restart, Turn& turn);
  void begin_incarnation(Agent& agent);
  void kill(Agent& agent, std::string reason, Turn& turn);
  void begin_stop(Agent& agent, Turn& turn);
  void drain_over(Agent& agent, Turn& turn);
  /// The start is over: its process is gone, or was never made.
  void start_over(Agent& agent, bool failure, bool permanent, const std::string& cause, Turn& turn);
  /// SIGTERM, and the kill at the end of the stop's grace.
  void tell_to_end(Agent& agent, Turn& turn);
  void end(Agent& agent, model::AgentState state, std::string reason, Turn& turn);
  void adopted(Agent& agent, const model::ProcessIdentity& process, Turn& turn);

  // supervisor_health.cc: links, health, timers, rows
  Agent* find(const model::AgentName& name);
  Agent* find(const model::AgentName& name, model::Incarnation incarnation);
  void refuse_link(const model::LinkOpened& fact, std::string reason, Turn& turn);
  /// Compares what the hello serves with what the fleet file says.
  void note_unserved(Agent& agent, const std::vector<std::string>& serves, Turn& turn);
  void become_ready(Agent& agent, Turn& turn);
  void watch_progress(const Agent& agent, Turn& turn);
  void check_progress(Agent& agent, Turn& turn);
  void lose_link(Agent& agent);
  /// `orderly`: the operator stops it, so what it held is no failure of the items.
  void tell_lost(Agent& agent, const std::string& reason, bool orderly = false);
  /// Judges a living agent anew.
  void refresh(Agent& agent, Turn& turn);
  void transition(Agent& agent, model::AgentState state, std::string reason, Turn& turn);
  void sync_assignable(Agent& agent);
  void note_error(Agent& agent, const std::string& error, Turn& turn);
  void write_row(Agent& agent, Turn& turn);
  void mark_dirty(Agent& agent, Turn& turn);
  void flush_rows(Turn& turn);
  void fire(const TimerKey& key, Turn& turn);
  void arm(const Agent& agent, Timer timer, Mono due);
  void disarm_all(const Agent& agent);

  Directory& directory_;
  base::Random random_;
  std::shared_ptr<const model::FleetSpec> fleet_;
  DependencyGraph graph_;
  std::vector<std::unique_ptr<Agent>> agents_;  // in file order
  std::vector<std::vector<Agent*>> agents_of_entry_;
  std::map<model::AgentName, Agent*> by_name_;
  /// Rows of before the restart, until load() settles them.
  std::map<model::AgentName, model::AgentStatus> earlier_;
  /// Being killed because the fleet file no longer has them.
  std::map<model::AgentName, model::AgentStatus> dropped_;
  base::TimerQueue<TimerKey> timers_;
  std::optional<Mono> flush_due_;
  std::vector<AgentChange> changes_;
  std::vector<model::ReplyToken> stop_tokens_;
  bool stopping_ = false;
  /// Some state changed since advance() last ran.
  bool changed_ = false;
};

}  // namespace mainstay::fleet
