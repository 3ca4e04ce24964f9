#include "node/link/link_worker.h"

#include <utility>

#include "platform/loop/thread_name.h"

namespace mainstay::node {

LinkWorker::LinkWorker(std::string name) : name_(std::move(name)), thread_([this] { run(); }) {}

LinkWorker::~LinkWorker() { stop(); }

void LinkWorker::post(std::function<void()> job) {
  {
    std::lock_guard lock(mutex_);
    jobs_.push_back(std::move(job));
  }
  wake_.notify_one();
}

void LinkWorker::stop() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_one();
  if (thread_.joinable()) thread_.join();
}

void LinkWorker::run() {
  platform::name_this_thread(name_.c_str());
  std::unique_lock lock(mutex_);
  while (true) {
    wake_.wait(lock, [this] { return stopping_ || !jobs_.empty(); });
    if (jobs_.empty()) return;
    auto job = std::move(jobs_.front());
    jobs_.pop_front();
    lock.unlock();
    job();
    job = nullptr;  // what it holds goes before the lock is taken again
    lock.lock();
  }
}

}  // namespace mainstay::node
