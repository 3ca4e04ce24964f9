// `mainstay agents find | register | renew | deregister`: the registry by hand (FLT-2).
#include <fmt/format.h>

#include <cstdio>
#include <string_view>
#include <utility>

#include "app/cli/client/daemon_client.h"
#include "app/cli/commands.h"
#include "app/cli/input/input_json.h"
#include "app/cli/input/short_id.h"
#include "app/views/fleet_tables.h"
#include "app/views/json_fields.h"
#include "base/text.h"
#include "platform/http/message.h"

namespace mainstay::app {
namespace {

using platform::Json;
using platform::JsonArray;
using platform::JsonObject;

std::string find_target(const FindOptions& options) {
  std::string target = "/v1/agents";
  const auto add = [&](const char* key, const std::string& value) {
    if (value.empty()) return;
    target += fmt::format("{}{}={}", target.find('?') == std::string::npos ? '?' : '&', key,
                          platform::percent_encode(value));
  };
  add("name", options.name.value_or(""));
  add("capability", options.capability);
  add("health", base::join(options.health, ","));
  for (const std::string& label : options.labels) add("label", label);
  return target;
}

JsonObject lease_body(const std::string& lease) {
  JsonObject body;
  if (!lease.empty()) body["lease"] = lease;
  return body;
}

Result<JsonObject> register_body(const RegisterOptions& options) {
  auto labels = read_labels(options.labels);
  if (!labels) return std::move(labels).error();
  JsonArray capabilities;
  for (const std::string& capability : options.capabilities) capabilities.emplace_back(capability);
  JsonObject body = lease_body(options.lease);
  body["name"] = options.name;
  if (!options.endpoint.empty()) body["endpoint"] = options.endpoint;
  body["capabilities"] = std::move(capabilities);
  body["labels"] = std::move(*labels);
  return body;
}

}  // namespace

int agents_find(const GlobalOptions& global, const FindOptions& options) {
  auto daemon = DaemonClient::connect(global.project);
  if (!daemon) return report(daemon.error());
  if (options.name && options.name->empty()) return report(agent_target("").error());
  auto found = daemon->get(find_target(options));
  if (!found) return report(found.error());
  const JsonArray& agents = list_of(found->json, "agents");
  Table table({"NAME", "STATE", "ENDPOINT", "CAPABILITIES", "LABELS", "LEASE UNTIL"});
  for (const Json& agent : agents) {
    std::vector<std::string> labels;
    for (const auto& [key, value] : object_of(agent, "labels")) {
      labels.push_back(fmt::format("{}={}", std::string_view(key),
                                   value.is_string() ? std::string(value.get_string()) : ""));
    }
    table.row({text_of(agent, "name"), text_of(agent, "state"), text_of(agent, "endpoint"),
               capabilities_text(agent), base::join(labels, ","), text_of(agent, "lease_until")});
  }
  print(global, found->text, agents.empty() ? "" : table.to_text());
  if (!agents.empty()) return kExitDone;
  std::fputs("mainstay: no agent is like that\n  `mainstay agents list` shows all\n", stderr);
  return kExitNotFound;
}

int agents_register(const GlobalOptions& global, const RegisterOptions& options) {
  auto body = register_body(options);
  if (!body) return report(body.error());
  auto daemon = DaemonClient::connect(global.project);
  if (!daemon) return report(daemon.error());
  auto agent = daemon->post("/v1/agents", platform::to_text(*body));
  if (!agent) return report(agent.error());
  print(global, agent->text,
        fmt::format("registered {} until {}\n", options.name, text_of(agent->json, "lease_until")));
  return kExitDone;
}

int agents_renew(const GlobalOptions& global, const RegisterOptions& options) {
  auto daemon = DaemonClient::connect(global.project);
  if (!daemon) return report(daemon.error());
  const auto target = agent_target(options.name);
  if (!target) return report(target.error());
  auto done = daemon->post(*target + ":renew", platform::to_text(lease_body(options.lease)));
  if (!done) return report(done.error());
  auto agent = daemon->get(*target);
  if (!agent) return report(agent.error());
  print(global, agent->text,
        fmt::format("renewed {} until {}\n", options.name, text_of(agent->json, "lease_until")));
  return kExitDone;
}

int agents_deregister(const GlobalOptions& global, const std::string& name) {
  auto daemon = DaemonClient::connect(global.project);
  if (!daemon) return report(daemon.error());
  const auto target = agent_target(name);
  if (!target) return report(target.error());
  auto done = daemon->remove(*target);
  if (!done) return report(done.error());
  print(global, platform::to_text(JsonObject{{"deregistered", name}}),
        fmt::format("deregistered {}\n", name));
  return kExitDone;
}

}  // namespace mainstay::app
