// A small world around Work, driven from a seed: agents that finish, fail, hang, vanish, repeat
// themselves and answer for attempts that are over; links and whole daemons that break, also with
// a turn that was not committed. After every turn the invariants of the project's fault catalogue
// hold: acknowledged work exists (1), one accepted completion, epochs only grow (2), no slot is
// used twice (3), deadlines and retries are kept (9), runs end (10); in the end nothing is stuck
// (15). Replay one seed: MS_SEED=N work_test --gtest_filter='WorkModel.*'.
#include <algorithm>
#include <cstdlib>
#include <set>

#include "work/test_rig.h"

namespace mainstay::work {
namespace {

using model::FailureKind;
using model::WorkState;
using Key = std::pair<model::WorkId, model::Epoch>;

/// What an agent process knows.
struct SimAgent {
  std::string name;
  int slots = 1;
  bool exec = false;
  bool linked = true;
  bool deaf = false;  // ignores cancels
  std::map<Key, model::AssignWork> working;
  std::map<Key, std::pair<model::AssignWork, model::AttemptOutcome>> unacknowledged;
};

class World {
 public:
  explicit World(std::uint64_t seed) : random_(seed) {
    auto pipeline = std::make_shared<model::PipelineSpec>();
    pipeline->name = "p";
    pipeline->timeout = seconds(120);
    model::StageSpec scan;
    scan.name = "scan";
    scan.capability = "x";
    scan.input_json = R"({"files":[1,2,3,4,5],"id":"run#/id"})";
    model::StageSpec each;
    each.name = "each";
    each.capability = "y";
    each.needs = {"scan"};
    each.foreach_reference = "run#/input/files";
    each.input_json = R"({"file":"item#","n":"index#"})";
    each.max_parallel = 2;
    each.critical = false;
    each.retries = 1;
    model::StageSpec report;
    report.name = "report";
    report.capability = "z";
    report.needs = {"each"};
    report.input_json = R"("each#")";
    report.retries = 5;
    pipeline->stages = {scan, each, report};
    rig_.pipelines = {pipeline};
    add("one", {"x", "y"}, 1, false);
    add("two", {"y", "z"}, 2, false);
    add("three", {"x", "y", "z"}, 3, false);
    add("command", {"x", "z"}, 2, true);
  }

  void chaos(int turns) {
    for (int turn = 0; turn < turns && !testing::Test::HasFailure(); ++turn) {
      for (std::uint64_t i = random_.below(5); i > 0; --i) act();
      if (random_.below(60) == 0) {
        crash();
      } else {
        end_turn(Duration(static_cast<std::int64_t>(random_.below(600'000'000))));
      }
    }
  }

  /// Everything works from now on: all that was accepted must end.
  void heal() {
    healed_ = true;
    for (SimAgent& agent : agents_) {
      agent.deaf = false;
      if (!agent.exec && !agent.linked) connect(agent);
    }
    for (int turn = 0; turn < 2000 && busy(); ++turn) {
      for (SimAgent& agent : agents_) {
        obey_late(agent);
        while (!agent.working.empty()) finish(agent, agent.working.begin()->first, success());
        resend(agent);
      }
      end_turn(milliseconds(500));
    }
    EXPECT_FALSE(busy()) << "something is stuck: queued " << rig_.work->queued() << ", delayed "
                         << rig_.work->delayed() << ", running " << rig_.work->running()
                         << ", runs " << rig_.work->open_runs() << ", stopping "
                         << rig_.work->stopping();
    for (const auto& id : acknowledged_) {
      ASSERT_TRUE(rig_.book.work.contains(id));
      EXPECT_TRUE(model::is_terminal(rig_.book.work_of(id).status.state));
    }
    for (const auto& [id, entry] : rig_.book.runs) {
      EXPECT_TRUE(model::is_terminal(entry.status.state));
    }
    for (const SimAgent& agent : agents_) {
      EXPECT_EQ(rig_.directory->find(agent.name)->busy, 0) << agent.name;
    }
  }

  std::size_t accepted() const { return acknowledged_.size(); }
  int stale() const { return stale_; }
  int crashes() const { return crashes_; }

 private:
  bool busy() const {
    return rig_.work->queued() + rig_.work->delayed() + rig_.work->running() +
               rig_.work->open_runs() + rig_.work->stopping() >
           0;
  }

  void add(const std::string& name, std::vector<std::string> capabilities, int slots, bool exec) {
    rig_.add_agent(name, std::move(capabilities), slots,
                   exec ? model::AgentKind::exec : model::AgentKind::link);
    SimAgent agent;
    agent.name = name;
    agent.slots = slots;
    agent.exec = exec;
    agents_.push_back(agent);
  }

  void act() {
    SimAgent& agent = agents_[random_.below(agents_.size())];
    switch (random_.below(14)) {
      case 0:
      case 1:
      case 2:
        return submit();
      case 3:
        if (random_.below(4) == 0) start_run();
        return;
      case 4:
      case 5:
      case 6:
      case 7:
        return answer(agent);
      case 8:
        return progress(agent);
      case 9:
        return random_.below(3) == 0 ? vanish(agent) : answer(agent);
      case 10:
        return random_.below(2) == 0 ? drop_link(agent) : connect(agent);
      case 11:
        return send_stale(agent);
      case 12:
        return cancel();
      default:
        agent.deaf = random_.below(4) == 0;
        return obey_late(agent);
    }
  }

  void submit() {
    constexpr const char* kCapabilities[] = {"x", "y", "z"};
    model::WorkSpec spec = item(kCapabilities[random_.below(3)]);
    spec.priority = static_cast<int>(random_.below(10));
    spec.retry.max_attempts = 1 + static_cast<int>(random_.below(4));
    if (random_.below(4) == 0) {
      spec.deadline = rig_.now.wall + milliseconds(100 + random_.below(20'000));
    }
    if (random_.below(4) == 0) spec.timeout = milliseconds(500 + random_.below(5'000));
    if (random_.below(4) == 0) spec.idle_timeout = milliseconds(300 + random_.below(3'000));
    if (random_.below(8) == 0) spec.start_after = rig_.now.wall + milliseconds(50);
    if (random_.below(8) == 0) {
      spec.idempotency_key = "key-" + std::to_string(random_.below(20));
      spec.request_sha256 = "same";
    }
    const auto reply = rig_.submit(spec);
    if (reply) pending_.insert(reply->id);
  }

  void start_run() {
    model::StartRun asked;
    asked.pipeline = "p";
    asked.input = model::Payload::of(R"({"files":[1,2,3,4,5]})");
    EXPECT_TRUE(rig_.start(asked));
  }

  void answer(SimAgent& agent) {
    if (agent.working.empty()) return;
    auto at = agent.working.begin();
    std::advance(at, random_.below(agent.working.size()));
    const FailureKind kinds[] = {FailureKind::error, FailureKind::refused, FailureKind::cancelled};
    const bool good = random_.below(3) > 0;
    finish(agent, at->first,
           good ? success(std::to_string(random_.below(100)))
                : failed(kinds[random_.below(3)], random_.below(10) == 0));
  }

  void finish(SimAgent& agent, Key key, model::AttemptOutcome outcome) {
    const model::AssignWork assign = agent.working.at(key);
    agent.working.erase(key);
    if (!agent.exec) agent.unacknowledged[key] = {assign, outcome};
    if (agent.linked) rig_.finish(assign, std::move(outcome));
  }

  void progress(SimAgent& agent) {
    for (const auto& [key, assign] : agent.working) {
      rig_.work->on(model::AttemptProgress{agent.name, key.first, key.second, 0.5, ""},
                    *rig_.directory, rig_.now);
    }
  }

  void vanish(SimAgent& agent) {
    if (agent.exec) {
      // The commands of all its attempts are killed; the node says so for each.
      while (!agent.working.empty()) {
        finish(agent, agent.working.begin()->first, failed(FailureKind::agent_lost));
      }
      return;
    }
    agent.working.clear();
    agent.unacknowledged.clear();
    agent.linked = false;
    rig_.restart_agent(agent.name);
  }

  void drop_link(SimAgent& agent) {
    if (agent.exec || !agent.linked) return;
    agent.linked = false;
    rig_.directory->clear_link(agent.name);
  }

  void connect(SimAgent& agent) {
    if (agent.exec) return;
    std::vector<model::HeldAttempt> held;
    for (const auto& [key, assign] : agent.working) held.push_back({key.first, key.second});
    for (const auto& [key, done] : agent.unacknowledged) held.push_back({key.first, key.second});
    agent.linked = true;
    rig_.link(agent.name, std::move(held));
    resend(agent);
  }

  void resend(SimAgent& agent) {
    for (const auto& [key, done] : agent.unacknowledged) rig_.finish(done.first, done.second);
  }

  /// A result for an attempt that is over, or that was never this agent's.
  void send_stale(SimAgent& agent) {
    if (past_.empty()) return;
    model::AssignWork old = past_[random_.below(past_.size())];
    const auto& status = rig_.book.work_of(old.work->id).status;
    if (random_.below(2) == 0) {
      if (status.agent == agent.name) return;
      old.agent = agent.name;
    } else if (old.epoch == status.epoch) {
      return;
    }
    rig_.finish(old, success("\"stale\""));
  }

  void cancel() {
    if (acknowledged_.empty() || random_.below(3) > 0) return;
    auto at = acknowledged_.begin();
    std::advance(at, random_.below(acknowledged_.size()));
    (void)rig_.cancel(*at, "not wanted");
  }

  /// Agents that did not stop when they were told to do so now.
  void obey_late(SimAgent& agent) {
    if (agent.deaf) return;
    for (auto key = told_.begin(); key != told_.end();) {
      if (agent.working.contains(*key)) {
        finish(agent, *key, failed(FailureKind::cancelled));
        key = told_.erase(key);
      } else {
        ++key;
      }
    }
  }

  void end_turn(Duration time) {
    rig_.pass(time);
    deliver();
    check();
    acknowledged_.insert(pending_.begin(), pending_.end());
    pending_.clear();
  }

  void deliver() {
    for (const model::AckResult& ack : std::exchange(rig_.acks, {})) {
      if (!ack.accepted) ++stale_;
      if (auto* agent = find(ack.agent)) agent->unacknowledged.erase({ack.work, ack.epoch});
    }
    for (const model::AssignWork& assign : std::exchange(rig_.assigned, {})) {
      SimAgent* agent = find(assign.agent);
      ASSERT_NE(agent, nullptr);
      past_.push_back(assign);
      if (!agent->linked) continue;  // the link broke on the way
      if (!agent->exec && !healed_ && random_.below(40) == 0) {
        drop_link(*agent);
        continue;
      }
      EXPECT_LT(agent->working.size(), static_cast<std::size_t>(agent->slots)) << agent->name;
      agent->working[{assign.work->id, assign.epoch}] = assign;
    }
    for (const model::CancelAttempt& cancel : std::exchange(rig_.cancels, {})) {
      SimAgent* agent = find(cancel.agent);
      const Key key{cancel.work, cancel.epoch};
      if (agent == nullptr || !agent->working.contains(key)) continue;
      if (agent->deaf) {
        told_.insert(key);
      } else {
        finish(*agent, key, failed(FailureKind::cancelled));
      }
    }
  }

  /// kill -9 of the daemon; half of the time in the middle of a turn that is lost with it.
  void crash() {
    ++crashes_;
    if (random_.below(2) == 0) {
      rig_.out = {};
      pending_.clear();
    } else {
      rig_.commit();
      deliver();
    }
    for (SimAgent& agent : agents_) {
      agent.linked = agent.exec;
      if (agent.exec) agent.working.clear();
    }
    told_.clear();
    rig_.restart_daemon();
    check();
    acknowledged_.insert(pending_.begin(), pending_.end());
    pending_.clear();
    for (SimAgent& agent : agents_) {
      if (agent.exec) continue;
      if (random_.below(4) == 0) {
        vanish(agent);
      }
      if (random_.below(4) > 0) connect(agent);
    }
  }

  void check() {
    std::map<WorkState, std::int64_t> counts;
    std::map<model::RunId, int> open_files;  // of stage `each`, whose max_parallel is 2
    for (const auto& [id, entry] : rig_.book.work) {
      const model::WorkStatus& now = entry.status;
      ++counts[now.state];
      if (!model::is_terminal(now.state) && entry.spec->step && entry.spec->step->stage == "each") {
        EXPECT_LE(++open_files[entry.spec->step->run], 2);
      }
      auto [seen, fresh] = seen_.try_emplace(id, now);
      const model::WorkStatus& before = seen->second;
      EXPECT_GE(now.epoch, before.epoch) << "epochs only grow";
      EXPECT_LE(now.attempts_used, entry.spec->retry.max_attempts);
      EXPECT_GE(now.attempts_used, 0);
      if (model::is_terminal(before.state)) {
        EXPECT_EQ(now.state, before.state) << "what has ended stays as it ended";
        EXPECT_EQ(now.epoch, before.epoch);
        EXPECT_EQ(now.output.view(), before.output.view());
      }
      if (now.state == WorkState::succeeded) {
        EXPECT_NE(now.output.view(), "\"stale\"");
      }
      check_deadline(entry);
      seen->second = now;
    }
    std::map<model::WorkId, int> completions;
    for (const auto& [key, row] : rig_.book.attempts) {
      if (row.outcome == "succeeded") {
        EXPECT_EQ(++completions[key.first], 1);
      }
      auto [seen, fresh] = holders_.try_emplace(key, row.agent);
      EXPECT_EQ(seen->second, row.agent) << "an epoch has one holder";
    }
    EXPECT_EQ(counts[WorkState::queued], rig_.work->queued());
    EXPECT_EQ(counts[WorkState::delayed], rig_.work->delayed());
    EXPECT_EQ(counts[WorkState::running], rig_.work->running());
    for (const auto& id : acknowledged_) EXPECT_TRUE(rig_.book.work.contains(id));
  }

  void check_deadline(const RowBook::Work& entry) {
    if (!entry.spec->deadline) return;
    const model::WorkStatus& status = entry.status;
    if (!model::is_terminal(status.state)) {
      EXPECT_GT(*entry.spec->deadline, rig_.now.wall - milliseconds(1)) << "it should have ended";
    } else if (*status.finished_at > *entry.spec->deadline) {
      EXPECT_EQ(status.state, WorkState::timed_out);
    }
  }

  SimAgent* find(const std::string& name) {
    const auto found = std::find_if(agents_.begin(), agents_.end(),
                                    [&](const SimAgent& agent) { return agent.name == name; });
    return found == agents_.end() ? nullptr : &*found;
  }

  base::Random random_;
  Rig rig_;
  std::vector<SimAgent> agents_;
  std::vector<model::AssignWork> past_;
  std::set<Key> told_;
  std::set<model::WorkId> pending_;
  std::set<model::WorkId> acknowledged_;
  std::map<model::WorkId, model::WorkStatus> seen_;
  std::map<Key, model::AgentName> holders_;
  bool healed_ = false;
  int stale_ = 0;
  int crashes_ = 0;
};

TEST(WorkModel, InvariantsHoldWhateverHappens) {
  const char* only = std::getenv("MS_SEED");
  const std::uint64_t first = only ? std::strtoull(only, nullptr, 10) : 1;
  const std::uint64_t last = only ? first : 40;
  std::size_t accepted = 0;
  int stale = 0;
  int crashes = 0;
  for (std::uint64_t seed = first; seed <= last; ++seed) {
    std::printf("seed %llu\n", static_cast<unsigned long long>(seed));
    World world(seed);
    world.chaos(300);
    world.heal();
    ASSERT_FALSE(HasFailure()) << "seed " << seed;
    accepted += world.accepted();
    stale += world.stale();
    crashes += world.crashes();
  }
  // The world was not asleep.
  if (only == nullptr) {
    EXPECT_GT(accepted, 3000U);
    EXPECT_GT(stale, 300);
    EXPECT_GT(crashes, 50);
  }
}

}  // namespace
}  // namespace mainstay::work
