// Behind mainstay::Client: what is under way, and a thread that keeps a stream to the daemon.
#pragma once

#include <condition_variable>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "client_stream.h"
#include "mainstay/client.h"
#include "mainstay/v1/link.pb.h"

namespace mainstay::client_internal {

class Core : public std::enable_shared_from_this<Core> {
 public:
  explicit Core(Client::Options options);

  void start();
  void close();
  void submit(SubmitOptions request, Client::OnAccepted on_accepted,
              Client::OnFinished on_finished);
  bool wait_for_room(std::chrono::nanoseconds at_most);
  bool wait_idle(std::chrono::nanoseconds at_most);

 private:
  using Stream = agent_internal::ClientStream<v1::SubmitRequests, v1::SubmitReplies>;
  using Lock = std::unique_lock<std::mutex>;

  struct Pending {
    v1::SubmitRequest request;
    Client::OnAccepted on_accepted;
    Client::OnFinished on_finished;
    bool sent = false;
    bool accepted = false;
    std::string work_id;
  };
  /// What is told to the caller once the lock is given back.
  using Told = std::vector<std::function<void()>>;

  bool has_room() const { return pending_.size() < options_.window || refused_ || closing_; }
  void run();
  grpc::Status one_connection();
  agent_internal::ToSend next_message(v1::SubmitRequests& out);
  void received(v1::SubmitReplies& replies);
  void take_reply(v1::SubmitReply& reply, Told& told);
  void sort_out(const grpc::Status& status, Told& told);
  void fail(Pending& pending, const SubmitProblem& problem, Told& told);
  /// Calls back without the lock; `telling_now_` was counted up under it.
  void tell(Told& told);

  Client::Options options_;
  std::minstd_rand random_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::mutex telling_;  ///< callbacks come one at a time
  std::map<std::uint64_t, Pending> pending_;
  std::deque<std::uint64_t> to_send_;
  std::uint64_t last_id_ = 0;
  int telling_now_ = 0;
  std::shared_ptr<Stream> stream_;
  std::optional<grpc::Status> stream_over_;
  std::optional<SubmitProblem> refused_;
  bool heard_ = false;
  bool closing_ = false;
  std::thread thread_;
};

}  // namespace mainstay::client_internal
