#include "fleet/supervision/agent_journal.h"

#include <utility>

#include "base/text.h"
#include "fleet/supervision/exit_text.h"
#include "platform/json/json_text.h"

namespace mainstay::fleet {
namespace {

using platform::JsonWriter;

/// One event; `fill` writes the members of its body.
template <class Fill>
void journal(std::string kind, const std::string& subject, Turn& turn, Fill&& fill) {
  std::string body;
  JsonWriter json(body);
  json.begin_object();
  fill(json);
  json.end_object();
  turn.out.event(turn.now.wall, std::move(kind), subject, std::move(body));
}

}  // namespace

void journal_state_change(const model::AgentStatus& status, model::AgentState from, Turn& turn) {
  journal("agent.state_changed", status.name, turn, [&](JsonWriter& json) {
    json.member("from", to_text(from)).member("to", to_text(status.state));
    json.member("reason", status.reason).member("incarnation", status.incarnation);
  });
}

void journal_starting(const model::AgentStatus& status, Turn& turn) {
  journal("agent.starting", status.name, turn, [&](JsonWriter& json) {
    json.member("incarnation", status.incarnation).member("restarts", status.restarts);
  });
}

void journal_started(const model::AgentStatus& status, Turn& turn) {
  journal("agent.started", status.name, turn, [&](JsonWriter& json) {
    json.member("incarnation", status.incarnation);
    if (status.process) json.member("pid", status.process->pid);
  });
}

void journal_ready(const model::AgentStatus& status, Turn& turn) {
  journal("agent.ready", status.name, turn, [&](JsonWriter& json) {
    json.member("incarnation", status.incarnation).member("slots", status.slots);
    json.member("sdk", status.sdk);
  });
}

void journal_exited(const Agent& agent, const std::string& cause, Turn& turn) {
  journal("agent.exited", agent.status.name, turn, [&](JsonWriter& json) {
    json.member("incarnation", agent.status.incarnation).member("cause", cause);
    json.member("expected", agent.stop_wanted);
    if (const auto& exit = agent.status.last_exit) {
      if (exit->code) json.member("code", *exit->code);
      if (exit->signal) json.member("signal", signal_name(*exit->signal));
      if (exit->core_dumped) json.member("core_dumped", true);
      if (exit->out_of_memory) json.member("out_of_memory", true);
    }
    if (agent.was_ready) json.member("ready_ms", base::to_millis(turn.now.mono - agent.ready_at));
  });
}

void journal_failed(const model::AgentStatus& status, Turn& turn) {
  journal("agent.failed", status.name, turn, [&](JsonWriter& json) {
    json.member("incarnation", status.incarnation).member("reason", status.reason);
    json.member("restarts", status.restarts);
  });
}

void journal_unserved(const model::AgentStatus& status, Turn& turn) {
  journal("agent.unserved", status.name, turn, [&](JsonWriter& json) {
    json.member("incarnation", status.incarnation).key("capabilities").begin_array();
    for (const std::string& capability : status.unserved) json.value(capability);
    json.end_array();
    json.member("reason", "fleet.yaml says that it offers " + base::join(status.unserved, ", ") +
                              ", and it has no handler for that; such work waits");
  });
}

void journal_registered(const model::AgentStatus& status, Turn& turn) {
  journal("agent.registered", status.name, turn, [&](JsonWriter& json) {
    json.member("endpoint", status.endpoint).key("capabilities").begin_array();
    for (const std::string& capability : status.capabilities) json.value(capability);
    json.end_array();
  });
}

void journal_removed(const model::AgentName& name, const std::string& reason, Turn& turn) {
  journal("agent.removed", name, turn, [&](JsonWriter& json) { json.member("reason", reason); });
}

void journal_loaded(const model::FleetSpec& fleet, std::size_t agents, Turn& turn) {
  journal("fleet.loaded", fleet.name, turn, [&](JsonWriter& json) {
    json.member("agents", agents).member("pipelines", fleet.pipelines.size());
  });
}

}  // namespace mainstay::fleet
