// What a durable event says in the logs of its run: pure.
#pragma once

#include <optional>

#include "model/event.h"
#include "model/log_record.h"

namespace mainstay::runs {

struct EventLine {
  /// For run.log (no step in the context) or the step's orchestrator log.
  model::LogRecord record;
  /// Usage that came with it, for the step's metrics log.
  std::optional<model::LogRecord> metrics;
};

EventLine line_of(const model::Event& event);

}  // namespace mainstay::runs
