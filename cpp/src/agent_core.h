// The life of an agent process: connection after connection, attempts on worker threads, and an
// orderly end. run() is the caller's thread; messages come on gRPC's threads; handlers run on
// workers, which are made as they are needed.
#pragma once

#include <chrono>
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

#include "attempt.h"
#include "client_stream.h"
#include "mainstay/agent.h"
#include "mainstay/v1/link.pb.h"
#include "outbox.h"

namespace mainstay::agent_internal {

class Core : public std::enable_shared_from_this<Core> {
 public:
  explicit Core(Agent::Options options);

  void add(std::string capability, Handler handler);
  int run();
  void stop(std::chrono::milliseconds grace);
  const Agent::Options& options() const { return options_; }
  std::shared_ptr<const Settings> settings() const;

  // What contexts say.
  void say_progress(const Attempt& attempt, double fraction, std::string_view message);
  void say_log(const Attempt& attempt, std::string_view level, std::string_view message,
               std::string_view fields_json);

 private:
  using Clock = std::chrono::steady_clock;
  using Stream = ClientStream<v1::AgentMessage, v1::DaemonMessage>;
  using Lock = std::unique_lock<std::mutex>;

  // The connection (agent_core.cc).
  std::optional<int> one_connection();
  std::optional<int> watch(Lock& lock, const std::shared_ptr<Stream>& stream);
  std::optional<int> judge(const grpc::Status& status);
  void pause(Lock& lock);
  v1::AgentMessage hello() const;
  ToSend next_message(v1::AgentMessage& out);
  void received(v1::DaemonMessage& message);
  void pump();

  // Stopping.
  bool idle() const { return running_.empty() && waiting_.empty(); }
  void begin_stop(std::chrono::milliseconds grace);
  bool may_leave(Clock::time_point now);
  void cancel_all();
  std::optional<int> grace_over(Clock::time_point now);
  Clock::time_point next_look() const;

  // Attempts (agent_work.cc).
  void take_assignment(v1::Assignment& assignment);
  void cancel_attempt(const AttemptKey& key);
  void work();
  Outcome handle(Attempt& attempt);
  void end_workers();

  Agent::Options options_;
  std::map<std::string, Handler> handlers_;
  std::minstd_rand random_;

  mutable std::mutex mutex_;
  std::condition_variable changed_;  ///< for run()
  std::condition_variable wanted_;   ///< for workers
  std::shared_ptr<const Settings> settings_;
  Outbox outbox_;
  std::map<AttemptKey, std::shared_ptr<Attempt>> running_;
  std::deque<std::shared_ptr<Attempt>> waiting_;
  std::vector<std::thread> workers_;
  std::size_t free_workers_ = 0;
  bool workers_end_ = false;

  std::shared_ptr<Stream> stream_;
  std::optional<grpc::Status> stream_over_;
  bool hello_sent_ = false;
  bool greeted_ = false;
  bool was_greeted_ = false;
  bool leaving_ = false;  ///< goodbye is to be said, or was
  bool goodbye_sent_ = false;
  int failures_ = 0;

  bool stopping_ = false;
  Clock::time_point grace_until_{};
  std::optional<Clock::time_point> idle_since_;
  bool cancelled_all_ = false;
};

}  // namespace mainstay::agent_internal
