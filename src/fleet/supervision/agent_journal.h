// What the journal says of agents: the bodies of the agent.* and fleet.* events. Inside of fleet.
//
// Pure; nothing fails.
#pragma once

#include <string>

#include "base/time.h"
#include "fleet/supervision/agent.h"
#include "model/fleet.h"
#include "model/outbox.h"

namespace mainstay::fleet {

/// {"from","to","reason","incarnation"}
void journal_state_change(const model::AgentStatus& status, model::AgentState from, Turn& turn);
/// The intent, before the process is made: {"incarnation","restarts"}
void journal_starting(const model::AgentStatus& status, Turn& turn);
/// {"incarnation","pid"}
void journal_started(const model::AgentStatus& status, Turn& turn);
/// {"incarnation","slots","sdk"}
void journal_ready(const model::AgentStatus& status, Turn& turn);
/// {"incarnation","cause","expected", and of "code","signal","core_dumped","out_of_memory" what is
/// known,"ready_ms"}
void journal_exited(const Agent& agent, const std::string& cause, Turn& turn);
/// {"incarnation","reason","restarts"}
void journal_failed(const model::AgentStatus& status, Turn& turn);
/// {"incarnation","capabilities","reason"}
void journal_unserved(const model::AgentStatus& status, Turn& turn);
/// {"endpoint","capabilities"}
void journal_registered(const model::AgentStatus& status, Turn& turn);
/// {"reason"}
void journal_removed(const model::AgentName& name, const std::string& reason, Turn& turn);
/// {"agents","pipelines"}
void journal_loaded(const model::FleetSpec& fleet, std::size_t agents, Turn& turn);

}  // namespace mainstay::fleet
