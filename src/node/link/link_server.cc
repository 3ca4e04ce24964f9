#include <utility>

#include "mainstay/v1/link.grpc.pb.h"
#include "node/link/link.h"
#include "node/link/link_parts.h"
#include "node/link/link_session.h"
#include "node/link/link_submit.h"
#include "node/link/registry_service.h"
#include "platform/grpc/grpc_server.h"

namespace mainstay::node {
namespace {

/// A payload and what travels in the same message: smaller results, log lines, labels.
constexpr std::size_t kMaxLinkMessageBytes = kMaxLinkPayloadBytes + (std::size_t{8} << 20);
constexpr std::chrono::milliseconds kStopPatience{1000};

class AgentLinkService final : public mainstay::v1::AgentLink::CallbackService {
 public:
  explicit AgentLinkService(std::shared_ptr<LinkParts> parts) : parts_(std::move(parts)) {}

  grpc::ServerBidiReactor<mainstay::v1::AgentMessage, mainstay::v1::DaemonMessage>* Connect(
      grpc::CallbackServerContext* context) override {
    auto session = std::make_shared<AgentSession>(context, parts_);
    bool in_time = parts_->streams.add(session);
    session->start();
    if (!in_time) session->end(Error(Code::unavailable, "the daemon is stopping"));
    return session.get();
  }

 private:
  std::shared_ptr<LinkParts> parts_;
};

class RealLinkServer final : public LinkServer {
 public:
  explicit RealLinkServer(std::shared_ptr<LinkParts> parts)
      : parts_(std::move(parts)), agents_(parts_), work_(parts_), agent_registry_(parts_) {}
  ~RealLinkServer() override { stop(); }

  Result<void> listen() {
    auto started = platform::GrpcServer::start({parts_->options.tcp_address, kMaxLinkMessageBytes},
                                               {&agents_, &work_, &agent_registry_});
    if (!started) return started.error();
    server_ = std::move(started).value();
    // Known to the streams before the Unix socket opens: their peers' processes are asked of it.
    parts_->server = server_.get();
    if (parts_->options.unix_path.empty()) return {};
    return server_->listen_unix(parts_->options.unix_path);
  }

  std::string unix_target() const override { return server_->unix_target(); }
  std::string tcp_address() const override { return server_->tcp_address(); }

  void assign(const model::AssignWork& effect) override {
    if (auto session = parts_->registry.find(effect.agent, effect.link)) session->assign(effect);
  }
  void cancel(const model::CancelAttempt& effect) override {
    if (auto session = parts_->registry.find(effect.agent, effect.link)) session->cancel(effect);
  }
  void ack(const model::AckResult& effect) override {
    if (auto session = parts_->registry.find(effect.agent, effect.link)) session->ack(effect);
  }
  void drain(const model::DrainAgent& effect) override {
    if (auto session = parts_->registry.find(effect.agent, effect.link)) session->drain(effect);
  }
  void close(const model::CloseLink& effect) override {
    auto session = parts_->registry.find(effect.agent, effect.link);
    if (session) session->end(Error(Code::unavailable, effect.reason));
  }

  void expect(model::AgentName agent, model::Incarnation incarnation, std::string token_sha256,
              std::function<bool(pid_t)> owns_pid, int slots) override {
    auto result = parts_->registry.expect(
        agent, {incarnation, std::move(token_sha256), std::move(owns_pid), slots});
    if (result.outdated) {
      result.outdated->end(Error(Code::conflict, "a newer start of this agent is expected"));
    }
    for (auto& session : result.waiting) {
      parts_->hellos.post([session] { session->retry_hello(); });
    }
  }

  void forget(model::AgentName agent, model::Incarnation incarnation) override {
    auto session = parts_->registry.forget(agent, incarnation);
    if (session) session->end(Error(Code::conflict, "this start of the agent is over"));
  }

  void stop() override {
    std::lock_guard lock(stop_mutex_);
    if (!server_ || std::exchange(stopped_, true)) return;
    parts_->streams.close_all(Error(Code::unavailable, "the daemon is stopping"));
    server_->stop(kStopPatience);
    parts_->hellos.stop();
    parts_->payloads.stop();
    parts_->writer->stop();
  }

 private:
  std::shared_ptr<LinkParts> parts_;
  AgentLinkService agents_;
  WorkService work_;
  RegistryService agent_registry_;
  std::unique_ptr<platform::GrpcServer> server_;
  std::mutex stop_mutex_;
  bool stopped_ = false;
};

}  // namespace

bool StreamList::add(const std::shared_ptr<EndableStream>& stream) {
  std::lock_guard lock(mutex_);
  if (closed_) return false;
  streams_[stream.get()] = stream;
  return true;
}

void StreamList::remove(const EndableStream* stream) {
  std::lock_guard lock(mutex_);
  streams_.erase(stream);
}

void StreamList::close_all(const Error& error) {
  std::vector<std::shared_ptr<EndableStream>> streams;
  {
    std::lock_guard lock(mutex_);
    closed_ = true;
    for (auto& [ignored, weak] : streams_) {
      if (auto stream = weak.lock()) streams.push_back(std::move(stream));
    }
  }
  for (auto& stream : streams) stream->end(error);
}

std::string bearer_token(const std::string& authorization) {
  constexpr std::string_view kScheme = "Bearer ";
  if (authorization.compare(0, kScheme.size(), kScheme) != 0) return {};
  return authorization.substr(kScheme.size());
}

Result<std::unique_ptr<LinkServer>> LinkServer::start(Options options, Sinks sinks) {
  auto parts = std::make_shared<LinkParts>();
  parts->options = std::move(options);
  parts->sinks = std::move(sinks);
  parts->writer = std::make_shared<platform::WriteStarter>("link-writer");
  auto made = std::make_unique<RealLinkServer>(std::move(parts));
  if (auto listening = made->listen(); !listening) return listening.error();
  return std::unique_ptr<LinkServer>(std::move(made));
}

}  // namespace mainstay::node
