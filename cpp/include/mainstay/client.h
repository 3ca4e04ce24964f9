// Submits durable work to a Mainstay daemon over one stream, with a window: many submits are under
// way at a time, and submit() waits when there are more.
//
// The stream is made again with jitter when it breaks. A request with an idempotency key is then
// sent again (the daemon knows it by its key); one without is answered with the problem
// `unavailable`, since nobody can know whether it was accepted.
//
// Any thread. Callbacks come on the client's threads, one at a time, and must be quick.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "mainstay/work.h"

namespace mainstay {

namespace client_internal {
class Core;
}

struct SubmitOptions {
  std::string capability;
  std::string description;
  /// JSON text; empty is null.
  std::string input;
  /// 0 to 9; nullopt: the default.
  std::optional<int> priority;
  /// Must be the client's choice where a lost answer matters.
  std::string idempotency_key;
  std::chrono::milliseconds timeout{0};
  std::chrono::milliseconds idle_timeout{0};
  int max_attempts = 0;
  std::string phase;
  std::map<std::string, std::string> labels;
  std::string trace_parent;
};

/// Why a submit was not accepted: a code of docs/errors.
struct SubmitProblem {
  std::string code;
  std::string message;
  bool retryable = false;
};

struct Accepted {
  std::string work_id;
  bool duplicate = false;
  /// Set when it was not accepted; then the rest is empty.
  std::optional<SubmitProblem> problem;
};

struct Finished {
  std::string work_id;
  /// `succeeded`, `failed`, `timed_out` or `cancelled`.
  std::string state;
  std::string output;
  /// When it did not succeed.
  std::string code;
  std::string message;
};

class Client {
 public:
  struct Options {
    /// `unix:/project/.mainstay/link.sock` or `127.0.0.1:7001`; by default MAINSTAY_LINK.
    std::string link;
    /// The operator's or an agent's; by default MAINSTAY_TOKEN.
    std::string token;
    /// Submits that wait for their answer; finished items that are waited for count too.
    std::size_t window = 4096;
  };
  using OnAccepted = std::function<void(const Accepted&)>;
  using OnFinished = std::function<void(const Finished&)>;

  explicit Client(Options options);
  Client();
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  /// Waits while the window is full (so not from within a callback). on_finished may be empty:
  /// nobody waits for the end then. A client that is closed first answers `unavailable`.
  void submit(SubmitOptions request, OnAccepted on_accepted, OnFinished on_finished = {});
  /// True when submit() would not wait, within `at_most`.
  bool wait_for_room(std::chrono::nanoseconds at_most);
  /// Submits and waits for the end; the problem's code is in `code` when it was not accepted (then
  /// `state` is empty).
  Finished run(SubmitOptions request);
  /// True when every submit was answered and every awaited item finished within `at_most`.
  bool wait_idle(std::chrono::nanoseconds at_most);
  /// No callback comes after it has returned. Not from within a callback.
  void close();

 private:
  std::shared_ptr<client_internal::Core> core_;
};

}  // namespace mainstay
