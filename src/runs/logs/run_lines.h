// Which lines an event puts into the logs of a run: pure. The same for a run that goes on and for
// one whose folder is made whole from the journal.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "model/event.h"
#include "runs/logs/event_line.h"

namespace mainstay::runs {

struct RunLine {
  /// 0: the run's own log.
  int step = 0;
  std::string component;
  /// With its line feed.
  std::string text;
};

class RunLines {
 public:
  /// Of an event of the run.
  std::vector<RunLine> of(const model::Event& event, const EventLine& line);
  /// Of an event of an agent: its downtime concerns every step that runs meanwhile, so it goes to
  /// their validator logs.
  std::vector<RunLine> of_agent(const std::string& run_id, const std::string& pipeline,
                                const EventLine& line) const;

 private:
  std::map<std::string, int> steps_;  // stage -> step number, of those that run now
};

}  // namespace mainstay::runs
