// The Registry service (FLT-2) over gRPC: agents that Mainstay does not start become known under a
// lease, and are found by name, capability, health and label. The same rules as the HTTP routes of
// /v1/agents: the control loop decides.
//
// The operator's token does everything; an agent's token may Find.
#pragma once

#include <memory>
#include <utility>

#include "mainstay/v1/link.grpc.pb.h"
#include "node/link/link_parts.h"

namespace mainstay::node {

class RegistryService final : public mainstay::v1::Registry::CallbackService {
 public:
  explicit RegistryService(std::shared_ptr<LinkParts> parts) : parts_(std::move(parts)) {}

  grpc::ServerUnaryReactor* Register(grpc::CallbackServerContext* context,
                                     const mainstay::v1::RegisterRequest* request,
                                     mainstay::v1::RegisteredAgent* reply) override;
  grpc::ServerUnaryReactor* Renew(grpc::CallbackServerContext* context,
                                  const mainstay::v1::RenewRequest* request,
                                  mainstay::v1::RegisteredAgent* reply) override;
  grpc::ServerUnaryReactor* Deregister(grpc::CallbackServerContext* context,
                                       const mainstay::v1::DeregisterRequest* request,
                                       mainstay::v1::DeregisterReply* reply) override;
  grpc::ServerUnaryReactor* Find(grpc::CallbackServerContext* context,
                                 const mainstay::v1::FindRequest* request,
                                 mainstay::v1::FindReply* reply) override;

 private:
  std::shared_ptr<LinkParts> parts_;
};

}  // namespace mainstay::node
