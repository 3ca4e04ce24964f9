// From what is known of an agent's start to the state that people see and work relies on. FLT-4.
//
// Pure; nothing fails.
#pragma once

#include <string>

#include "model/fleet.h"

namespace mainstay::fleet {

/// Failed attempts in a row that make an agent degraded.
constexpr int kDegradedAfter = 3;

/// What is known of an agent whose start is made and not yet over.
struct HealthView {
  /// exec agents have no link and are judged without one.
  bool needs_link = true;
  bool linked = false;
  /// It has been ready in this incarnation.
  bool was_ready = false;
  std::string stall_reason;  ///< empty: it moves, or holds nothing
  /// Not empty: it was killed or is being killed, and why.
  std::string kill_reason;
  /// Not empty: why its link is gone.
  std::string link_reason;
  int failures_in_a_row = 0;
  std::string last_error;
  /// Not empty: the dependencies that have failed, as a sentence.
  std::string failed_needs;
  /// Not empty: what the fleet file says it offers and it has no handler for.
  std::string unserved;
};

struct Health {
  model::AgentState state = model::AgentState::starting;
  std::string reason;
};

Health judge(const HealthView& view);

}  // namespace mainstay::fleet
