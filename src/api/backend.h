// What the HTTP API needs of the rest of Mainstay: it hands in one command per request, reads rows
// and snapshots, and listens to events. Implemented once, where everything is wired (app).
//
// Every method may be called from any thread and returns at once. Callbacks come exactly once, on
// any thread, possibly before the method returns, and must be quick.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "model/event.h"
#include "model/fleet.h"
#include "model/input.h"
#include "model/log_record.h"
#include "model/pipeline.h"
#include "model/recovered.h"
#include "model/row.h"
#include "model/run.h"
#include "model/work.h"
#include "work/waiting.h"

namespace mainstay::api {

template <class T>
using OnResult = std::function<void(Result<T>)>;

/// The fleet as the control loop last published it; never changes.
struct FleetSnapshot {
  Wall at{};
  std::string fleet;
  std::vector<model::AgentStatus> agents;
  std::vector<std::shared_ptr<const model::PipelineSpec>> pipelines;
  /// The daemon has recovered and takes commands.
  bool ready = false;
  /// The fleet is going down.
  bool stopping = false;
  bool storage_writable = true;
  std::string storage_reason;
  /// Why folders of runs cannot be written; empty: they can. Work goes on without them.
  std::string recording_trouble;
  model::Sequence last_sequence = 0;
  std::int64_t queued = 0;
  std::int64_t delayed = 0;
  std::int64_t running = 0;
  std::int64_t open_runs = 0;
};

struct WorkView {
  std::shared_ptr<const model::WorkSpec> spec;
  model::WorkStatus status;
  /// Why it waits, by the fleet as it is now; the handler sets it.
  std::optional<work::Waiting> waiting = std::nullopt;
};

/// Newest first.
struct WorkFilter {
  /// Any of them; empty: all.
  std::vector<model::WorkState> states;
  std::string capability;
  std::optional<model::RunId> run;
  /// Only items made before this one.
  std::optional<model::WorkId> before;
  int limit = 50;
};

struct RunView {
  std::shared_ptr<const model::RunSpec> spec;
  model::RunStatus status;
  /// In the pipeline's order; may be empty in lists.
  std::vector<model::StepStatus> steps;
  /// While it runs, of one run only: the oldest open item of each stage whose open items all wait.
  std::vector<WorkView> waiting_items = {};
  /// Some item of it runs.
  bool has_running_items = false;
  /// Why all of it waits; the handler sets it, and that of each of the items.
  std::optional<work::Waiting> waiting = std::nullopt;
};

struct RunFilter {
  std::vector<model::RunState> states;
  std::string pipeline;
  std::optional<model::RunId> before;
  int limit = 50;
};

/// Empty fields do not filter.
struct EventFilter {
  /// `work.accepted`, or a whole family: `work.*`. An event passes when one of them fits.
  std::vector<std::string> kinds;
  std::string subject;

  bool passes(const model::Event& event) const;
};

/// Which log lines. Without a run: the fleet's own log.
struct LogQuery {
  std::optional<model::RunId> run;
  std::string component;
  std::string agent;
  model::LogLevel least = model::LogLevel::DEBUG;
  /// The newest so many.
  int lines = 100;
};

/// Ends the subscription when it goes; after that no callback of it runs. Must not be destroyed
/// inside one of its own callbacks.
class Subscription {
 public:
  virtual ~Subscription() = default;
};

class Backend {
 public:
  virtual ~Backend() = default;

  /// Into the control loop; the reply comes when it is durable.
  virtual void command(model::CommandBody body, std::string principal,
                       OnResult<model::ReplyBody> on_reply) = 0;
  /// Makes a payload of a JSON text; one over Payload::kInlineLimit is kept as a blob and synced
  /// first. Called for large ones only.
  virtual void store_payload(std::string json, OnResult<model::Payload> on_stored) = 0;
  /// Never null.
  virtual std::shared_ptr<const FleetSnapshot> fleet() = 0;

  /// `not_found` when there is none. The payloads' texts are there, blobs included.
  virtual void find_work(model::WorkId id, OnResult<WorkView> on_view) = 0;
  /// Payload texts may be missing.
  virtual void list_work(WorkFilter filter, OnResult<std::vector<WorkView>> on_views) = 0;
  /// Of one item, oldest first; `not_found` when there is no such item.
  virtual void list_attempts(model::WorkId id,
                             OnResult<std::vector<model::AttemptRow>> on_rows) = 0;
  /// What was submitted with this idempotency key; nullopt: nothing.
  virtual void find_work_key(std::string key,
                             OnResult<std::optional<model::SubmitWork::Known>> on_known) = 0;
  virtual void find_run_key(std::string key,
                            OnResult<std::optional<model::StartRun::Known>> on_known) = 0;
  virtual void find_run(model::RunId id, OnResult<RunView> on_view) = 0;
  virtual void list_runs(RunFilter filter, OnResult<std::vector<RunView>> on_views) = 0;

  /// Durable events in order: first those after `after` from the journal, then live ones; without
  /// `after` only live ones. `on_end`: the subscriber fell behind, or the daemon stops; nothing
  /// more comes.
  virtual std::unique_ptr<Subscription> subscribe(std::optional<model::Sequence> after,
                                                  EventFilter filter,
                                                  std::function<void(const model::Event&)> on_event,
                                                  std::function<void(const Error&)> on_end) = 0;

  /// The newest matching lines, oldest first, each one JSON object text.
  virtual void tail_logs(LogQuery query, OnResult<std::vector<std::string>> on_lines) = 0;
  /// The newest matching lines, then each new one.
  virtual std::unique_ptr<Subscription> follow_logs(LogQuery query,
                                                    std::function<void(const std::string&)> on_line,
                                                    std::function<void(const Error&)> on_end) = 0;

  /// The fleet is down: end the daemon, once the answers under way are out.
  virtual void shut_down() = 0;
};

}  // namespace mainstay::api
