// Routes of agents, the fleet and its pipelines.
#include <algorithm>
#include <utility>

#include "api/context.h"
#include "api/routes/handlers.h"
#include "api/routes/views.h"
#include "base/assert.h"
#include "base/text.h"
#include "model/agent_filter.h"
#include "platform/json/json_text.h"

namespace mainstay::api {
namespace {

using model::AgentStatus;
using platform::JsonWriter;

Result<model::AgentFilter> agent_filter(const Call& call) {
  model::AgentFilter filter;
  filter.name = call.parameter("name");
  filter.capability = call.parameter("capability");
  auto health = enum_parameter<model::AgentState>(call, "health");
  if (!health) return std::move(health).error();
  filter.health = *std::move(health);
  for (const auto& [name, value] : call.query) {
    if (name != "label") continue;
    const std::size_t equals = value.find('=');
    if (equals == std::string::npos) {
      return Error(Code::invalid_argument,
                   "label: expected key=value, got \"" + base::excerpt(value, 80) + "\"");
    }
    filter.labels.emplace(value.substr(0, equals), value.substr(equals + 1));
  }
  return filter;
}

Error no_such_agent(const std::string& name, const std::vector<AgentStatus>& agents) {
  std::vector<std::string> names;
  names.reserve(agents.size());
  for (const AgentStatus& agent : agents) names.push_back(agent.name);
  const auto near = base::nearest(name, names);
  return Error(Code::not_found, "there is no agent \"" + base::excerpt(name, 80) + "\"" +
                                    (near ? "; did you mean \"" + *near + "\"?" : ""))
      .with("name", base::excerpt(name, 80));
}

void command_and_reply_done(ApiContext& api, const CallPtr& call, model::CommandBody command) {
  api.backend.command(std::move(command), call->principal,
                      [api = api.shared_from_this(), call](Result<model::ReplyBody> done) {
                        if (!done) return reply_error(*api, call, done.error());
                        reply_done(*api, call);
                      });
}

}  // namespace

void list_agents(ApiContext& api, const CallPtr& call) {
  const auto filter = agent_filter(*call);
  if (!filter) return reply_error(api, call, filter.error());
  const auto fleet = api.backend.fleet();
  std::string out;
  JsonWriter json(out);
  json.begin_object().key("agents").begin_array();
  for (const AgentStatus& agent : fleet->agents) {
    if (filter->passes(agent)) write_agent(json, agent);
  }
  json.end_array().end_object();
  reply(api, call, 200, std::move(out));
}

void get_agent(ApiContext& api, const CallPtr& call) {
  const auto fleet = api.backend.fleet();
  for (const AgentStatus& agent : fleet->agents) {
    if (agent.name != call->subject) continue;
    std::string out;
    JsonWriter json(out);
    write_agent(json, agent);
    return reply(api, call, 200, std::move(out));
  }
  reply_error(api, call, no_such_agent(call->subject, fleet->agents));
}

void register_agent(ApiContext& api, const CallPtr& call) {
  auto agent = parse_register_request(call->request.body());
  if (!agent) return reply_error(api, call, agent.error());
  api.backend.command(
      *std::move(agent), call->principal,
      [api = api.shared_from_this(), call](Result<model::ReplyBody> answer) {
        if (!answer) return reply_error(*api, call, answer.error());
        const auto* registered = std::get_if<model::AgentReply>(&*answer);
        MS_ASSERT(registered != nullptr, "a registration is answered with another reply");
        std::string out;
        JsonWriter json(out);
        write_agent(json, registered->status);
        reply(*api, call, 201, std::move(out),
              {{"Location", "/v1/agents/" + platform::percent_encode(registered->status.name)}});
      });
}

void remove_agent(ApiContext& api, const CallPtr& call) {
  command_and_reply_done(api, call, model::DeregisterAgent{call->subject});
}

void renew_agent(ApiContext& api, const CallPtr& call) {
  const auto lease = parse_renew_request(call->request.body());
  if (!lease) return reply_error(api, call, lease.error());
  command_and_reply_done(api, call, model::RenewAgent{call->subject, *lease});
}

void get_fleet(ApiContext& api, const CallPtr& call) {
  std::string out;
  JsonWriter json(out);
  write_fleet(json, *api.backend.fleet());
  reply(api, call, 200, std::move(out));
}

void stop_fleet(ApiContext& api, const CallPtr& call) {
  api.backend.command(model::StopFleet{}, call->principal,
                      [api = api.shared_from_this(), call](Result<model::ReplyBody> done) {
                        if (!done) return reply_error(*api, call, done.error());
                        reply_done(*api, call);
                        api->backend.shut_down();
                      });
}

void list_pipelines(ApiContext& api, const CallPtr& call) {
  const auto fleet = api.backend.fleet();
  std::string out;
  JsonWriter json(out);
  json.begin_object().key("pipelines").begin_array();
  for (const auto& pipeline : fleet->pipelines) write_pipeline(json, *pipeline);
  json.end_array().end_object();
  reply(api, call, 200, std::move(out));
}

}  // namespace mainstay::api
