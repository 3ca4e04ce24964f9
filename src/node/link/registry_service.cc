#include "node/link/registry_service.h"

#include <chrono>
#include <functional>
#include <mutex>
#include <string>
#include <variant>

#include "base/text.h"
#include "model/agent_filter.h"
#include "platform/crypto.h"

namespace mainstay::node {
namespace {

namespace wire = ::mainstay::v1;

constexpr Duration kDefaultLease = std::chrono::seconds(30);

grpc::Status status_of(const Error& error) {
  return {static_cast<grpc::StatusCode>(base::code_info(error.code()).grpc_status),
          error.message()};
}

/// One call that is being decided: finished once, by its answer or by the server's stop.
class PendingCall final : public EndableStream {
 public:
  PendingCall(grpc::ServerUnaryReactor* reactor, std::shared_ptr<LinkParts> parts)
      : reactor_(reactor), parts_(std::move(parts)) {}

  void end(const Error& error) override {
    finish(status_of(error), [] {});
  }
  /// `fill` writes the reply, whose memory ends with the call.
  void finish(const grpc::Status& status, const std::function<void()>& fill) {
    std::lock_guard lock(mutex_);
    if (reactor_ == nullptr) return;
    fill();
    std::exchange(reactor_, nullptr)->Finish(status);
    parts_->streams.remove(this);
  }

 private:
  std::mutex mutex_;
  grpc::ServerUnaryReactor* reactor_;
  std::shared_ptr<LinkParts> parts_;
};

/// `operator`, `agent:NAME`, or nothing: nobody known.
std::string principal_of(const LinkParts& parts, const grpc::CallbackServerContext& context) {
  const auto found = context.client_metadata().find("authorization");
  if (found == context.client_metadata().end()) return {};
  const std::string token = bearer_token({found->second.data(), found->second.size()});
  if (token.empty()) return {};
  if (parts.sinks.is_operator && parts.sinks.is_operator(token)) return "operator";
  const auto agent =
      parts.registry.agent_of(platform::sha256_hex(token), parts.process_of(context.peer()));
  return agent ? "agent:" + *agent : std::string();
}

Result<void> check_operator(const std::string& principal) {
  if (principal == "operator") return {};
  if (principal.empty()) return Error(Code::unauthenticated, "the token is missing or not valid");
  return Error(Code::forbidden, "registering agents needs the operator's token");
}

Duration lease_of(std::int64_t milliseconds) {
  // Out of bounds is the control loop's to refuse; here it must only not overflow.
  constexpr std::int64_t kMost = std::int64_t{1} << 40;
  if (milliseconds == 0) return kDefaultLease;
  return std::chrono::milliseconds(std::clamp(milliseconds, -kMost, kMost));
}

void fill_agent(const model::AgentStatus& agent, wire::RegisteredAgent& out) {
  out.set_name(agent.name);
  out.set_endpoint(agent.endpoint);
  for (const std::string& capability : agent.capabilities) out.add_capabilities(capability);
  for (const auto& [key, value] : agent.labels) (*out.mutable_labels())[key] = value;
  out.set_state(std::string(to_text(agent.state)));
  out.set_kind(std::string(to_text(agent.kind)));
  out.set_reason(agent.reason);
  if (agent.lease_until) out.set_lease_until_unix_micros(base::to_micros(*agent.lease_until));
}

Result<model::AgentFilter> filter_of(const wire::FindRequest& request) {
  model::AgentFilter filter{request.name(), request.capability(), {}, {}};
  for (const std::string& name : request.health()) {
    const auto state = base::parse_enum<model::AgentState>(name);
    if (!state) {
      return Error(Code::invalid_argument, "health: \"" + base::excerpt(name, 80) +
                                               "\" is no state of an agent, such as healthy");
    }
    filter.health.push_back(*state);
  }
  filter.labels.insert(request.labels().begin(), request.labels().end());
  return filter;
}

/// Hands a command to the control loop; `answered` fills the reply when it was done.
grpc::ServerUnaryReactor* command(const std::shared_ptr<LinkParts>& parts,
                                  grpc::CallbackServerContext* context, model::CommandBody body,
                                  std::function<void(const model::ReplyBody&)> answered) {
  auto* const reactor = context->DefaultReactor();
  const std::string principal = principal_of(*parts, *context);
  if (const auto allowed = check_operator(principal); !allowed) {
    reactor->Finish(status_of(allowed.error()));
    return reactor;
  }
  auto call = std::make_shared<PendingCall>(reactor, parts);
  if (!parts->streams.add(call)) {
    call->end(Error(Code::unavailable, "the daemon is stopping"));
    return reactor;
  }
  parts->sinks.command(
      std::move(body), principal,
      [call, answered = std::move(answered)](const Result<model::ReplyBody>& reply) {
        if (!reply) return call->end(reply.error());
        call->finish(grpc::Status::OK, [&] { answered(*reply); });
      });
  return reactor;
}

std::function<void(const model::ReplyBody&)> into(wire::RegisteredAgent* reply) {
  return [reply](const model::ReplyBody& body) {
    if (const auto* agent = std::get_if<model::AgentReply>(&body))
      fill_agent(agent->status, *reply);
  };
}

}  // namespace

grpc::ServerUnaryReactor* RegistryService::Register(grpc::CallbackServerContext* context,
                                                    const wire::RegisterRequest* request,
                                                    wire::RegisteredAgent* reply) {
  model::RegisterAgent body{request->name(),
                            request->endpoint(),
                            {request->capabilities().begin(), request->capabilities().end()},
                            {request->labels().begin(), request->labels().end()},
                            lease_of(request->lease_ms())};
  return command(parts_, context, std::move(body), into(reply));
}

grpc::ServerUnaryReactor* RegistryService::Renew(grpc::CallbackServerContext* context,
                                                 const wire::RenewRequest* request,
                                                 wire::RegisteredAgent* reply) {
  return command(parts_, context, model::RenewAgent{request->name(), lease_of(request->lease_ms())},
                 into(reply));
}

grpc::ServerUnaryReactor* RegistryService::Deregister(grpc::CallbackServerContext* context,
                                                      const wire::DeregisterRequest* request,
                                                      wire::DeregisterReply*) {
  return command(parts_, context, model::DeregisterAgent{request->name()},
                 [](const model::ReplyBody&) {});
}

grpc::ServerUnaryReactor* RegistryService::Find(grpc::CallbackServerContext* context,
                                                const wire::FindRequest* request,
                                                wire::FindReply* reply) {
  auto* const reactor = context->DefaultReactor();
  if (principal_of(*parts_, *context).empty()) {
    reactor->Finish(status_of(Error(Code::unauthenticated, "the token is missing or not valid")));
    return reactor;
  }
  const auto filter = filter_of(*request);
  if (!filter) {
    reactor->Finish(status_of(filter.error()));
    return reactor;
  }
  if (const auto agents = parts_->sinks.agents ? parts_->sinks.agents() : nullptr) {
    for (const model::AgentStatus& agent : *agents) {
      if (filter->passes(agent)) fill_agent(agent, *reply->add_agents());
    }
  }
  reactor->Finish(grpc::Status::OK);
  return reactor;
}

}  // namespace mainstay::node
