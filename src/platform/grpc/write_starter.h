// One thread that starts the writes of many streams, so that a thread with better things to do
// (the store's writer, the control loop) only marks a stream and goes on. What is queued for a
// stream until the thread gets to it goes out as one message: batching without a timer.
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

namespace mainstay::platform {

class Flushable {
 public:
  virtual ~Flushable() = default;
  /// Starts a write of what is queued, unless one is under way. Must not block.
  virtual void flush() = 0;
};

class WriteStarter {
 public:
  explicit WriteStarter(const char* thread_name);
  ~WriteStarter();
  WriteStarter(const WriteStarter&) = delete;
  WriteStarter& operator=(const WriteStarter&) = delete;

  /// Flushes the stream soon. Any thread; ignored after stop().
  void kick(std::shared_ptr<Flushable> stream);
  void stop();

 private:
  void run(const char* thread_name);

  std::mutex mutex_;
  std::condition_variable wake_;
  std::vector<std::shared_ptr<Flushable>> marked_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace mainstay::platform
