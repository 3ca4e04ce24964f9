// How a run looks while it happens: a picture for terminals that is drawn over again, and plain
// lines for everything else. Pure: the caller polls, prints and knows the time.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/result.h"
#include "platform/json/json.h"

namespace mainstay::app {

struct StepView {
  std::string stage;
  std::string state;
  std::int64_t total = 0;
  std::int64_t done = 0;
  std::int64_t failed = 0;
  std::int64_t retries = 0;
  double seconds = 0;
  std::string error;
};

struct RunView {
  std::string id;
  std::string pipeline;
  std::string state;
  std::string error;
  std::string hint;  // what to do about the error
  double seconds = 0;
  std::int64_t tokens = 0;
  std::vector<StepView> steps;

  bool finished() const { return state != "running"; }
};

/// From the API's answer for a run, its texts made printable: errors are words of agents.
/// `now_text` (RFC 3339) ends what is still running.
Result<RunView> run_view_of(const platform::Json& run, const std::string& now_text);

struct ViewStyle {
  int columns = 80;
  bool colour = false;
  /// Of the terminal; 0: as many lines as it takes.
  int rows = 0;
};

/// One line for the run and one per stage; no line is wider than the terminal, and all of them with
/// the cursor's line below are no more than its rows: where stages must go, those that failed or
/// run stay longest and a last line counts the others.
/// `rates` are items per second by stage, from the caller's last two looks.
std::vector<std::string> draw(const RunView& run, const std::map<std::string, double>& rates,
                              ViewStyle style);

/// What to say that was not so at the last look; `before` may be empty.
std::vector<std::string> changes(const RunView& before, const RunView& now);

}  // namespace mainstay::app
