// One execution of a pipeline, as a state machine over its stages (WRK-8, WRK-9): a stage starts
// when all that it needs are over and none of them failed; its items are made in a window, not all
// at once; its outputs feed the next ones.
//
// Part of the control loop's state: one caller at a time, no clock, no I/O. It keeps the pipeline
// that it was started with, whatever the fleet file says later. Items end through on_item(); the
// run ends as soon as nothing can change its outcome.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"
#include "base/uuid.h"
#include "model/outbox.h"
#include "model/recovered.h"
#include "model/run.h"
#include "work/items/items.h"
#include "work/pipelines/run_stage.h"
#include "work/work_settings.h"

namespace mainstay::work {

/// What a run needs from around it, for one call.
struct RunContext {
  Items& items;
  const WorkSettings& settings;
  base::UuidMaker& ids;
  Now now;
  model::Outbox& out;
};

class Run {
 public:
  /// Items that one call of advance() makes at most; the rest are made by the next.
  static constexpr int kItemsPerCall = 1024;

  explicit Run(std::shared_ptr<const model::RunSpec> spec);

  /// A new run: its rows and events. advance() then starts its first stages.
  /// caller_span: the span of who asked, or empty.
  void begin(std::string_view caller_span, RunContext& context);
  /// From the store. Open items are the caller's to restore; advance() then goes on.
  void restore(const model::RecoveredRun& recovered, Now now);

  void on_item(const ItemNews& news, RunContext& context);
  /// Starts stages that may start, makes items, ends what is over.
  void advance(RunContext& context);
  void cancel(std::string_view reason, RunContext& context);
  void time_out(RunContext& context);
  /// Writes the rows of steps whose counts have changed.
  void flush(model::Outbox& out);

  const model::RunSpec& spec() const { return *spec_; }
  model::RunState state() const { return status_.state; }
  bool is_over() const { return model::is_terminal(status_.state); }
  /// advance() stopped at its limit and is to be called again.
  bool has_more() const { return has_more_ && !is_over(); }
  /// Of a stage's step; 0 when it has not started.
  int step_number(std::string_view stage) const;
  /// When it times out; kNever for no limit.
  Mono deadline() const { return deadline_; }

 private:
  Stage* stage_of(std::string_view name);
  StageScope scope() const { return {spec_.get(), &stages_}; }
  bool is_ready(const Stage& stage) const;
  /// Did something that may let other stages go on.
  bool advance_stage(Stage& stage, int& budget, RunContext& context);
  void start_stage(Stage& stage, RunContext& context);
  void fill_window(Stage& stage, int& budget, RunContext& context);
  void make_item(Stage& stage, std::int64_t index, model::Payload input, RunContext& context);
  void item_failed(Stage& stage, std::int64_t index, const model::WorkError& error,
                   RunContext& context);
  /// The stage as a whole cannot run.
  void stage_failed(Stage& stage, model::WorkError error, RunContext& context);
  void end_stage(Stage& stage, model::StepState state, RunContext& context);
  void fail(const Stage& stage, const model::WorkError& error, RunContext& context);
  void finish(RunContext& context);
  void end(model::RunState state, std::optional<model::WorkError> error, RunContext& context);
  void cancel_items(Stage& stage, std::string_view reason, RunContext& context);
  void tell_stage_error(const Stage& stage, std::int64_t index, const model::WorkError& error,
                        RunContext& context) const;
  void write_step(Stage& stage, model::Outbox& out);
  model::Payload joined_output() const;

  model::WorkError failure_of(const Error& error, const Stage& stage) const;

  using StageItems = std::vector<const model::RecoveredWork*>;
  void restore_stage(Stage& stage, const StageItems& items);
  static void restore_slot(Stage& stage, const model::RecoveredWork& item);
  void restore_output(Stage& stage);
  void restore_missing(Stage& stage);

  std::shared_ptr<const model::RunSpec> spec_;
  model::RunStatus status_;
  std::vector<Stage> stages_;
  std::string span_id_;
  /// The stage that made the run fail, while it ends.
  const Stage* failed_stage_ = nullptr;
  int last_number_ = 0;
  Mono started_{};
  Mono deadline_ = kNever;
  bool has_more_ = false;
};

}  // namespace mainstay::work
