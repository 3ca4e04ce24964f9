// Why an item waits: one reason and one sentence for people. What is accepted and cannot be served
// now still says so (WRK-1, FLT-6).
//
// Pure; nothing fails. The agents are those of a snapshot: the answer is as old as it is.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/enum_text.h"
#include "model/fleet.h"
#include "model/work.h"

// fleet_stops: no agent gets new work. not_offered: no agent of the fleet file names the capability
// (any more). no_agent: those that do cannot take it now. busy: all their slots are in use.
// start_after, backoff: it waits for a time. due: an agent is free.
MS_ENUM_TEXT(work, WaitReason, fleet_stops, not_offered, no_agent, busy, start_after, backoff, due)

namespace mainstay::work {

struct Waiting {
  WaitReason reason = WaitReason::due;
  std::string sentence;
};

/// nullopt: the item does not wait. `stopping`: the fleet goes down.
std::optional<Waiting> waiting_of(const model::WorkSpec& spec, const model::WorkStatus& status,
                                  const std::vector<model::AgentStatus>& agents, bool stopping);

}  // namespace mainstay::work
