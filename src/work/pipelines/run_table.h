// All open runs: started, told of their items, timed out, cancelled, forgotten when they are over.
// Part of the control loop's state: one caller at a time, no clock, no I/O.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "base/timer_queue.h"
#include "base/uuid.h"
#include "work/items/idempotency.h"
#include "work/pipelines/run.h"

namespace mainstay::work {

class RunTable {
 public:
  using Keys = IdempotencyKeys<model::RunId, model::RunState>;

  /// A new run, with its id.
  void start(std::shared_ptr<const model::RunSpec> spec, std::string_view caller_span,
             RunContext& context);
  /// A run from the store; its open items are restored after it, then resume() goes on.
  Run& restore(const model::RecoveredRun& recovered, Now now);
  /// Lets every run take its next steps, after a restart.
  void resume(RunContext& context);

  /// nullptr when there is no open run with this id.
  Run* find(const model::RunId& id);
  void cancel(Run& run, std::string_view reason, RunContext& context);

  /// Times runs out, and goes on where a run stopped at its limit of items for one call.
  void tick(RunContext& context);
  /// Gives runs the news of their items, until there is none. Call after anything that touched
  /// items.
  void take_news(RunContext& context);
  /// Writes the rows of steps whose counts have changed.
  void flush(model::Outbox& out);
  std::optional<Mono> next_due() const;

  const Keys& keys() const { return keys_; }
  std::int64_t open_runs() const { return static_cast<std::int64_t>(runs_.size()); }
  /// Bytes of the inputs of open runs.
  std::uint64_t input_bytes() const { return input_bytes_; }

 private:
  /// After each call into a run: forgets it when it is over, remembers what it still wants.
  void settle(Run& run, Now now);

  std::map<model::RunId, std::unique_ptr<Run>> runs_;
  std::uint64_t input_bytes_ = 0;
  base::TimerQueue<model::RunId> deadlines_;
  std::set<model::RunId> unfinished_;  // has_more()
  std::set<model::RunId> changed_;
  Keys keys_;
};

}  // namespace mainstay::work
