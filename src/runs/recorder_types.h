// What the recorder is told and asked: plain data.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "model/event.h"
#include "model/input.h"
#include "model/log_record.h"
#include "model/run.h"

namespace mainstay::runs {

/// What rows know of a run.
struct RunDetails {
  std::shared_ptr<const model::RunSpec> spec;
  model::RunStatus status;
  std::vector<model::StepStatus> steps;
  /// Models that were called, sorted.
  std::vector<std::string> models;
  /// Its archive is recorded: there is nothing left to do.
  bool archived = false;
};

/// Gives the events of the journal, in order, from the one that starts the run on (also those of
/// others), until the visitor says false.
using EventsOfRun =
    std::function<Result<void>(model::RunId, const std::function<bool(const model::Event&)>&)>;

struct RecorderOptions {
  std::string project_folder;
  /// The folder `runs`.
  std::string runs_root;
  /// Where lines without a run go.
  std::string fleet_log;
  /// Where the sequence of the last recorded event is kept.
  std::string position_file;
  std::string fleet_name;
  /// Files whose hashes the manifest keeps, under the project folder: the fleet file, scripts.
  std::vector<std::string> manifest_files;
  /// `mainstay 0.1.0`.
  std::string framework;
  /// Prefix of span attributes: `<prefix>.stage` (WRK-9).
  std::string span_prefix = "mainstay";
  /// Log lines and spans waiting to be written.
  std::size_t queue_limit = 100'000;
  /// A folder that could not be written is tried again this often.
  Duration retry_interval = std::chrono::seconds(5);
};

struct RecorderPorts {
  /// Reads a run from the store; blocking. not_found: there is no such run.
  std::function<Result<RunDetails>(model::RunId)> details;
  /// Tells the control loop that the archive is there.
  std::function<void(model::Fact)> fact;
  std::function<Wall()> wall_clock;
  /// Reads the journal; blocking.
  EventsOfRun events;
  /// Runs that have ended and have no recorded archive; blocking.
  std::function<Result<std::vector<model::RunId>>()> unarchived;
  /// Why folders cannot be written, once when it begins; "" when they can be again.
  std::function<void(const std::string& reason)> trouble;
};

}  // namespace mainstay::runs
