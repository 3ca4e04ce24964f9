// External agents: not started by Mainstay, registered over the API under a lease. FLT-2.
//
// A lease is held by monotonic time; what was left of it over a restart of the daemon is judged by
// the wall clock, and never shorter than kGraceAfterRestart (nobody could renew meanwhile).
// Pure, like Fleet, of which it is a part. Errors are answers to the commands.
#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <string>

#include "base/timer_queue.h"
#include "fleet/supervision/agent.h"
#include "model/fleet.h"
#include "model/input.h"

namespace mainstay::fleet {

constexpr Duration kLeaseMin = std::chrono::seconds(1);
constexpr Duration kLeaseMax = std::chrono::hours(24);
constexpr Duration kGraceAfterRestart = std::chrono::seconds(30);
constexpr std::size_t kMaxRegistrations = 10'000;

class Registrations {
 public:
  void recover(const model::AgentStatus& row, Now now);

  /// Registers, or replaces what was registered under the name.
  Result<model::AgentStatus> add(const model::RegisterAgent& command, Turn turn);
  Result<model::AgentStatus> renew(const model::RenewAgent& command, Turn turn);
  Result<void> remove(const model::AgentName& name, Turn turn);
  /// The fleet file took the name: its row is the supervisor's from now on.
  void yield(const model::AgentName& name, Turn turn);
  bool has(const model::AgentName& name) const { return agents_.contains(name); }

  /// Removes those whose lease is over.
  void tick(Turn turn);
  std::optional<Mono> next_due() const { return leases_.next_due(); }
  const std::map<model::AgentName, model::AgentStatus>& agents() const { return agents_; }

 private:
  void drop(const model::AgentName& name, const std::string& reason, Turn& turn);

  std::map<model::AgentName, model::AgentStatus> agents_;
  base::TimerQueue<model::AgentName> leases_;
};

}  // namespace mainstay::fleet
