// `mainstay down | status | agents … | version`.
#include <fmt/format.h>

#include <optional>
#include <string_view>

#include "app/cli/client/daemon_client.h"
#include "app/cli/commands.h"
#include "app/cli/input/short_id.h"
#include "app/cli/interrupt.h"
#include "app/version.h"
#include "app/views/fleet_tables.h"
#include "app/views/json_fields.h"
#include "platform/clock.h"
#include "platform/http/message.h"
#include "platform/process/identity.h"

namespace mainstay::app {
namespace {

using platform::JsonObject;

constexpr auto kDaemonEndLimit = std::chrono::seconds(60);

bool is_gone(const DaemonInfo& info) {
  const auto there = platform::identify(info.pid);
  return !there || there->start_ticks != info.start_ticks || !platform::is_alive(*there);
}

// The daemon of the project, when that is the one talked to: its process can be watched.
std::optional<DaemonInfo> own_process(const GlobalOptions& global, const DaemonClient& daemon) {
  const auto project = find_project(global.project);
  if (!project || !daemon.serves(*project)) return std::nullopt;
  auto info = read_daemon_info(*project);
  return info ? std::optional(*std::move(info)) : std::nullopt;
}

// A daemon is gone when its process is, for the API goes away before that; of one that is somewhere
// else there is only the API.
bool wait_for_end(DaemonClient& daemon, const std::optional<DaemonInfo>& process) {
  const Mono until = platform::mono_now() + kDaemonEndLimit;
  while (platform::mono_now() < until) {
    if (process ? is_gone(*process) : !daemon.answers()) return true;
    if (interrupted_within(std::chrono::milliseconds(20))) return false;
  }
  return false;
}

Result<Answer> stop_fleet(DaemonClient& daemon) {
  const SaidOnInterrupt said("\nthe fleet goes on stopping, then the daemon; `mainstay status`\n");
  return daemon.post("/v1/fleet:down", "", "", std::chrono::minutes(5));
}

}  // namespace

int down(const GlobalOptions& global) {
  auto daemon = DaemonClient::connect(global.project);
  if (!daemon) return report(daemon.error());
  const auto process = own_process(global, *daemon);
  if (auto done = stop_fleet(*daemon); !done) return report(done.error());
  if (!wait_for_end(*daemon, process)) {
    const std::string which = process ? fmt::format(" (pid {})", process->pid) : "";
    return report(Error(Code::internal, fmt::format("the daemon{} has stopped its fleet and does "
                                                    "not end",
                                                    which)));
  }
  print(global, R"({"stopped":true})", "stopped\n");
  return kExitDone;
}

int status(const GlobalOptions& global) {
  auto daemon = DaemonClient::connect(global.project);
  if (!daemon) return report(daemon.error());
  auto fleet = daemon->get("/v1/fleet");
  if (!fleet) return report(fleet.error());
  auto agents = daemon->get("/v1/agents");
  if (!agents) return report(agents.error());
  const std::string table =
      fleet_line(fleet->json) + "\n" + agents_table(list_of(agents->json, "agents"));
  const auto list = platform::member_text(agents->text, "agents");
  print(global, with_member(fleet->text, "agent_list", list.value_or("[]")), table);
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
  print(global, agents->text, agents_table(list_of(agents->json, "agents")));
  return kExitDone;
}

int agents_show(const GlobalOptions& global, const std::string& name) {
  auto daemon = DaemonClient::connect(global.project);
  if (!daemon) return report(daemon.error());
  const auto target = agent_target(name);
  if (!target) return report(target.error());
  auto agent = daemon->get(*target);
  if (!agent) return report(agent.error());
  print(global, agent->text, agent_text(agent->json));
  return kExitDone;
}

int version(const GlobalOptions& global) {
  print(global, platform::to_text(JsonObject{{"version", kVersion}, {"commit", kCommit}}),
        fmt::format("mainstay {} (commit {})\n", kVersion, kCommit));
  return kExitDone;
}

}  // namespace mainstay::app
