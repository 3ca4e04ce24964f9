// `mainstay down | status | agents … | version`.
#include <fmt/format.h>

#include <cstdio>

#include "app/cli/commands.h"
#include "app/cli/daemon_client.h"
#include "app/cli/interrupt.h"
#include "app/version.h"
#include "app/views/fleet_tables.h"
#include "app/views/json_fields.h"
#include "platform/clock.h"
#include "platform/http/message.h"
#include "platform/process/identity.h"

namespace mainstay::app {
namespace {

using platform::Json;
using platform::JsonObject;

constexpr auto kDaemonEndLimit = std::chrono::seconds(60);

void print(const GlobalOptions& global, const Json& value, const std::string& table) {
  std::fputs(render(global.output, value, table).c_str(), stdout);
}

// The daemon is gone when its process is: the API answers before that.
bool wait_for_end(const DaemonInfo& info) {
  const Mono until = platform::mono_now() + kDaemonEndLimit;
  while (platform::mono_now() < until) {
    const auto there = platform::identify(info.pid);
    if (!there || there->start_ticks != info.start_ticks || !platform::is_alive(*there)) {
      return true;
    }
    if (interrupted_within(std::chrono::milliseconds(20))) return false;
  }
  return false;
}

Result<Json> stop_fleet(DaemonClient& daemon) {
  const SaidOnInterrupt said("\nthe fleet goes on stopping, then the daemon; `mainstay status`\n");
  return daemon.post("/v1/fleet:down", Json(nullptr), "", std::chrono::minutes(5));
}

}  // namespace

int down(const GlobalOptions& global) {
  auto project = find_project(global.project);
  if (!project) return report(project.error());
  auto info = read_daemon_info(*project);
  if (!info) return report(info.error());
  auto daemon = DaemonClient::connect(global.project);
  if (!daemon) return report(daemon.error());
  if (auto done = stop_fleet(*daemon); !done) return report(done.error());
  if (!wait_for_end(*info)) {
    return report(Error(Code::internal, fmt::format("the daemon (pid {}) has stopped its fleet "
                                                    "and does not end",
                                                    info->pid)));
  }
  print(global, JsonObject{{"stopped", true}}, "stopped\n");
  return kExitDone;
}

int status(const GlobalOptions& global) {
  auto daemon = DaemonClient::connect(global.project);
  if (!daemon) return report(daemon.error());
  auto fleet = daemon->get("/v1/fleet");
  if (!fleet) return report(fleet.error());
  auto agents = daemon->get("/v1/agents");
  if (!agents) return report(agents.error());
  const std::string table = fleet_line(*fleet) + "\n" + agents_table(list_of(*agents, "agents"));
  fleet->get_object()["agent_list"] = list_of(*agents, "agents");
  print(global, *fleet, table);
  return kExitDone;
}

int agents_list(const GlobalOptions& global, const ListOptions& options) {
  auto daemon = DaemonClient::connect(global.project);
  if (!daemon) return report(daemon.error());
  std::string target = "/v1/agents";
  if (!options.capability.empty()) {
    target += "?capability=" + platform::percent_encode(options.capability);
  }
  auto agents = daemon->get(target);
  if (!agents) return report(agents.error());
  print(global, *agents, agents_table(list_of(*agents, "agents")));
  return kExitDone;
}

int agents_show(const GlobalOptions& global, const std::string& name) {
  auto daemon = DaemonClient::connect(global.project);
  if (!daemon) return report(daemon.error());
  auto agent = daemon->get("/v1/agents/" + platform::percent_encode(name));
  if (!agent) return report(agent.error());
  print(global, *agent, agent_text(*agent));
  return kExitDone;
}

int version(const GlobalOptions& global) {
  print(global, JsonObject{{"version", kVersion}, {"commit", kCommit}},
        fmt::format("mainstay {} (commit {})\n", kVersion, kCommit));
  return kExitDone;
}

}  // namespace mainstay::app
