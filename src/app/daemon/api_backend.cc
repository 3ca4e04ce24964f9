#include "app/daemon/api_backend.h"

#include <utility>

#include "runs/folders/run_layout.h"
#include "runs/logs/log_tail.h"
#include "work/tables/run_queries.h"
#include "work/tables/work_queries.h"

namespace mainstay::app {
namespace {

using platform::SqliteConnection;

api::WorkView view_of(work::WorkRecord record) {
  return {std::move(record.spec), std::move(record.status)};
}

api::RunView view_of(work::RunRecord record) {
  return {std::move(record.spec), std::move(record.status), std::move(record.steps)};
}

template <class Record>
auto views_of(std::vector<Record> records) {
  std::vector<decltype(view_of(std::declval<Record>()))> views;
  views.reserve(records.size());
  for (Record& record : records) views.push_back(view_of(std::move(record)));
  return views;
}

runs::LogFilter filter_of(const api::LogQuery& query) {
  return {query.component, query.agent, query.least};
}

// Keeps whatever ends the subscription when it goes.
class HeldSubscription : public api::Subscription {
 public:
  explicit HeldSubscription(std::shared_ptr<void> held) : held_(std::move(held)) {}

 private:
  std::shared_ptr<void> held_;
};

// Handlers share a thread: a thousand watchers are a thousand queues, not a thousand threads.
bus::Executor executor_on(platform::EventLoop& loop) {
  bus::Executor executor;
  executor.post = [&loop](std::function<void()> task) { loop.post(std::move(task)); };
  executor.post_after = [&loop](Duration delay, std::function<void()> task) {
    auto timer = std::make_shared<platform::Timer>(loop);
    timer->after(delay, [timer, task = std::move(task)] { task(); });
  };
  return executor;
}

}  // namespace

std::unique_ptr<api::Subscription> ApiBackend::subscribe(
    std::optional<model::Sequence> after, api::EventFilter filter,
    std::function<void(const model::Event&)> on_event, std::function<void(const Error&)> on_end) {
  bus::SubscriptionOptions options;
  options.name = "api-events";
  options.topics = filter.kinds;
  options.after = after;
  options.executor = executor_on(parts_.events);
  bus::Handler handler;
  handler.event = [filter = std::move(filter),
                   on_event = std::move(on_event)](const model::Event& event) {
    if (filter.passes(event)) on_event(event);
    return bus::Delivery::taken;
  };
  auto subscribed = parts_.bus.subscribe(std::move(options), std::move(handler));
  if (!subscribed) {
    on_end(subscribed.error());
    return std::make_unique<HeldSubscription>(nullptr);
  }
  return std::make_unique<HeldSubscription>(
      std::shared_ptr<bus::Subscription>(std::move(*subscribed)));
}

void ApiBackend::command(model::CommandBody body, std::string principal,
                         api::OnResult<model::ReplyBody> on_reply) {
  parts_.loop.command(std::move(body), std::move(principal), std::move(on_reply));
}

void ApiBackend::store_payload(std::string json, api::OnResult<model::Payload> on_stored) {
  payloads_.put(std::move(json), std::move(on_stored));
}

std::shared_ptr<const api::FleetSnapshot> ApiBackend::fleet() {
  const auto from = parts_.loop.snapshot();
  auto to = std::make_shared<api::FleetSnapshot>();
  to->at = from->at;
  to->fleet = parts_.fleet->name;
  to->agents = from->agents;
  to->pipelines = parts_.fleet->pipelines;
  to->ready = parts_.ready;
  to->stopping = from->stopping;
  // From the store itself: the loop stands still with a disk that does not answer.
  model::StorageChanged storage = parts_.store.state();
  to->storage_writable = storage.writable;
  to->storage_reason = std::move(storage.reason);
  to->recording_trouble = parts_.recording_trouble();
  to->last_sequence = from->last_sequence;
  to->queued = from->queued;
  to->delayed = from->delayed;
  to->running = from->running;
  to->open_runs = from->open_runs;
  return to;
}

void ApiBackend::find_work(model::WorkId id, api::OnResult<api::WorkView> on_view) {
  parts_.reader.read<api::WorkView>(
      [this, id](SqliteConnection& db) -> Result<api::WorkView> {
        auto record = work::find_work(db, id, &parts_.store.blobs());
        if (!record) return std::move(record).error();
        return view_of(std::move(*record));
      },
      std::move(on_view));
}

void ApiBackend::list_work(api::WorkFilter filter,
                           api::OnResult<std::vector<api::WorkView>> on_views) {
  parts_.reader.read<std::vector<api::WorkView>>(
      [filter = std::move(filter)](SqliteConnection& db) -> Result<std::vector<api::WorkView>> {
        work::WorkFilter asked;
        asked.states = filter.states;
        asked.capability = filter.capability;
        asked.run = filter.run;
        asked.before = filter.before;
        asked.limit = static_cast<std::size_t>(filter.limit);
        auto records = work::list_work(db, asked);
        if (!records) return std::move(records).error();
        return views_of(std::move(*records));
      },
      std::move(on_views));
}

void ApiBackend::list_attempts(model::WorkId id,
                               api::OnResult<std::vector<model::AttemptRow>> on_rows) {
  parts_.reader.read<std::vector<model::AttemptRow>>(
      [id](SqliteConnection& db) -> Result<std::vector<model::AttemptRow>> {
        if (auto there = work::find_work(db, id, nullptr); !there) return std::move(there).error();
        return work::list_attempts(db, id);
      },
      std::move(on_rows));
}

void ApiBackend::find_work_key(std::string key,
                               api::OnResult<std::optional<model::SubmitWork::Known>> on_known) {
  using Known = std::optional<model::SubmitWork::Known>;
  parts_.reader.read<Known>(
      [key = std::move(key)](SqliteConnection& db) -> Result<Known> {
        auto found = work::find_work_by_key(db, key);
        if (!found) return std::move(found).error();
        if (!*found) return Known{};
        const work::WorkRecord& record = **found;
        return Known{{record.spec->id, record.spec->request_sha256, record.status.state}};
      },
      std::move(on_known));
}

void ApiBackend::find_run_key(std::string key,
                              api::OnResult<std::optional<model::StartRun::Known>> on_known) {
  using Known = std::optional<model::StartRun::Known>;
  parts_.reader.read<Known>(
      [key = std::move(key)](SqliteConnection& db) -> Result<Known> {
        auto found = work::find_run_by_key(db, key);
        if (!found) return std::move(found).error();
        if (!*found) return Known{};
        return Known{{(*found)->spec->id, (*found)->spec->request_sha256}};
      },
      std::move(on_known));
}

void ApiBackend::find_run(model::RunId id, api::OnResult<api::RunView> on_view) {
  parts_.reader.read<api::RunView>(
      [this, id](SqliteConnection& db) -> Result<api::RunView> {
        auto record = work::find_run(db, id, &parts_.store.blobs());
        if (!record) return std::move(record).error();
        api::RunView view = view_of(std::move(*record));
        if (is_terminal(view.status.state)) return view;
        auto waiting = work::waiting_items(db, id);
        if (!waiting) return std::move(waiting).error();
        view.waiting_items = views_of(std::move(waiting->oldest));
        view.has_running_items = waiting->some_run;
        return view;
      },
      std::move(on_view));
}

void ApiBackend::list_runs(api::RunFilter filter,
                           api::OnResult<std::vector<api::RunView>> on_views) {
  parts_.reader.read<std::vector<api::RunView>>(
      [filter = std::move(filter)](SqliteConnection& db) -> Result<std::vector<api::RunView>> {
        work::RunFilter asked;
        asked.states = filter.states;
        asked.pipeline = filter.pipeline;
        asked.before = filter.before;
        asked.limit = static_cast<std::size_t>(filter.limit);
        auto records = work::list_runs(db, asked);
        if (!records) return std::move(records).error();
        return views_of(std::move(*records));
      },
      std::move(on_views));
}

Result<std::string> ApiBackend::log_place(SqliteConnection& db, const api::LogQuery& query) const {
  if (!query.run) return parts_.project.data_file("logs/fleet.log");
  auto run = work::find_run(db, *query.run, nullptr);
  if (!run) return std::move(run).error();
  return runs::RunLayout(parts_.project.runs(), run->spec->pipeline->name, query.run->to_text())
      .logs();
}

void ApiBackend::tail_logs(api::LogQuery query, api::OnResult<std::vector<std::string>> on_lines) {
  parts_.reader.read<std::vector<std::string>>(
      [this, query](SqliteConnection& db) -> Result<std::vector<std::string>> {
        auto place = log_place(db, query);
        if (!place) return std::move(place).error();
        return runs::LogTail(*place, filter_of(query)).last(static_cast<std::size_t>(query.lines));
      },
      std::move(on_lines));
}

std::unique_ptr<api::Subscription> ApiBackend::follow_logs(
    api::LogQuery query, std::function<void(const std::string&)> on_line,
    std::function<void(const Error&)> on_end) {
  auto follower =
      std::make_shared<LateFollower>(filter_of(query), static_cast<std::size_t>(query.lines),
                                     std::move(on_line), std::move(on_end));
  auto handle = std::make_unique<HeldSubscription>(LateFollower::handle_of(follower));
  // Like every read of rows, not on the caller's thread: it serves others too.
  parts_.reader.read<std::string>(
      [this, query = std::move(query)](SqliteConnection& db) { return log_place(db, query); },
      [this, follower = std::move(follower)](Result<std::string> place) {
        follower->found(followers_, std::move(place));
      });
  return handle;
}

}  // namespace mainstay::app
