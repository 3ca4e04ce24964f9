// What the control loop wants done outside, once the step's rows are durable. The node carries
// these out; every one is idempotent for its (agent, incarnation) or (work, epoch).
#pragma once

#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "model/fleet.h"
#include "model/ids.h"
#include "model/work.h"

namespace mainstay::model {

/// Start a link agent's process. The node makes the token and answers ProcessStarted or
/// ProcessStartFailed; later ProcessExited.
struct StartProcess {
  AgentName agent;
  Incarnation incarnation = 0;
  std::shared_ptr<const AgentSpec> spec;
};

/// After a restart of the daemon: watch the process again if it is still the same one, else kill
/// what is left of that incarnation (found by cgroup or start marker; `process` may be unset when
/// the daemon died between intent and start). Answer: AdoptionFinished.
struct AdoptProcess {
  AgentName agent;
  Incarnation incarnation = 0;
  std::optional<ProcessIdentity> process;
  std::string token_sha256;
  std::shared_ptr<const AgentSpec> spec;
  /// Do not adopt: kill it (its spec is gone or has changed).
  bool kill = false;
};

/// SIGTERM to the main process; the whole tree is killed when the grace is over.
struct StopProcess {
  AgentName agent;
  Incarnation incarnation = 0;
  Duration grace{0};
};

/// SIGKILL to the whole tree, now.
struct KillProcess {
  AgentName agent;
  Incarnation incarnation = 0;
};

/// Ask a linked agent to finish what it holds and say goodbye.
struct DrainAgent {
  AgentName agent;
  LinkId link = 0;
  Duration grace{0};
};

/// Cut a connection that is not (or no longer) the agent's live one.
struct CloseLink {
  AgentName agent;
  LinkId link = 0;
  std::string reason;
};

/// Give an attempt to an agent: over its link, or by running the command of an exec agent.
struct AssignWork {
  AgentName agent;
  LinkId link = 0;  ///< 0 for exec agents
  std::shared_ptr<const WorkSpec> work;
  Epoch epoch = 0;
  /// 1 for the first try.
  int attempt = 1;
  /// Number of the run's step, for log folders; 0 when not part of a run.
  int step_number = 0;
  /// Time left until the item's deadline or the attempt's timeout, whichever is first; zero: none.
  Duration time_left{0};
  /// Exec agents: what to run.
  std::shared_ptr<const AgentSpec> spec;
};

/// Tell the agent to stop an attempt (exec: kill its tree). Idempotent; unknown attempts are
/// ignored.
struct CancelAttempt {
  AgentName agent;
  LinkId link = 0;
  WorkId work;
  Epoch epoch = 0;
  std::string reason;
};

/// The agent's result for an attempt is recorded (accepted) or refused (its epoch is over); it may
/// forget it.
struct AckResult {
  AgentName agent;
  LinkId link = 0;
  WorkId work;
  Epoch epoch = 0;
  bool accepted = true;
};

using Effect = std::variant<StartProcess, AdoptProcess, StopProcess, KillProcess, DrainAgent,
                            CloseLink, AssignWork, CancelAttempt, AckResult>;

}  // namespace mainstay::model
