// Which agents somebody asks for (FLT-2): by name, capability, health, label. Empty fields ask for
// nothing.
#pragma once

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "model/fleet.h"

namespace mainstay::model {

struct AgentFilter {
  AgentName name;
  std::string capability;
  std::vector<AgentState> health;
  std::multimap<std::string, std::string> labels;

  bool passes(const AgentStatus& agent) const {
    const auto has = [](const auto& all, const auto& one) {
      return std::find(all.begin(), all.end(), one) != all.end();
    };
    if (!name.empty() && agent.name != name) return false;
    if (!capability.empty() && !has(agent.capabilities, capability)) return false;
    if (!health.empty() && !has(health, agent.state)) return false;
    return std::all_of(labels.begin(), labels.end(), [&](const auto& label) {
      const auto found = agent.labels.find(label.first);
      return found != agent.labels.end() && found->second == label.second;
    });
  }
};

}  // namespace mainstay::model
