// The fleet: which agents there are, how their processes are kept running, how healthy they are.
// Spec ids FLT-1 to FLT-4, FLT-6; faults A1 to A5, A14, A17, B4.
//
// Pure: commands and facts go in, rows, events, replies and effects come out; time is given.
// Lifetime: made once; recover() at most once, before the first LoadFleet. One caller at a time.
// Facts about an earlier incarnation, or of an agent that is not known, change nothing (a late
// link is closed). Commands that cannot be carried out answer with an Error.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/enum_text.h"
#include "base/time.h"
#include "fleet/directory.h"
#include "model/fleet.h"
#include "model/input.h"
#include "model/outbox.h"

// available: may get work now. unavailable: no new work. lost: every attempt of that incarnation is
// lost; said once for each.
MS_ENUM_TEXT(fleet, AgentChangeKind, available, unavailable, lost)

namespace mainstay::fleet {

class Supervisor;
class Registrations;

struct AgentChange {
  model::AgentName agent;
  model::Incarnation incarnation = 0;
  AgentChangeKind kind = AgentChangeKind::available;
  std::string reason;
  /// lost: because the operator stops it. What it held did nothing wrong.
  bool orderly = false;
};

class Fleet {
 public:
  explicit Fleet(std::uint64_t seed);
  ~Fleet();
  Fleet(const Fleet&) = delete;
  Fleet& operator=(const Fleet&) = delete;

  /// Takes in the rows of before a restart of the daemon. What may still run is adopted (or killed)
  /// by the LoadFleet that follows.
  void recover(const std::vector<model::AgentStatus>& rows, Now now);

  /// Starts agents in dependency order by readiness, after settling what recover() found.
  /// conflict while a fleet is loaded; config_invalid for names or dependencies that cannot be.
  void handle(model::ReplyToken token, const model::LoadFleet& command, Now now,
              model::Outbox& out);
  /// Dependants first: drain, SIGTERM, then the whole tree is killed after the grace. No agent gets
  /// new work from here on. The reply comes when all are gone.
  void handle(model::ReplyToken token, const model::StopFleet& command, Now now,
              model::Outbox& out);
  /// conflict: the fleet file owns the name. invalid_argument: name, capability or lease.
  void handle(model::ReplyToken token, const model::RegisterAgent& command, Now now,
              model::Outbox& out);
  /// not_found: never registered, or the lease is over.
  void handle(model::ReplyToken token, const model::RenewAgent& command, Now now,
              model::Outbox& out);
  void handle(model::ReplyToken token, const model::DeregisterAgent& command, Now now,
              model::Outbox& out);

  void on(const model::ProcessStarted& fact, Now now, model::Outbox& out);
  void on(const model::ProcessStartFailed& fact, Now now, model::Outbox& out);
  void on(const model::ProcessExited& fact, Now now, model::Outbox& out);
  void on(const model::AdoptionFinished& fact, Now now, model::Outbox& out);
  void on(const model::LinkOpened& fact, Now now, model::Outbox& out);
  void on(const model::LinkClosed& fact, Now now, model::Outbox& out);

  /// Passive health: how an attempt on the agent ended. Failures in a row degrade it; a success
  /// ends that.
  void note_outcome(const model::AgentName& agent, bool ok, std::string error, Now now,
                    model::Outbox& out);
  /// It does not give up a cancelled attempt, so a slot of it is lost: its process is killed and
  /// started anew as its restart policy allows. Its other attempts are lost with it.
  void note_stuck(const model::AgentName& agent, const std::string& reason, Now now,
                  model::Outbox& out);

  /// Fires due timers and notices that draining agents have nothing left.
  void tick(Now now, model::Outbox& out);
  std::optional<Mono> next_due() const;

  /// What changed for work since the last call, in order.
  std::vector<AgentChange> take_changes();

  Directory& directory() { return directory_; }
  const Directory& directory() const { return directory_; }
  /// By name.
  std::vector<model::AgentStatus> statuses() const;
  /// A LoadFleet was carried out: from here on the directory knows the fleet file's agents.
  bool loaded() const;
  /// StopFleet was asked for (and may be done).
  bool stopping() const;
  /// ... and every agent of the fleet file is gone.
  bool stopped() const;

 private:
  Directory directory_;
  std::unique_ptr<Supervisor> supervisor_;
  std::unique_ptr<Registrations> registrations_;
};

}  // namespace mainstay::fleet
