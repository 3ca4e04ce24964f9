// A thread for what link streams must not do on gRPC's own threads, because it may wait: for the
// disk (large payloads), or for /proc (whose process says hello). HTTP/2 keepalive goes on
// meanwhile. One job per stream at a time, so the queue is bounded by the number of streams.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <thread>

namespace mainstay::node {

class LinkWorker {
 public:
  /// `name` has at most 15 characters.
  explicit LinkWorker(std::string name);
  ~LinkWorker();
  LinkWorker(const LinkWorker&) = delete;
  LinkWorker& operator=(const LinkWorker&) = delete;

  void post(std::function<void()> job);
  /// Runs what is queued, then ends the thread.
  void stop();

 private:
  void run();

  const std::string name_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::function<void()>> jobs_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace mainstay::node
