#include "fleet/registrations.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "base/text.h"
#include "fleet/agent_endpoint.h"
#include "fleet/supervision/agent_journal.h"

namespace mainstay::fleet {
namespace {

using std::chrono::duration_cast;
using std::chrono::microseconds;

constexpr std::size_t kMaxCapabilities = 256;
constexpr std::size_t kMaxLabels = 64;
constexpr std::size_t kMaxLabelBytes = 1024;

Wall lease_end(Duration lease, Now now) { return now.wall + duration_cast<microseconds>(lease); }

Result<void> check_lease(Duration lease) {
  if (lease >= kLeaseMin && lease <= kLeaseMax) return {};
  return Error(Code::invalid_argument,
               fmt::format("lease: expected {} to {}, got {}", base::duration_to_text(kLeaseMin),
                           base::duration_to_text(kLeaseMax), base::duration_to_text(lease)))
      .with("field", "lease");
}

Result<void> check_labels(const std::map<std::string, std::string>& labels) {
  if (labels.size() > kMaxLabels) {
    return Error(Code::invalid_argument,
                 fmt::format("labels: at most {}, got {}", kMaxLabels, labels.size()))
        .with("field", "labels");
  }
  for (const auto& [key, value] : labels) {
    if (base::is_valid_name(key) && value.size() <= kMaxLabelBytes && base::is_valid_utf8(value)) {
      continue;
    }
    return Error(
               Code::invalid_argument,
               fmt::format("labels: expected names with at most {} bytes of UTF-8 each, got \"{}\"",
                           kMaxLabelBytes, base::excerpt(key, 80)))
        .with("field", "labels");
  }
  return {};
}

Result<void> check(const model::RegisterAgent& command) {
  if (!base::is_valid_name(command.name)) {
    return Error(Code::invalid_argument,
                 "name: expected 1 to 63 of a-z, 0-9, '_', '.', '-', got \"" +
                     base::excerpt(command.name, 80) + "\"")
        .with("field", "name");
  }
  if (command.capabilities.size() > kMaxCapabilities) {
    return Error(Code::invalid_argument, fmt::format("capabilities: at most {}, got {}",
                                                     kMaxCapabilities, command.capabilities.size()))
        .with("field", "capabilities");
  }
  for (const std::string& capability : command.capabilities) {
    if (base::is_valid_name(capability)) continue;
    return Error(Code::invalid_argument,
                 "capabilities: \"" + base::excerpt(capability, 80) + "\" is not a name")
        .with("field", "capabilities");
  }
  if (command.endpoint.empty()) {
    return Error(Code::invalid_argument,
                 "endpoint: missing; expected where the agent is, such as http://10.0.0.5:8000")
        .with("field", "endpoint");
  }
  if (auto valid = check_labels(command.labels); !valid) return valid;
  if (const std::string wrong = endpoint_problem(command.endpoint); !wrong.empty()) {
    return Error(Code::invalid_argument, "endpoint: " + wrong).with("field", "endpoint");
  }
  return check_lease(command.lease);
}

}  // namespace

void Registrations::recover(const model::AgentStatus& row, Now now) {
  Duration left{0};
  if (row.lease_until && *row.lease_until > now.wall) left = *row.lease_until - now.wall;
  left = std::clamp(left, kGraceAfterRestart, kLeaseMax);
  agents_[row.name] = row;
  leases_.set(row.name, now.mono + left);
}

Result<model::AgentStatus> Registrations::add(const model::RegisterAgent& command, Turn turn) {
  if (auto valid = check(command); !valid) return valid.error();
  if (!has(command.name) && agents_.size() >= kMaxRegistrations) {
    return Error(Code::overloaded,
                 fmt::format("{} agents are registered, and more are not kept", agents_.size()));
  }
  model::AgentStatus& status = agents_[command.name];
  const model::AgentState from = status.state;
  status.name = command.name;
  status.kind = model::AgentKind::external;
  status.state = model::AgentState::healthy;
  status.reason = "registered";
  status.endpoint = command.endpoint;
  status.capabilities = command.capabilities;
  status.labels = command.labels;
  status.lease_until = lease_end(command.lease, turn.now);
  leases_.set(command.name, turn.now.mono + command.lease);
  turn.out.row(model::AgentRow{status});
  journal_registered(status, turn);
  if (from != status.state) journal_state_change(status, from, turn);
  return status;
}

Result<model::AgentStatus> Registrations::renew(const model::RenewAgent& command, Turn turn) {
  if (auto valid = check_lease(command.lease); !valid) return valid.error();
  auto found = agents_.find(command.name);
  if (found == agents_.end()) {
    return Error(Code::not_found, "no agent " + base::excerpt(command.name, 80) + " is registered")
        .with_hint("its lease may be over; register it again");
  }
  found->second.lease_until = lease_end(command.lease, turn.now);
  leases_.set(command.name, turn.now.mono + command.lease);
  turn.out.row(model::AgentRow{found->second});
  return found->second;
}

Result<void> Registrations::remove(const model::AgentName& name, Turn turn) {
  if (!has(name)) {
    return Error(Code::not_found, "no agent " + base::excerpt(name, 80) + " is registered");
  }
  drop(name, "it left", turn);
  return {};
}

void Registrations::yield(const model::AgentName& name, Turn turn) {
  leases_.cancel(name);
  if (agents_.erase(name) == 0) return;
  journal_removed(name, "the fleet file has an agent of this name now", turn);
}

void Registrations::tick(Turn turn) {
  while (auto name = leases_.pop_due(turn.now.mono)) drop(*name, "its lease is over", turn);
}

void Registrations::drop(const model::AgentName& name, const std::string& reason, Turn& turn) {
  leases_.cancel(name);
  turn.out.row(model::AgentRemoved{name});
  journal_removed(name, reason, turn);
  agents_.erase(name);
}

}  // namespace mainstay::fleet
