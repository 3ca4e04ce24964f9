// What the store holds at start: all that the control loop needs to go on.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "model/row.h"

namespace mainstay::model {

struct RecoveredWork {
  std::shared_ptr<const WorkSpec> spec;
  WorkStatus status;
  /// Set while an attempt is running.
  std::optional<AttemptRow> attempt;
};

/// An item that ended not long ago: its agent may send the result again, and is told that it was
/// accepted.
struct RecoveredEnd {
  WorkId id;
  Epoch epoch = 0;
  WorkState state = WorkState::succeeded;
};

struct RecoveredRun {
  std::shared_ptr<const RunSpec> spec;
  RunStatus status;
  std::vector<StepStatus> steps;
  /// Every work item of the run, finished ones included (their outputs feed later stages).
  std::vector<RecoveredWork> items;
};

struct Recovered {
  Sequence last_seq = 0;
  /// Items that are not terminal and belong to no run.
  std::vector<RecoveredWork> work;
  /// Runs that are not terminal.
  std::vector<RecoveredRun> runs;
  std::vector<AgentStatus> agents;
  /// The newest items that ended, oldest first; at most about 10,000.
  std::vector<RecoveredEnd> ended;
};

}  // namespace mainstay::model
