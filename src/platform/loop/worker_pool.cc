#include "platform/loop/worker_pool.h"

#include <utility>

#include "platform/loop/thread_name.h"

namespace mainstay::platform {

WorkerPool::WorkerPool(std::string name, std::size_t threads, std::size_t max_waiting)
    : name_(std::move(name)), max_waiting_(max_waiting) {
  threads_.reserve(threads);
  for (std::size_t i = 0; i < threads; ++i) threads_.emplace_back([this, i] { run(i); });
}

WorkerPool::~WorkerPool() { stop(); }

bool WorkerPool::submit(Job job) {
  {
    std::lock_guard lock(mutex_);
    if (stopping_ || waiting_.size() >= max_waiting_) {
      ++counters_.refused;
      return false;
    }
    waiting_.push_back(std::move(job));
  }
  wake_.notify_one();
  return true;
}

void WorkerPool::stop() {
  std::deque<Job> dropped;  // destroyed without the mutex: a job may hold anything
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
    dropped.swap(waiting_);
  }
  wake_.notify_all();
  for (std::thread& thread : threads_) {
    if (thread.joinable()) thread.join();
  }
}

WorkerPool::Counters WorkerPool::counters() const {
  std::lock_guard lock(mutex_);
  Counters counters = counters_;
  counters.waiting = waiting_.size();
  return counters;
}

void WorkerPool::run(std::size_t index) {
  name_this_thread((name_ + "-" + std::to_string(index)).c_str());
  std::unique_lock lock(mutex_);
  for (;;) {
    wake_.wait(lock, [this] { return stopping_ || !waiting_.empty(); });
    if (stopping_) return;
    Job job = std::move(waiting_.front());
    waiting_.pop_front();
    lock.unlock();
    job(index);
    job = nullptr;
    lock.lock();
    ++counters_.done;
  }
}

}  // namespace mainstay::platform
