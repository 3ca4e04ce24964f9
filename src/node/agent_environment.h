// The environment that agents' processes get, and the marks by which they are found again after a
// crash of the daemon (faults A13, B4).
//
// Nothing of the daemon's own environment but NodeOptions::inherited_environment and the variables
// that the agent's spec names, and nothing of another agent's: a token goes to the process it was
// made for alone.
#pragma once

#include <string>
#include <vector>

#include "model/effect.h"
#include "node/node_context.h"

namespace mainstay::node {

/// `MAINSTAY_START_ID` of an incarnation: the same for the same data folder, agent and number, so
/// that a daemon that died between intent and start still finds what it started.
std::string start_id(const std::string& instance, const model::AgentName& agent,
                     model::Incarnation incarnation);
/// The same for an attempt of an exec agent.
std::string start_id(const std::string& instance, const model::WorkId& work, model::Epoch epoch);
/// `MAINSTAY_START_ID=ID`.
std::string start_marker(const std::string& id);

/// Name of the cgroup of an incarnation; '@' is in no agent's name.
std::string group_name(const model::AgentName& agent, model::Incarnation incarnation);
/// Name of the cgroup of one slot of an exec agent.
std::string exec_group_name(const model::AgentName& agent, int slot);
bool is_exec_group(const std::string& name);

/// Of a link agent.
std::vector<std::string> link_environment(const NodeOptions& options,
                                          const model::StartProcess& start,
                                          const std::string& token);
/// Of one attempt of an exec agent: with the context of the work item.
std::vector<std::string> exec_environment(const NodeOptions& options,
                                          const model::AssignWork& assign);

/// Values among the agent's own variables (`env`, `pass_env`) whose name says that they are secret
/// (`..._KEY`, `...TOKEN`, `...SECRET`, `...PASSWORD`): no log may show them (faults I9).
std::vector<std::string> secret_values(const model::AgentSpec& spec);

/// Absolute working folder of the spec's processes.
std::string working_dir(const NodeOptions& options, const model::AgentSpec& spec);

}  // namespace mainstay::node
