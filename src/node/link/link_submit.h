// The Work service: a client submits work over one stream and hears of each item once it is
// durable, and once more when it is finished if it asked to wait. Reading stops while too many
// answers are due (back-pressure by HTTP/2's flow control).
#pragma once

#include "mainstay/v1/link.grpc.pb.h"
#include "node/link/link_parts.h"

namespace mainstay::node {

class WorkService final : public mainstay::v1::Work::CallbackService {
 public:
  explicit WorkService(std::shared_ptr<LinkParts> parts) : parts_(std::move(parts)) {}

  grpc::ServerBidiReactor<mainstay::v1::SubmitRequest, mainstay::v1::SubmitReply>* Submit(
      grpc::CallbackServerContext* context) override;
  grpc::ServerBidiReactor<mainstay::v1::SubmitRequests, mainstay::v1::SubmitReplies>* SubmitMany(
      grpc::CallbackServerContext* context) override;

 private:
  std::shared_ptr<LinkParts> parts_;
};

}  // namespace mainstay::node
