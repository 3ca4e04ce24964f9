// For tests of Fleet: a fleet file in code, a clock that is moved by hand, and what came out.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "fleet/fleet.h"

namespace mainstay::fleet {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

inline model::AgentSpec link_spec(std::string name, std::vector<std::string> capabilities,
                                  std::vector<std::string> depends_on = {}) {
  model::AgentSpec spec;
  spec.name = std::move(name);
  spec.command = {"python3", spec.name + ".py"};
  spec.capabilities = std::move(capabilities);
  spec.depends_on = std::move(depends_on);
  return spec;
}

inline model::AgentSpec exec_spec(std::string name, std::vector<std::string> capabilities,
                                  std::vector<std::string> depends_on = {}) {
  model::AgentSpec spec =
      link_spec(std::move(name), std::move(capabilities), std::move(depends_on));
  spec.kind = model::AgentKind::exec;
  return spec;
}

inline model::LoadFleet fleet_of(std::vector<model::AgentSpec> specs) {
  auto fleet = std::make_shared<model::FleetSpec>();
  fleet->name = "test";
  for (model::AgentSpec& spec : specs) {
    fleet->agents.push_back(std::make_shared<const model::AgentSpec>(std::move(spec)));
  }
  return {fleet};
}

inline model::ExitStatus exit_code(int code) {
  model::ExitStatus status;
  status.code = code;
  return status;
}

inline model::ExitStatus exit_signal(int signal) {
  model::ExitStatus status;
  status.signal = signal;
  return status;
}

/// Every call clears `out` first, so it holds what the last input brought about.
struct Rig {
  std::unique_ptr<Fleet> fleet = std::make_unique<Fleet>(1);
  Now now{Mono(std::chrono::hours(1)), base::wall_from_micros(1'700'000'000'000'000)};
  model::Outbox out;
  model::LinkId next_link = 1;

  void move(Duration by) {
    now.mono += by;
    now.wall += std::chrono::duration_cast<std::chrono::microseconds>(by);
    out = {};
    fleet->tick(now, out);
  }
  template <class Command>
  void command(const Command& what, model::ReplyToken token = 1) {
    out = {};
    fleet->handle(token, what, now, out);
  }
  template <class Fact>
  void fact(const Fact& what) {
    out = {};
    fleet->on(what, now, out);
  }

  model::AgentStatus status(const std::string& name) const {
    for (const model::AgentStatus& status : fleet->statuses()) {
      if (status.name == name) return status;
    }
    ADD_FAILURE() << "no agent " << name;
    return {};
  }
  model::AgentState state(const std::string& name) const { return status(name).state; }

  void started(const std::string& name, int pid = 100) {
    fact(model::ProcessStarted{name, status(name).incarnation, {pid, 7, "boot"}, "aa"});
  }
  model::LinkId hello(const std::string& name, std::vector<std::string> serves = {},
                      int slots = 0) {
    const model::LinkId link = next_link++;
    fact(model::LinkOpened{
        name, status(name).incarnation, link, std::move(serves), slots, "python 0.1.0", {}});
    return link;
  }
  model::LinkId up(const std::string& name) {
    started(name);
    return hello(name);
  }
  void exited(const std::string& name, model::ExitStatus how) {
    fact(model::ProcessExited{name, status(name).incarnation, how});
  }

  template <class Effect>
  std::vector<Effect> effects() const {
    std::vector<Effect> found;
    for (const model::Effect& effect : out.effects) {
      if (const auto* match = std::get_if<Effect>(&effect)) found.push_back(*match);
    }
    return found;
  }
  /// Names of the agents that are being started.
  std::vector<std::string> starts() const {
    std::vector<std::string> names;
    for (const auto& start : effects<model::StartProcess>()) names.push_back(start.agent);
    return names;
  }
  std::vector<std::string> event_kinds() const {
    std::vector<std::string> kinds;
    for (const model::Event& event : out.events) kinds.push_back(event.kind);
    return kinds;
  }
  std::string event_body(const std::string& kind) const {
    for (const model::Event& event : out.events) {
      if (event.kind == kind) return event.body;
    }
    return {};
  }
  std::optional<Code> error_code() const {
    if (out.replies.empty() || out.replies.back().body) return std::nullopt;
    return out.replies.back().body.error().code();
  }
  /// Changes of one kind since the last call, as `name/incarnation`.
  std::vector<std::string> changes(AgentChangeKind kind) {
    std::vector<std::string> found;
    for (const AgentChange& change : fleet->take_changes()) {
      if (change.kind != kind) continue;
      found.push_back(change.agent + "/" + std::to_string(change.incarnation));
    }
    return found;
  }
  /// Whose attempts were lost since the last call; `name/incarnation in order` in a stop.
  std::vector<std::string> losses() {
    std::vector<std::string> found;
    for (const AgentChange& change : fleet->take_changes()) {
      if (change.kind != AgentChangeKind::lost) continue;
      found.push_back(change.agent + "/" + std::to_string(change.incarnation) +
                      (change.orderly ? " in order" : ""));
    }
    return found;
  }
  /// The rows of this fleet in a new daemon.
  void restart_daemon() {
    const std::vector<model::AgentStatus> rows = fleet->statuses();
    fleet = std::make_unique<Fleet>(2);
    fleet->recover(rows, now);
  }
};

}  // namespace mainstay::fleet
