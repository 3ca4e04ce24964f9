// One agent of the fleet file as the supervisor keeps it. Inside of fleet only.
#pragma once

#include <cstddef>
#include <memory>
#include <string>

#include "base/enum_text.h"
#include "base/time.h"
#include "fleet/supervision/restart_policy.h"
#include "model/fleet.h"
#include "model/outbox.h"

// waiting: for the readiness of what it depends on, before its first start. adopting: it is being
// found out whether the process of before the daemon's restart still lives. launching: StartProcess
// was given out. running: the process lives (exec agents: may be given items). backoff: waits to be
// restarted. ended: no process, and none will be made.
MS_ENUM_TEXT(fleet, Phase, waiting, adopting, launching, running, backoff, ended)

namespace mainstay::fleet {

/// What every decision is given: the moment, and where its outcome goes.
struct Turn {
  Now now;
  model::Outbox& out;
};

struct Agent {
  model::AgentStatus status;
  std::shared_ptr<const model::AgentSpec> spec;
  /// Position of its spec in the fleet file.
  std::size_t entry = 0;
  Phase phase = Phase::waiting;
  RestartHistory restarts;
  /// It ended for good before the daemon's restart; the decision holds.
  bool ended_earlier = false;

  // ---- of the present incarnation -------------------------------------------------------------
  model::LinkId link = 0;
  std::string link_reason;
  /// Adopting in order to kill it: its spec has changed, or it was being stopped.
  bool discard = false;
  /// ... the latter: the stop that the operator asked for before the daemon's restart is finished.
  bool discard_is_stop = false;
  std::string kill_reason;
  bool was_ready = false;
  Mono ready_at{};
  /// AgentView::signs when they last were seen to move, and when that was.
  std::uint64_t signs = 0;
  Mono moved_at{};
  std::string stall_reason;  ///< empty: it moves
  int failures_in_a_row = 0;
  /// Work was told that the attempts of this incarnation are lost.
  bool lost_told = true;

  // ---- of the stop ----------------------------------------------------------------------------
  bool stop_wanted = false;
  /// Its turn has come: everything that depends on it is gone.
  bool stop_begun = false;
  Mono stop_deadline{};
  /// StopProcess was given out: whatever ends the process from here on, it was asked for.
  bool told_to_end = false;

  std::string failed_needs;
  /// The row differs from what was last given out in something that is no transition.
  bool row_dirty = false;

  /// Its process ends because the operator stops it, and not by itself.
  bool ends_as_asked(bool clean_exit) const {
    return stop_begun && kill_reason.empty() && (told_to_end || clean_exit);
  }
  bool is_exec() const { return spec->kind == model::AgentKind::exec; }
  bool may_have_process() const {
    return phase == Phase::adopting || phase == Phase::launching || phase == Phase::running;
  }
};

}  // namespace mainstay::fleet
