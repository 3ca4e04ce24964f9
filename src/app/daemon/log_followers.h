// Followers of log files for the API: one thread looks at the files a few times a second and gives
// each follower its new lines (RUN-8).
#pragma once

#include <condition_variable>
#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/result.h"
#include "runs/logs/log_tail.h"

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

/// A follower of which it is still being found out where it has to look. Its handle ends it, before
/// or after that; then neither callback comes any more.
class LateFollower {
 public:
  using OnEnd = std::function<void(const Error&)>;

  LateFollower(runs::LogFilter filter, std::size_t lines, LogFollowers::OnLine on_line,
               OnEnd on_end)
      : filter_(std::move(filter)),
        lines_(lines),
        on_line_(std::move(on_line)),
        on_end_(std::move(on_end)) {}

  static std::shared_ptr<void> handle_of(std::shared_ptr<LateFollower> follower);

  /// Begins at that place, or tells why there is none. Once, from any thread.
  void found(LogFollowers& followers, Result<std::string> place);

 private:
  void end();

  // Recursive: who hears of the end may let the handle go.
  std::recursive_mutex mutex_;
  const runs::LogFilter filter_;
  const std::size_t lines_;
  LogFollowers::OnLine on_line_;
  OnEnd on_end_;
  bool ended_ = false;
  std::shared_ptr<void> follower_;
};

}  // namespace mainstay::app
