#include "fleet/supervision/health.h"

#include <fmt/format.h>

namespace mainstay::fleet {

using model::AgentState;

Health judge(const HealthView& view) {
  if (!view.kill_reason.empty()) {
    return {AgentState::unhealthy, view.kill_reason + "; killed, not gone yet"};
  }
  if (view.needs_link && !view.linked) {
    if (!view.was_ready) return {AgentState::starting, "started; has not said hello yet"};
    return {AgentState::unhealthy, view.link_reason};
  }
  if (!view.stall_reason.empty()) return {AgentState::unhealthy, view.stall_reason};
  if (view.failures_in_a_row >= kDegradedAfter) {
    return {AgentState::degraded,
            fmt::format("{} failures in a row; last: {}", view.failures_in_a_row, view.last_error)};
  }
  if (!view.failed_needs.empty()) return {AgentState::degraded, view.failed_needs};
  if (!view.unserved.empty()) {
    return {AgentState::healthy, "ready; has no handler for " + view.unserved};
  }
  return {AgentState::healthy, view.needs_link ? "ready" : "ready; runs its command per item"};
}

}  // namespace mainstay::fleet
