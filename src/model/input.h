// Everything that can enter the control loop: commands from the API (each wants a reply) and facts
// from the node and the store. Plain values, so that a run can be recorded and replayed.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/error.h"
#include "base/result.h"
#include "base/time.h"
#include "model/fleet.h"
#include "model/ids.h"
#include "model/payload.h"
#include "model/run.h"
#include "model/work.h"

namespace mainstay::model {

// ---- commands ---------------------------------------------------------------------------------

/// Accept a work item. `spec.id` and `created_at` are set by the loop. `known` is what the API
/// found in the store for the idempotency key (a finished item that the loop may have forgotten).
struct SubmitWork {
  struct Known {
    WorkId id;
    std::string request_sha256;
    WorkState state;
  };
  WorkSpec spec;
  std::optional<Known> known;
};

struct CancelWork {
  WorkId id;
  std::string reason;
};

struct StartRun {
  std::string pipeline;
  Payload input;
  std::map<std::string, std::string> labels;
  std::string idempotency_key;
  std::string request_sha256;
  std::string trace_parent;
  struct Known {
    RunId id;
    std::string request_sha256;
  };
  std::optional<Known> known;
};

struct CancelRun {
  RunId id;
  std::string reason;
};

/// Start the agents of this fleet. The reply comes when it is recorded, not when all are ready.
struct LoadFleet {
  std::shared_ptr<const FleetSpec> fleet;
};

/// Drain and stop every agent, dependants first. The reply comes when all are gone.
struct StopFleet {};

/// Register (or replace) an external agent under a lease.
struct RegisterAgent {
  AgentName name;
  std::string endpoint;
  std::vector<std::string> capabilities;
  std::map<std::string, std::string> labels;
  Duration lease{std::chrono::seconds(30)};
};

struct RenewAgent {
  AgentName name;
  Duration lease{std::chrono::seconds(30)};
};

struct DeregisterAgent {
  AgentName name;
};

using CommandBody = std::variant<SubmitWork, CancelWork, StartRun, CancelRun, LoadFleet, StopFleet,
                                 RegisterAgent, RenewAgent, DeregisterAgent>;

struct Command {
  ReplyToken token = 0;
  /// Who asks; for the journal.
  std::string principal;
  CommandBody body;
};

// ---- replies ----------------------------------------------------------------------------------

struct WorkAccepted {
  WorkId id;
  WorkState state = WorkState::queued;
  /// The idempotency key was known: this is the earlier item.
  bool duplicate = false;
};
struct RunAccepted {
  RunId id;
  bool duplicate = false;
};
struct Done {};
struct AgentReply {
  AgentStatus status;
};

using ReplyBody = std::variant<Done, WorkAccepted, RunAccepted, AgentReply>;

struct Reply {
  ReplyToken token = 0;
  Result<ReplyBody> body;
};

// ---- facts from the node ----------------------------------------------------------------------

struct ProcessStarted {
  AgentName agent;
  Incarnation incarnation = 0;
  ProcessIdentity process;
  std::string token_sha256;
};

/// The process could not be made (faults A14). permanent: trying again cannot help (no such file,
/// not executable, wrong format).
struct ProcessStartFailed {
  AgentName agent;
  Incarnation incarnation = 0;
  Error error;
  bool permanent = false;
};

/// The process is gone and so is its whole tree.
struct ProcessExited {
  AgentName agent;
  Incarnation incarnation = 0;
  ExitStatus status;
};

/// After a restart of the daemon: is the process of before still the same one?
struct AdoptionFinished {
  AgentName agent;
  Incarnation incarnation = 0;
  /// Set when it lives and is watched again; else it and its leftovers are gone.
  std::optional<ProcessIdentity> process;
};

struct HeldAttempt {
  WorkId work;
  Epoch epoch = 0;
};

/// An agent said hello with a valid token. `held`: attempts that it still works on, or whose
/// results it has not seen acknowledged (after a reconnect).
struct LinkOpened {
  AgentName agent;
  Incarnation incarnation = 0;
  LinkId link = 0;
  std::vector<std::string> capabilities;  ///< subset of its spec's; empty: all of them
  int slots = 1;
  std::string sdk;
  std::vector<HeldAttempt> held;
};

struct LinkClosed {
  AgentName agent;
  LinkId link = 0;
  std::string reason;
  /// The agent said goodbye: it will exit by itself and holds nothing.
  bool orderly = false;
};

struct AttemptFinished {
  AgentName agent;
  /// 0 for exec agents.
  LinkId link = 0;
  WorkId work;
  Epoch epoch = 0;
  AttemptOutcome outcome;
};

struct AttemptProgress {
  AgentName agent;
  WorkId work;
  Epoch epoch = 0;
  double fraction = 0;
  std::string message;
};

/// The store stopped or resumed taking commits (faults C1, C4).
struct StorageChanged {
  bool writable = true;
  /// Not writable for want of space: results still go into the reserve, new work does not.
  bool full = false;
  std::string reason;
};

/// The run's folder was completed and archived.
struct RunArchived {
  RunId run;
  std::string path;
  std::int64_t size_bytes = 0;
  std::string sha256;
};

/// Nothing happened but time.
struct Tick {};

using Fact =
    std::variant<ProcessStarted, ProcessStartFailed, ProcessExited, AdoptionFinished, LinkOpened,
                 LinkClosed, AttemptFinished, AttemptProgress, StorageChanged, RunArchived, Tick>;

using Input = std::variant<Command, Fact>;

}  // namespace mainstay::model
