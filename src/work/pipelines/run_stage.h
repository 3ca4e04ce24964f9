// One stage of a run in progress: what it waits for, what its items' inputs are, and what it gave.
// Its decisions; the run carries them out.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "model/run.h"
#include "model/work.h"

namespace mainstay::work {

/// Inputs of a stage's items. Hides the JSON; made when the stage starts, dropped with its end.
class StageInputs;

enum class SlotState : std::uint8_t { empty, open, done, failed };

/// The place of one item of a stage.
struct Slot {
  SlotState state = SlotState::empty;
  model::WorkId item;
  model::Payload output;
};

struct Stage {
  explicit Stage(const model::StageSpec& stage_spec);
  ~Stage();
  Stage(Stage&&) noexcept;
  Stage& operator=(Stage&&) noexcept;

  bool fan_out() const { return !spec->foreach_reference.empty(); }
  /// Items that may be open at a time; 0 in the spec means as many as agents could want.
  std::int64_t window() const;
  bool complete() const { return status.items_done + status.items_failed == status.items_total; }
  /// The output once all slots are done or failed: the array of a fan-out, else the one value.
  model::Payload join_outputs() const;
  /// Forgets what only a running stage needs.
  void drop_work();

  const model::StageSpec* spec;
  model::StepStatus status;
  /// Indexes of stages.
  std::vector<std::size_t> needs;
  std::vector<std::size_t> ancestors;
  bool is_needed = false;
  std::string span_id;
  Mono started{};

  // While it runs:
  std::unique_ptr<StageInputs> inputs;
  std::vector<Slot> slots;
  std::int64_t next = 0;  ///< no slot below it is empty
  std::int64_t open = 0;

  /// Once it is terminal; null text for none.
  model::Payload output;
  /// The step's row is behind the status.
  bool changed = false;
  /// It is over, and the stages that need it have not been told.
  bool news = false;
};

/// Terminal, and what needs it may start.
inline bool is_passed(model::StepState state) {
  return state == model::StepState::succeeded || state == model::StepState::degraded ||
         state == model::StepState::skipped;
}

/// Stages in the order of the pipeline, with needs and ancestors resolved.
std::vector<Stage> make_stages(const model::RunSpec& run);

/// What a stage's references see of the run.
struct StageScope {
  const model::RunSpec* run;
  const std::vector<Stage>* stages;
};

class StageInputs {
 public:
  /// Resolves `foreach` and reads the input template.
  static Result<std::unique_ptr<StageInputs>> make(const Stage& stage, const StageScope& scope);
  ~StageInputs();

  /// 1 without fan-out.
  std::int64_t count() const;
  Result<model::Payload> input(std::int64_t index);

 private:
  struct Parts;
  explicit StageInputs(std::unique_ptr<Parts> parts);

  std::unique_ptr<Parts> parts_;
};

/// Whether the stage's `when` holds; true when it has none.
Result<bool> is_wanted(const Stage& stage, const StageScope& scope);

}  // namespace mainstay::work
