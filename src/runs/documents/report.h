// What a run's summary and metrics are made of: plain data, gathered from rows and logs.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/time.h"
#include "model/run.h"
#include "model/usage.h"

namespace mainstay::runs {

struct StepReport {
  int number = 0;
  std::string stage;
  model::StepState state = model::StepState::waiting;
  Duration duration{0};
  std::int64_t retries = 0;
  std::int64_t items_total = 0;
  std::int64_t items_failed = 0;
  model::Usage usage;
  std::string error;
};

struct RunReport {
  std::string run_id;
  std::string pipeline;
  int pipeline_version = 0;
  /// `mainstay 0.1.0`.
  std::string framework;
  /// Names of the models that were called; empty: none.
  std::vector<std::string> models;
  model::RunState state = model::RunState::running;
  Wall started_at{};
  Wall finished_at{};
  std::string error;
  std::vector<StepReport> steps;
  std::int64_t error_count = 0;
  std::int64_t warning_count = 0;
  /// The first few of each, as one line.
  std::vector<std::string> errors;
  std::vector<std::string> warnings;
  /// Times that a person was asked.
  std::int64_t human_interactions = 0;
};

}  // namespace mainstay::runs
