// One seed: a fleet, its faults, a safety phase in which anything may happen, and a liveness phase
// in which the faults are over and everything accepted must end.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/time.h"

namespace mainstay::sim {

struct SimulationResult {
  std::uint64_t seed = 0;
  bool calm = false;
  std::vector<std::string> violations;
  std::map<std::string, std::int64_t> sights;
  std::uint64_t trace_hash = 0;
  Duration simulated{0};
  std::int64_t acknowledged = 0;
};

SimulationResult simulate(std::uint64_t seed, Duration safety_phase);

}  // namespace mainstay::sim
