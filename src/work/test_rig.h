// For tests of work: a fleet in code, a clock that is moved by hand, what came out, and a small
// book of rows from which a second daemon can be started.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "fleet/directory.h"
#include "platform/json/json.h"
#include "work/work.h"

namespace mainstay::work {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

/// What the store would hold: rows applied as upserts.
class RowBook {
 public:
  struct Work {
    std::shared_ptr<const model::WorkSpec> spec;
    model::WorkStatus status;
  };
  struct RunEntry {
    std::shared_ptr<const model::RunSpec> spec;
    model::RunStatus status;
    std::map<std::string, model::StepStatus> steps;
  };

  void apply(const std::vector<model::Row>& rows) {
    for (const model::Row& row : rows) {
      std::visit([this](const auto& change) { apply_one(change); }, row);
    }
  }
  const Work& work_of(const model::WorkId& id) const { return work.at(id); }

  /// As the store gives it at start.
  model::Recovered recovered(const std::vector<model::AgentStatus>& agents) const {
    model::Recovered all;
    all.agents = agents;
    std::map<model::RunId, std::size_t> place;
    for (const auto& [id, entry] : runs) {
      if (model::is_terminal(entry.status.state)) continue;
      place[id] = all.runs.size();
      model::RecoveredRun run{entry.spec, entry.status, {}, {}};
      for (const auto& [stage, step] : entry.steps) run.steps.push_back(step);
      all.runs.push_back(std::move(run));
    }
    for (const auto& [id, entry] : work) {
      model::RecoveredWork item{entry.spec, entry.status, std::nullopt};
      const auto attempt = attempts.find({id, entry.status.epoch});
      if (entry.status.state == model::WorkState::running && attempt != attempts.end()) {
        item.attempt = attempt->second;
      }
      if (entry.spec->step) {
        const auto run = place.find(entry.spec->step->run);
        if (run != place.end()) all.runs[run->second].items.push_back(std::move(item));
      } else if (!model::is_terminal(entry.status.state)) {
        all.work.push_back(std::move(item));
      }
      if (model::is_terminal(entry.status.state)) {
        all.ended.push_back({id, entry.status.epoch, entry.status.state});
      }
    }
    // No order is promised.
    std::reverse(all.work.begin(), all.work.end());
    return all;
  }

  std::map<model::WorkId, Work> work;
  std::map<std::pair<model::WorkId, model::Epoch>, model::AttemptRow> attempts;
  std::map<std::tuple<model::WorkId, model::Epoch, int>, model::Usage> usage;
  std::map<model::RunId, RunEntry> runs;

 private:
  void apply_one(const model::WorkInserted& row) {
    work.try_emplace(row.spec->id, Work{row.spec, row.status});
  }
  void apply_one(const model::WorkUpdated& row) { work.at(row.id).status = row.status; }
  void apply_one(const model::AttemptRow& row) { attempts[{row.work, row.epoch}] = row; }
  void apply_one(const model::UsageRow& row) {
    usage[{row.work, row.epoch, row.ordinal}] = row.usage;
  }
  void apply_one(const model::RunInserted& row) {
    runs.try_emplace(row.spec->id, RunEntry{row.spec, row.status, {}});
  }
  void apply_one(const model::RunUpdated& row) { runs.at(row.id).status = row.status; }
  void apply_one(const model::StepRow& row) {
    runs.at(row.run).steps[row.status.stage] = row.status;
  }
  template <class Other>
  void apply_one(const Other&) {}
};

inline model::WorkSpec item(std::string capability, std::string input = "{}") {
  model::WorkSpec spec;
  spec.description = "look at a file";
  spec.capability = std::move(capability);
  spec.input = model::Payload::of(std::move(input));
  spec.retry = {3, milliseconds(100), seconds(1)};
  return spec;
}

inline model::AttemptOutcome success(std::string output = "1") {
  model::AttemptOutcome outcome;
  outcome.output = model::Payload::of(std::move(output));
  return outcome;
}

inline model::AttemptOutcome failed(model::FailureKind kind = model::FailureKind::error,
                                    bool permanent = false) {
  model::AttemptOutcome outcome;
  outcome.error = model::WorkError{kind, "ValueError", "no such file", permanent, ""};
  return outcome;
}

class Rig {
 public:
  explicit Rig(WorkSettings with = {}) : settings(std::move(with)) { reset(); }

  void add_agent(const std::string& name, std::vector<std::string> capabilities, int slots = 1,
                 model::AgentKind kind = model::AgentKind::link) {
    auto spec = std::make_shared<model::AgentSpec>();
    spec->name = name;
    spec->kind = kind;
    spec->capabilities = std::move(capabilities);
    spec->concurrency = slots;
    specs[name] = spec;
    place(name);
    if (kind == model::AgentKind::exec) {
      directory->set_assignable(name, true);
    } else {
      link(name);
    }
    load();
  }
  /// The agent connects (again); `held` as in its hello.
  model::LinkId link(const std::string& name, std::vector<model::HeldAttempt> held = {}) {
    const model::LinkId id = ++last_link_;
    directory->set_link(name, id, 0, {});
    directory->set_sdk(name, "python 0.1.0 (3.11.2)");
    directory->set_assignable(name, true);
    model::LinkOpened opened;
    opened.agent = name;
    opened.incarnation = incarnations[name];
    opened.link = id;
    opened.held = std::move(held);
    work->link_opened(opened, *directory, now, out);
    return id;
  }
  /// Its process is gone and a new one runs, not yet connected.
  void restart_agent(const std::string& name) {
    const model::Incarnation old = incarnations[name]++;
    directory->begin_incarnation(name, incarnations[name]);
    work->agent_lost({name, old, "killed by signal 9", false}, *directory, now, out);
  }
  /// The operator stops it, and what it held is not done when its process is gone.
  void stop_agent(const std::string& name) {
    directory->set_stopping(name);
    directory->set_assignable(name, false);
    work->agent_lost({name, incarnations[name], "the fleet stops", true}, *directory, now, out);
  }

  Result<model::WorkAccepted> submit(model::WorkSpec spec,
                                     std::optional<model::SubmitWork::Known> known = {}) {
    work->handle(++last_token_, model::SubmitWork{std::move(spec), std::move(known)}, *directory,
                 storage, now, out);
    return answer<model::WorkAccepted>();
  }
  model::WorkId must_submit(model::WorkSpec spec) {
    auto accepted = submit(std::move(spec));
    EXPECT_TRUE(accepted) << (accepted ? "" : accepted.error().to_text());
    return accepted ? accepted->id : model::WorkId();
  }
  Result<model::RunAccepted> start(model::StartRun asked) {
    work->handle(++last_token_, asked, *directory, storage, now, out);
    return answer<model::RunAccepted>();
  }
  Result<model::Done> cancel(const model::WorkId& id, std::string reason = "") {
    work->handle(++last_token_, model::CancelWork{id, std::move(reason)}, *directory, now, out);
    return answer<model::Done>();
  }
  Result<model::Done> cancel(const model::RunId& id, std::string reason = "") {
    work->handle(++last_token_, model::CancelRun{id, std::move(reason)}, *directory, now, out);
    return answer<model::Done>();
  }
  /// The end of a turn: timers, assignments, commit.
  void settle() {
    work->tick(*directory, now, out);
    for (AttemptReport& report : work->take_reports()) reports.push_back(std::move(report));
    work->dispatch(*directory, now, out);
    commit();
  }
  void pass(Duration time) {
    now.mono += time;
    now.wall += std::chrono::duration_cast<Wall::duration>(time);
    settle();
  }
  void commit() {
    book.apply(out.rows);
    for (model::Event& event : out.events) {
      EXPECT_TRUE(platform::parse_json_object(event.body)) << event.kind << " " << event.body;
      events.push_back(std::move(event));
    }
    for (model::Effect& effect : out.effects) {
      if (auto* assign = std::get_if<model::AssignWork>(&effect)) assigned.push_back(*assign);
      if (auto* ack = std::get_if<model::AckResult>(&effect)) acks.push_back(*ack);
      if (auto* stop = std::get_if<model::CancelAttempt>(&effect)) cancels.push_back(*stop);
    }
    EXPECT_TRUE(out.replies.empty());
    out = {};
  }
  void finish(const model::AssignWork& assign, model::AttemptOutcome outcome) {
    work->on(model::AttemptFinished{assign.agent, assign.link, assign.work->id, assign.epoch,
                                    std::move(outcome)},
             *directory, now, out);
  }
  /// Takes the oldest assignment that no test has looked at.
  std::optional<model::AssignWork> next_assigned() {
    if (assigned.empty()) return std::nullopt;
    model::AssignWork first = assigned.front();
    assigned.erase(assigned.begin());
    return first;
  }
  /// Settles, and takes the next assignment, which must be there.
  model::AssignWork must_assign() {
    settle();
    auto next = next_assigned();
    EXPECT_TRUE(next.has_value()) << "nothing was assigned";
    return next.value_or(model::AssignWork{});
  }
  const model::WorkStatus& status(const model::WorkId& id) {
    commit();
    return book.work_of(id).status;
  }
  std::vector<std::string> kinds() {
    commit();
    std::vector<std::string> all;
    for (const model::Event& event : events) all.push_back(event.kind);
    return all;
  }
  std::optional<model::Event> last_event(std::string_view kind) {
    commit();
    for (auto at = events.rbegin(); at != events.rend(); ++at) {
      if (at->kind == kind) return *at;
    }
    return std::nullopt;
  }
  /// Events of the kind so far.
  std::int64_t count(std::string_view kind) {
    const auto all = kinds();
    return std::count(all.begin(), all.end(), kind);
  }
  /// Failures that the agent was blamed for.
  std::int64_t blames(const std::string& agent) {
    settle();
    return std::count_if(reports.begin(), reports.end(), [&](const AttemptReport& report) {
      return report.agent == agent && !report.ok;
    });
  }
  /// kill -9 of the daemon and a new one from the rows; agents are not connected yet.
  void restart_daemon() {
    commit();
    std::vector<model::AgentStatus> agents;
    for (const auto& [name, spec] : specs) {
      model::AgentStatus status;
      status.name = name;
      status.kind = spec->kind;
      status.incarnation = incarnations[name];
      agents.push_back(status);
    }
    assigned.clear();
    acks.clear();
    cancels.clear();
    reset();
    work->recover(book.recovered(agents), now, out);
    for (const auto& [name, spec] : specs) {
      place(name);
      if (spec->kind == model::AgentKind::exec) directory->set_assignable(name, true);
    }
    load();
    commit();
  }
  void load() {
    model::FleetSpec fleet;
    for (const auto& [name, spec] : specs) fleet.agents.push_back(spec);
    fleet.pipelines = pipelines;
    work->load_pipelines(fleet);
  }

  WorkSettings settings;
  Now now{Mono{hours(10)}, Wall{std::chrono::hours(24 * 365 * 55)}};
  model::StorageChanged storage;
  std::map<std::string, std::shared_ptr<model::AgentSpec>> specs;
  std::map<std::string, model::Incarnation> incarnations;
  std::vector<std::shared_ptr<const model::PipelineSpec>> pipelines;
  std::unique_ptr<fleet::Directory> directory;
  std::unique_ptr<Work> work;
  model::Outbox out;
  RowBook book;
  std::vector<model::Event> events;
  std::vector<model::AssignWork> assigned;
  std::vector<model::AckResult> acks;
  std::vector<model::CancelAttempt> cancels;
  std::vector<AttemptReport> reports;

 private:
  void reset() {
    directory = std::make_unique<fleet::Directory>();
    work = std::make_unique<Work>(settings, ++seed_);
  }
  void place(const std::string& name) {
    directory->add(name, specs[name]);
    if (incarnations[name] == 0) incarnations[name] = 1;
    directory->begin_incarnation(name, incarnations[name]);
  }
  template <class Body>
  Result<Body> answer() {
    EXPECT_EQ(out.replies.size(), 1U);
    model::Reply reply = std::move(out.replies.back());
    out.replies.clear();
    EXPECT_EQ(reply.token, last_token_);
    if (!reply.body) return std::move(reply.body).error();
    return std::get<Body>(*reply.body);
  }

  std::uint64_t seed_ = 7;
  model::ReplyToken last_token_ = 0;
  model::LinkId last_link_ = 0;
};

}  // namespace mainstay::work
