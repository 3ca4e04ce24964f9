// Work items and runs, as the control loop sees them: takes commands and facts, decides, and writes
// what follows into the Outbox (WRK-1, WRK-2, WRK-4, WRK-5, WRK-8, WRK-9, WRK-10).
//
// Lifetime: made once, recovered once, then called. One caller at a time; no clock, no I/O, no
// randomness but that of its seed. Every command is answered exactly once; what is refused has
// changed nothing.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/random.h"
#include "base/time.h"
#include "base/uuid.h"
#include "fleet/directory.h"
#include "model/input.h"
#include "model/outbox.h"
#include "model/recovered.h"
#include "work/items/items.h"
#include "work/pipelines/run_table.h"
#include "work/work_settings.h"

namespace mainstay::work {

class Work {
 public:
  /// Runs that may be open before new ones are refused as overloaded.
  static constexpr std::int64_t kMaxOpenRuns = 10'000;

  Work(const WorkSettings& settings, std::uint64_t seed);

  /// The pipelines that new runs may name. Open runs keep the one they were started with.
  void load_pipelines(const model::FleetSpec& fleet);

  /// Takes in what the store held. Attempts of link agents stay as they are until their agent comes
  /// back or is lost; those of command agents were lost with the daemon and do not count.
  void recover(model::Recovered recovered, Now now, model::Outbox& out);

  void handle(model::ReplyToken token, const model::SubmitWork& submit,
              const fleet::Directory& directory, const model::StorageChanged& storage, Now now,
              model::Outbox& out);
  void handle(model::ReplyToken token, const model::StartRun& start,
              const fleet::Directory& directory, const model::StorageChanged& storage, Now now,
              model::Outbox& out);
  void handle(model::ReplyToken token, const model::CancelWork& cancel,
              const fleet::Directory& directory, Now now, model::Outbox& out);
  void handle(model::ReplyToken token, const model::CancelRun& cancel,
              const fleet::Directory& directory, Now now, model::Outbox& out);

  /// Records the result of the current attempt once; refuses any other (fencing), and says so.
  void on(const model::AttemptFinished& finished, fleet::Directory& directory, Now now,
          model::Outbox& out);
  void on(const model::AttemptProgress& progress, fleet::Directory& directory, Now now);
  void agent_lost(const AgentLoss& loss, fleet::Directory& directory, Now now, model::Outbox& out);
  /// Attempts that the agent does not hold never arrived: they wait again and do not count.
  void link_opened(const model::LinkOpened& opened, fleet::Directory& directory, Now now,
                   model::Outbox& out);

  /// Gives waiting items to free agents, and completes the rows of the turn: call it last.
  void dispatch(fleet::Directory& directory, Now now, model::Outbox& out);
  void tick(const fleet::Directory& directory, Now now, model::Outbox& out);
  /// When tick() wants to be called at the latest; a moment that has passed means now.
  std::optional<Mono> next_due() const;

  /// How attempts ended since the last call, for the health of their agents.
  std::vector<AttemptReport> take_reports() { return items_.take_reports(); }

  std::int64_t queued() const { return items_.queued(); }
  std::int64_t delayed() const { return items_.delayed(); }
  std::int64_t running() const { return items_.running(); }
  std::int64_t open_runs() const { return runs_.open_runs(); }
  /// Attempts told to stop whose agents have not confirmed it.
  std::int64_t stopping() const { return static_cast<std::int64_t>(items_.stopping()); }

 private:
  RunContext context(Now now, model::Outbox& out) { return {items_, settings_, ids_, now, out}; }
  Result<void> check_room(const model::StorageChanged& storage) const;
  Result<void> check_offered(const std::string& capability, std::string_view where,
                             const fleet::Directory& directory) const;
  Result<void> check_open_input(const model::Payload& more) const;
  Result<void> check_start(const model::StartRun& start, const model::PipelineSpec& pipeline,
                           const fleet::Directory& directory) const;
  std::optional<Result<model::ReplyBody>> known_answer(const model::SubmitWork& submit);
  std::optional<Result<model::ReplyBody>> known_answer(const model::StartRun& start) const;
  Result<model::ReplyBody> submit(const model::SubmitWork& submit,
                                  const fleet::Directory& directory,
                                  const model::StorageChanged& storage, Now now,
                                  model::Outbox& out);
  Result<model::ReplyBody> start(const model::StartRun& start, const fleet::Directory& directory,
                                 const model::StorageChanged& storage, Now now, model::Outbox& out);
  Result<std::shared_ptr<const model::PipelineSpec>> find_pipeline(const std::string& name) const;
  std::shared_ptr<model::WorkSpec> complete(const model::WorkSpec& asked, Now now);

  WorkSettings settings_;
  base::UuidMaker ids_;
  base::Random traces_;
  Items items_;
  RunTable runs_;
  std::vector<std::shared_ptr<const model::PipelineSpec>> pipelines_;
  /// Of the fleet file; for "did you mean".
  std::vector<std::string> capabilities_;
};

}  // namespace mainstay::work
