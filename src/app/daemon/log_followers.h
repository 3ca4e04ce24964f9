// Followers of log files for the API: one thread looks at the files a few times a second and gives
// each follower its new lines (RUN-8).
#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "runs/log_tail.h"

namespace mainstay::app {

class LogFollowers {
 public:
  using OnLine = std::function<void(const std::string&)>;

  LogFollowers();
  ~LogFollowers();
  LogFollowers(const LogFollowers&) = delete;
  LogFollowers& operator=(const LogFollowers&) = delete;

  /// First the newest `lines` matching lines, then each new one, until the handle goes; after that
  /// no call of on_line comes. The handle must not go inside on_line.
  std::shared_ptr<void> follow(std::string place, runs::LogFilter filter, std::size_t lines,
                               OnLine on_line);
  void stop();

 private:
  struct Entry;

  void run();

  std::mutex mutex_;
  std::condition_variable wake_;
  std::vector<std::shared_ptr<Entry>> entries_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace mainstay::app
