// One agent's stream: hello, then results, progress, logs and spans up; assignments, cancels,
// acknowledgements and drain down. See link.h for what the daemon sees of it.
#pragma once

#include <atomic>
#include <memory>
#include <string>

#include "mainstay/v1/link.pb.h"
#include "model/effect.h"
#include "model/input.h"
#include "node/link/link_parts.h"
#include "platform/grpc/grpc_alarm.h"
#include "platform/grpc/grpc_duplex.h"

namespace mainstay::node {

class AgentSession final
    : public platform::DuplexStream<mainstay::v1::AgentMessage, mainstay::v1::DaemonMessage>,
      public EndableStream {
 public:
  using Message = mainstay::v1::AgentMessage;

  AgentSession(grpc::CallbackServerContext* context, std::shared_ptr<LinkParts> parts);

  /// Starts to read, and the time in which a hello must be accepted.
  void start();

  void assign(const model::AssignWork& effect);
  void cancel(const model::CancelAttempt& effect);
  void ack(const model::AckResult& effect);
  void drain(const model::DrainAgent& effect);
  void end(const Error& error) override { finish(error); }
  /// Reports LinkClosed now and ends: a newer link takes its place.
  void replace();
  /// On the worker: tries a hello again that had to wait.
  void retry_hello();

 private:
  Next on_message(Message& message) override;
  void on_reads_done() override { finish_well(); }
  void on_closed(const std::string& reason) override;

  Next on_hello(const Message& message);
  /// On the worker, under a hold: judges the hello kept in claim_ and opened_. True when the link
  /// is open and reading goes on.
  bool try_open();
  void open(model::LinkId link, int allowed);
  Next take_or_hand_over(Message& message);
  void take(Message& message);
  void take_log(const mainstay::v1::LogLine& line);
  bool take_result(mainstay::v1::AttemptResult& result);
  void report_closed(const std::string& reason);
  std::shared_ptr<AgentSession> self();

  std::shared_ptr<LinkParts> parts_;
  grpc::Alarm hello_timer_;
  LinkRegistry::Claim claim_;
  model::LinkOpened opened_;
  std::atomic<bool> said_hello_ = false;
  std::atomic<model::LinkId> link_ = 0;
  std::atomic<bool> orderly_ = false;
  std::atomic<bool> close_reported_ = false;
};

}  // namespace mainstay::node
