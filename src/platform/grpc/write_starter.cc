#include "platform/grpc/write_starter.h"

#include <utility>

#include "platform/loop/thread_name.h"

namespace mainstay::platform {

WriteStarter::WriteStarter(const char* thread_name)
    : thread_([this, thread_name] { run(thread_name); }) {}

WriteStarter::~WriteStarter() { stop(); }

void WriteStarter::kick(std::shared_ptr<Flushable> stream) {
  bool first = false;
  {
    std::lock_guard lock(mutex_);
    if (stopping_) return;
    first = marked_.empty();
    marked_.push_back(std::move(stream));
  }
  if (first) wake_.notify_one();
}

void WriteStarter::stop() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_one();
  if (thread_.joinable()) thread_.join();
}

void WriteStarter::run(const char* thread_name) {
  name_this_thread(thread_name);
  std::vector<std::shared_ptr<Flushable>> batch;
  std::unique_lock lock(mutex_);
  while (true) {
    wake_.wait(lock, [this] { return stopping_ || !marked_.empty(); });
    if (marked_.empty()) return;
    batch.swap(marked_);
    lock.unlock();
    for (auto& stream : batch) stream->flush();
    batch.clear();
    lock.lock();
  }
}

}  // namespace mainstay::platform
