// Row changes: what one step of the control loop wants kept. One transaction per turn holds them
// and the events. Applying the same changes twice gives the same rows (a commit of unknown outcome
// may be repeated).
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <variant>

#include "model/event.h"
#include "model/fleet.h"
#include "model/run.h"
#include "model/work.h"

namespace mainstay::model {

/// A work item that was accepted: its spec (written once) and first status.
struct WorkInserted {
  std::shared_ptr<const WorkSpec> spec;
  WorkStatus status;
};

/// The whole new status of a known item.
struct WorkUpdated {
  WorkId id;
  WorkStatus status;
};

/// One attempt, keyed by (work, epoch); written when it starts and when it ends.
struct AttemptRow {
  WorkId work;
  Epoch epoch = 0;
  AgentName agent;
  Incarnation incarnation = 0;
  Wall started_at{};
  std::optional<Wall> finished_at;
  /// Empty while it runs; then `succeeded` or a FailureKind.
  std::string outcome;
  std::optional<WorkError> error;
};

struct UsageRow {
  WorkId work;
  Epoch epoch = 0;
  /// Position among the usage entries of the attempt.
  int ordinal = 0;
  Usage usage;
};

struct RunInserted {
  std::shared_ptr<const RunSpec> spec;
  RunStatus status;
};

struct RunUpdated {
  RunId id;
  RunStatus status;
};

/// Keyed by (run, stage).
struct StepRow {
  RunId run;
  StepStatus status;
};

/// The archive of a finished run (RUN-4), keyed by run; what `mainstay runs verify` compares with.
struct ArchiveRow {
  RunId run;
  /// Path under the project folder.
  std::string path;
  std::int64_t size_bytes = 0;
  std::string sha256;
  Wall archived_at{};
};

/// Keyed by name.
struct AgentRow {
  AgentStatus status;
};

/// An external agent whose lease ended or that left.
struct AgentRemoved {
  AgentName name;
};

using Row = std::variant<WorkInserted, WorkUpdated, AttemptRow, UsageRow, RunInserted, RunUpdated,
                         StepRow, ArchiveRow, AgentRow, AgentRemoved>;

}  // namespace mainstay::model
