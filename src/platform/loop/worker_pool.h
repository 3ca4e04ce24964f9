// A few named threads for calls that block (database reads, archives), with a bounded queue.
//
// Lifetime: stop() or the destructor ends the threads after the jobs under way; jobs still waiting
// are dropped unrun. Threads: submit() and counters() from any. Jobs must not throw.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace mainstay::platform {

class WorkerPool {
 public:
  /// Given the number of the thread that runs it, from 0: for what is kept per thread.
  using Job = std::function<void(std::size_t thread)>;

  /// `name` has at most 13 characters; the threads are called NAME-0, NAME-1, …
  WorkerPool(std::string name, std::size_t threads, std::size_t max_waiting);
  ~WorkerPool();
  WorkerPool(const WorkerPool&) = delete;
  WorkerPool& operator=(const WorkerPool&) = delete;

  /// False, and the job is not taken, when max_waiting jobs wait or the pool has stopped.
  [[nodiscard]] bool submit(Job job);
  void stop();

  struct Counters {
    std::uint64_t done = 0;
    std::uint64_t refused = 0;
    std::size_t waiting = 0;
  };
  Counters counters() const;

 private:
  void run(std::size_t index);

  const std::string name_;
  const std::size_t max_waiting_;
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Job> waiting_;
  bool stopping_ = false;
  Counters counters_;
  std::vector<std::thread> threads_;
};

}  // namespace mainstay::platform
