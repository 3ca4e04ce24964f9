// A step of the daemon's start that may have to wait for the disk: tried at once, and as long as it
// is refused with an error that may pass, tried again in the background. A daemon that ended
// instead would leave the agents of before without one (faults C1, B1).
//
// Threads: start() and stop() on one; the attempt runs there first, later on a thread of the task.
#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "base/result.h"
#include "base/time.h"

namespace mainstay::app {

class PatientTask {
 public:
  using OnDone = std::function<void(Result<void>)>;

  struct Options {
    /// The name of the task's thread; at most 15 characters.
    std::string name;
    /// Calls back once, from any thread, at once or later, also after stop().
    std::function<void(OnDone)> attempt;
    /// Before each wait: what went wrong, and when it is tried again.
    std::function<void(const Error&, Duration)> on_trouble;
    Duration retry_min = std::chrono::milliseconds(100);
    Duration retry_max = std::chrono::seconds(5);
  };

  explicit PatientTask(Options options) : options_(std::move(options)) {}
  ~PatientTask() { stop(); }
  PatientTask(const PatientTask&) = delete;
  PatientTask& operator=(const PatientTask&) = delete;

  /// Returns after the first attempt: with its error when that will not pass by itself.
  Result<void> start();
  /// No new attempt begins after it; one under way is not waited for. Idempotent.
  void stop();

 private:
  /// What an attempt came to; outlives the task if the answer comes late.
  struct Outcome {
    std::mutex mutex;
    std::condition_variable changed;
    std::optional<Result<void>> done;
    bool stopping = false;
  };

  /// nullopt: stopped before the answer.
  std::optional<Result<void>> try_once();
  /// False: stopped meanwhile.
  bool rest(Duration delay);
  void run(Error trouble);

  const Options options_;
  const std::shared_ptr<Outcome> outcome_ = std::make_shared<Outcome>();
  std::thread thread_;
};

}  // namespace mainstay::app
