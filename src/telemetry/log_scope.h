// The log context of a thread (RUN-2): run and step are set once, and every logger that is called
// under the scope follows.
//
//   LogScope scope({.run_id = id, .step = 3});
//   pool.post(with_log_context([] { log.info("still run id and step 3"); }));
//
// Lifetime: a scope lives on the stack of one thread and ends in reverse order. Threads: each has a
// context of its own; it goes to another thread only when it is carried there.
#pragma once

#include <utility>

#include "model/log_record.h"

namespace mainstay::telemetry {

/// Of this thread, now.
const model::LogContext& current_log_context();

/// What is set in `over` wins; the rest stays as in `base`.
model::LogContext merged(const model::LogContext& base, const model::LogContext& over);

/// While it lives, this thread's context is the one before with what is set in `context` laid over.
class LogScope {
 public:
  explicit LogScope(const model::LogContext& context);
  ~LogScope();
  LogScope(const LogScope&) = delete;
  LogScope& operator=(const LogScope&) = delete;

 private:
  model::LogContext before_;
};

/// A callable that runs `work` under the context of here and now, on whatever thread.
template <class Work>
auto with_log_context(Work work) {
  return [context = current_log_context(), work = std::move(work)](auto&&... arguments) mutable {
    const LogScope scope(context);
    return work(std::forward<decltype(arguments)>(arguments)...);
  };
}

}  // namespace mainstay::telemetry
