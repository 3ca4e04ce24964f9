// How many refused results of an agent are worth an event each. A late result is told, always; an
// agent that floods the daemon with results of attempts that it does not hold must not fill the
// journal with them: from some number on they are counted, told once at the end of the window, and
// held against the agent.
//
// Pure: the time is given. As many entries as agents sent such results in the last window.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>

#include "base/time.h"
#include "model/ids.h"

namespace mainstay::work {

class StaleResults {
 public:
  static constexpr std::int64_t kRecorded = 1000;
  static constexpr Duration kWindow = std::chrono::minutes(1);

  /// record: an event of its own. count: none. blame: none, and the agent is to blame; said at the
  /// first over the limit and at every kRecorded more.
  enum class Verdict { record, count, blame };

  struct Counted {
    model::AgentName agent;
    /// Those that have no event of their own.
    std::int64_t results = 0;
  };

  Verdict take(const model::AgentName& agent, Mono now) {
    Window& window = windows_.try_emplace(agent, Window{now + kWindow, 0}).first->second;
    if (++window.results <= kRecorded) return Verdict::record;
    return window.results % kRecorded == 1 ? Verdict::blame : Verdict::count;
  }

  /// The next window that is over and had more than was recorded.
  std::optional<Counted> pop_over(Mono now) {
    for (auto at = windows_.begin(); at != windows_.end();) {
      if (at->second.end > now) {
        ++at;
        continue;
      }
      const Counted counted{at->first, at->second.results - kRecorded};
      at = windows_.erase(at);
      if (counted.results > 0) return counted;
    }
    return std::nullopt;
  }

  std::optional<Mono> next_due() const {
    std::optional<Mono> due;
    for (const auto& [agent, window] : windows_)
      due = std::min(due.value_or(window.end), window.end);
    return due;
  }

 private:
  struct Window {
    Mono end;
    std::int64_t results = 0;
  };
  std::map<model::AgentName, Window> windows_;
};

}  // namespace mainstay::work
