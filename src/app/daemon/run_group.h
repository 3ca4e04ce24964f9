// The long tasks of the daemon, by name: started in order, stopped in reverse order. If one cannot
// start, those before it are stopped again.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/result.h"

namespace mainstay::app {

class RunGroup {
 public:
  struct Task {
    std::string name;
    std::function<Result<void>()> start;
    std::function<void()> stop;
  };

  void add(Task task) { tasks_.push_back(std::move(task)); }

  Result<void> start() {
    for (Task& task : tasks_) {
      if (auto started = task.start(); !started) {
        stop();
        Error failed(started.error().code(), task.name + " could not start");
        return std::move(failed).caused_by(std::move(started).error());
      }
      ++running_;
    }
    return {};
  }

  void stop() {
    while (running_ > 0) tasks_[--running_].stop();
  }

 private:
  std::vector<Task> tasks_;
  std::size_t running_ = 0;
};

}  // namespace mainstay::app
