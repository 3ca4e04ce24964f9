// Makes the logs of a run whole again from the journal: lines of events that its files lack, since
// its folder could not be written or was removed. What agents said is not in the journal.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"
#include "model/event.h"
#include "runs/folders/run_files.h"
#include "runs/recorder_types.h"

namespace mainstay::runs {

struct RestoreOrder {
  model::RunId run;
  std::string pipeline;
  /// The last event that may be written; what is behind it comes by itself.
  model::Sequence until = 0;
};

/// Appends what lacks; doing it again appends nothing. How many lines it were.
Result<std::int64_t> restore_lines(const RestoreOrder& order, const EventsOfRun& events,
                                   RunFiles& files);

/// Appends those spans of Mainstay's own that the file lacks.
Result<void> restore_spans(const std::vector<model::SpanRecord>& spans, RunFiles& files);

}  // namespace mainstay::runs
