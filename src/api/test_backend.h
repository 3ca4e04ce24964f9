// For tests: a Backend that keeps what it is given in memory, answers at once, and lets a test say
// what happens.
#pragma once

#include <atomic>
#include <map>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "api/backend.h"

namespace mainstay::api {

class TestBackend : public Backend {
 public:
  TestBackend() {
    auto fleet = std::make_shared<FleetSnapshot>();
    fleet->fleet = "test";
    fleet->ready = true;
    snapshot = std::move(fleet);
  }

  /// Makes an item as the control loop would.
  WorkView& add_work(model::WorkSpec spec) {
    spec.id = model::WorkId::make(ids_, base::wall_from_micros(1'700'000'000'000'000));
    spec.created_at = base::wall_from_micros(1'700'000'000'000'000);
    items.push_back({std::make_shared<const model::WorkSpec>(std::move(spec)), {}});
    return items.back();
  }
  void finish_work(const model::WorkId& id, std::string output) {
    model::Event event{0, {}, "work.succeeded", id.to_text(), "{}"};
    {
      const std::lock_guard lock(mutex);
      WorkView* work = find(id);
      work->status.state = model::WorkState::succeeded;
      work->status.output = model::Payload::of(std::move(output));
    }
    publish(std::move(event));
  }
  void publish(model::Event event) {
    const std::lock_guard lock(events_mutex_);
    event.seq = static_cast<model::Sequence>(journal_.size()) + 1;
    journal_.push_back(event);
    for (Listener* listener : listeners_) listener->tell(event);
  }
  void end_subscriptions(const Error& why) {
    std::vector<Listener*> all;
    {
      const std::lock_guard lock(events_mutex_);
      all = listeners_;
    }
    for (Listener* listener : all) listener->on_end(why);
  }

  void command(model::CommandBody body, std::string principal,
               OnResult<model::ReplyBody> on_reply) override {
    Result<model::ReplyBody> answer = model::ReplyBody(model::Done{});
    {
      const std::lock_guard lock(mutex);
      principals.push_back(std::move(principal));
      commands.push_back(body);
      if (refuse_commands) {
        answer = *refuse_commands;
      } else if (auto* submit = std::get_if<model::SubmitWork>(&body)) {
        if (submit->known) {
          answer =
              model::ReplyBody(model::WorkAccepted{submit->known->id, submit->known->state, true});
        } else {
          answer = model::ReplyBody(model::WorkAccepted{add_work(submit->spec).spec->id});
        }
      } else if (auto* start = std::get_if<model::StartRun>(&body)) {
        answer = model::ReplyBody(start->known ? model::RunAccepted{start->known->id, true}
                                               : add_run(*start));
      } else if (auto* agent = std::get_if<model::RegisterAgent>(&body)) {
        model::AgentStatus status;
        status.name = agent->name;
        status.kind = model::AgentKind::external;
        status.endpoint = agent->endpoint;
        status.capabilities = agent->capabilities;
        status.labels = agent->labels;
        answer = model::ReplyBody(model::AgentReply{status});
      }
    }
    on_reply(std::move(answer));
  }
  void store_payload(std::string json, OnResult<model::Payload> on_stored) override {
    model::Payload payload = model::Payload::of(std::move(json));
    payload.blob = "stored";
    on_stored(std::move(payload));
  }
  std::shared_ptr<const FleetSnapshot> fleet() override {
    const std::lock_guard lock(mutex);
    return snapshot;
  }

  void find_work(model::WorkId id, OnResult<WorkView> on_view) override {
    std::unique_lock lock(mutex);
    const WorkView* work = find(id);
    if (work == nullptr) {
      lock.unlock();
      return on_view(Error(Code::not_found, "there is no such work item"));
    }
    WorkView copy = *work;
    lock.unlock();
    on_view(std::move(copy));
  }
  void list_work(WorkFilter filter, OnResult<std::vector<WorkView>> on_views) override {
    std::vector<WorkView> views;
    {
      const std::lock_guard lock(mutex);
      last_work_filter = filter;
      for (auto work = items.rbegin(); work != items.rend(); ++work) {
        if (filter.before && !(work->spec->id < *filter.before)) continue;
        if (views.size() < static_cast<std::size_t>(filter.limit)) views.push_back(*work);
      }
    }
    on_views(std::move(views));
  }
  void list_attempts(model::WorkId id, OnResult<std::vector<model::AttemptRow>> on_rows) override {
    on_rows(std::vector<model::AttemptRow>{
        {id,
         1,
         "worker-1",
         2,
         {},
         Wall{},
         "error",
         model::WorkError{model::FailureKind::error, "ValueError", "bad", false, R"({"a":1})"}}});
  }
  void find_work_key(std::string key,
                     OnResult<std::optional<model::SubmitWork::Known>> on_known) override {
    const auto found = known_work.find(key);
    on_known(found == known_work.end() ? std::nullopt : std::optional(found->second));
  }
  void find_run_key(std::string key,
                    OnResult<std::optional<model::StartRun::Known>> on_known) override {
    const auto found = known_runs.find(key);
    on_known(found == known_runs.end() ? std::nullopt : std::optional(found->second));
  }
  void find_run(model::RunId id, OnResult<RunView> on_view) override {
    for (const RunView& run : runs) {
      if (run.spec->id == id) return on_view(run);
    }
    on_view(Error(Code::not_found, "there is no such run"));
  }
  void list_runs(RunFilter, OnResult<std::vector<RunView>> on_views) override { on_views(runs); }

  std::unique_ptr<Subscription> subscribe(std::optional<model::Sequence> after, EventFilter filter,
                                          std::function<void(const model::Event&)> on_event,
                                          std::function<void(const Error&)> on_end) override {
    auto listener = std::make_unique<Listener>(*this, std::move(filter), std::move(on_event),
                                               std::move(on_end));
    const std::lock_guard lock(events_mutex_);
    for (const model::Event& event : journal_) {
      if (after && event.seq > *after) listener->tell(event);
    }
    listeners_.push_back(listener.get());
    ++subscriptions;
    return listener;
  }
  void tail_logs(LogQuery query, OnResult<std::vector<std::string>> on_lines) override {
    last_log_query = query;
    on_lines(log_lines);
  }
  std::unique_ptr<Subscription> follow_logs(LogQuery query,
                                            std::function<void(const std::string&)> on_line,
                                            std::function<void(const Error&)>) override {
    last_log_query = query;
    on_line(R"({"message":"followed"})");
    on_line("half {\"a lin");
    return std::make_unique<Subscription>();
  }
  void shut_down() override { shut_downs.fetch_add(1); }

  std::mutex mutex;
  std::vector<model::CommandBody> commands;
  std::vector<std::string> principals;
  std::optional<Error> refuse_commands;
  std::shared_ptr<const FleetSnapshot> snapshot;
  std::vector<WorkView> items;
  std::vector<RunView> runs;
  std::map<std::string, model::SubmitWork::Known> known_work;
  std::map<std::string, model::StartRun::Known> known_runs;
  WorkFilter last_work_filter;
  LogQuery last_log_query;
  std::vector<std::string> log_lines{R"({"message":"one"})", R"({"message":"two"})"};
  std::atomic<int> shut_downs{0};
  std::atomic<int> subscriptions{0};

 private:
  struct Listener : Subscription {
    Listener(TestBackend& to, EventFilter with, std::function<void(const model::Event&)> call,
             std::function<void(const Error&)> end)
        : backend(to), filter(std::move(with)), on_event(std::move(call)), on_end(std::move(end)) {}
    ~Listener() override {
      const std::lock_guard lock(backend.events_mutex_);
      std::erase(backend.listeners_, this);
    }
    void tell(const model::Event& event) {
      if (filter.passes(event)) on_event(event);
    }
    TestBackend& backend;
    EventFilter filter;
    std::function<void(const model::Event&)> on_event;
    std::function<void(const Error&)> on_end;
  };

  WorkView* find(const model::WorkId& id) {
    for (WorkView& work : items) {
      if (work.spec->id == id) return &work;
    }
    return nullptr;
  }
  model::RunAccepted add_run(const model::StartRun& start) {
    auto pipeline = std::make_shared<model::PipelineSpec>();
    pipeline->name = start.pipeline;
    auto spec = std::make_shared<model::RunSpec>();
    spec->id = model::RunId::make(ids_, base::wall_from_micros(1'700'000'000'000'000));
    spec->pipeline = std::move(pipeline);
    spec->input = start.input;
    model::StepStatus step;
    step.stage = "only";
    runs.push_back({std::move(spec), {}, {step}});
    return {runs.back().spec->id, false};
  }

  base::UuidMaker ids_{1};
  std::mutex events_mutex_;
  std::vector<model::Event> journal_;
  std::vector<Listener*> listeners_;
};

}  // namespace mainstay::api
