// Random facts in any order, late and repeated, with crashes of the daemon in between: what must
// always hold (invariants 5 and 6 of the simulator's list), and that a healed world comes to rest.
#include <algorithm>
#include <array>
#include <csignal>
#include <deque>
#include <map>
#include <set>

#include "base/random.h"
#include "fleet/supervision/restart_policy.h"
#include "fleet/test_rig.h"

namespace mainstay::fleet {
namespace {

using model::AgentState;
using Key = std::pair<model::AgentName, model::Incarnation>;

/// A machine with processes, as the node would report them; faults are drawn from its own stream.
class World {
 public:
  explicit World(std::uint64_t seed) : random_(seed), product_seed_(seed * 31) {
    draw_fleet();
    boot();
  }

  void step() {
    now_.mono += milliseconds(random_.below(400));
    now_.wall += milliseconds(random_.below(400));
    const std::uint64_t what = random_.below(100);
    if (what < 45) {
      answer_effect();
    } else if (what < 60) {
      say_hello();
    } else if (what < 67 && !calm_) {
      crash();
    } else if (what < 74 && !calm_) {
      cut_link();
    } else if (what < 78 && !calm_) {
      repeat_old_fact();
    } else if (what < 80 && !calm_) {
      reboot();
    } else if (what < 90) {
      note_outcome();
    } else {
      input([&] { fleet_->tick(now_, out_); });
    }
  }

  /// No more faults: does the fleet come to rest?
  void heal() {
    calm_ = true;
    for (int i = 0; i < 800; ++i) step();
    now_.mono += minutes(2);
    for (int i = 0; i < 800; ++i) step();
  }

  void stop() {
    input([&] { fleet_->handle(7, model::StopFleet{}, now_, out_); });
    for (int i = 0; i < 20'000 && !fleet_->stopped(); ++i) step();
    EXPECT_TRUE(fleet_->stopped());
    EXPECT_EQ(replies_to_stop_, 1);
    EXPECT_TRUE(alive_.empty()) << "nothing is left behind";
  }

  const Fleet& fleet() const { return *fleet_; }
  const model::FleetSpec& spec() const { return *load_.fleet; }

 private:
  void draw_fleet() {
    std::vector<model::AgentSpec> specs;
    const std::size_t count = 1 + random_.below(5);
    for (std::size_t i = 0; i < count; ++i) {
      model::AgentSpec spec = link_spec("agent" + std::to_string(i), {"c"});
      if (random_.below(4) == 0) spec.kind = model::AgentKind::exec;
      spec.replicas = 1 + static_cast<int>(random_.below(3));
      spec.restart.mode = static_cast<model::RestartMode>(random_.below(3));
      spec.restart.max_restarts = static_cast<int>(random_.below(5));
      spec.restart.window = seconds(5 + static_cast<int>(random_.below(60)));
      for (std::size_t j = 0; j < i; ++j) {
        if (random_.below(3) == 0) spec.depends_on.push_back("agent" + std::to_string(j));
      }
      specs.push_back(std::move(spec));
    }
    load_ = fleet_of(std::move(specs));
  }

  void boot() {
    fleet_ = std::make_unique<Fleet>(product_seed_++);
    lost_.clear();
    assignable_.clear();
    restarts_.clear();
    launched_.clear();
    pending_.clear();
    links_.clear();
    std::vector<model::AgentStatus> rows;
    for (const auto& [name, row] : rows_) rows.push_back(row);
    fleet_->recover(rows, now_);
    input([&] { fleet_->handle(1, load_, now_, out_); });
  }

  void reboot() {
    // Effects that were given out but not carried out die with the daemon; processes do not.
    boot();
  }

  template <class Call>
  void input(Call&& call) {
    out_ = {};
    call();
    take_rows();
    for (const model::Effect& effect : out_.effects) {
      std::visit([&](const auto& what) { check_effect(what); }, effect);
      pending_.push_back(effect);
    }
    for (const model::Reply& reply : out_.replies) replies_to_stop_ += reply.token == 7 ? 1 : 0;
    check_changes();
  }

  void take_rows() {
    for (const model::Row& row : out_.rows) {
      if (const auto* agent = std::get_if<model::AgentRow>(&row)) {
        const auto& status = agent->status;
        ASSERT_GE(status.incarnation, rows_[status.name].incarnation) << "incarnations only grow";
        rows_[status.name] = status;
      }
    }
  }

  // ---- what must hold for what is given out
  // ------------------------------------------------------

  void check_effect(const model::StartProcess& start) {
    for (const auto& [key, process] : alive_) {
      ASSERT_NE(key.first, start.agent) << "never two copies";
    }
    const model::AgentStatus& row = rows_[start.agent];
    ASSERT_EQ(row.state, AgentState::starting) << "the intent is a row first";
    ASSERT_EQ(row.incarnation, start.incarnation);
    ASSERT_TRUE(ever_.insert({start.agent, start.incarnation}).second) << "a start is given once";
    for (const std::string& need : start.spec->depends_on) {
      if (launched_.contains(start.agent)) continue;  // a restart does not wait
      // Nor does one that ran before, for what had ended before the daemon's restart.
      if (start.incarnation > 1 && some_replica_is(need, kEnded)) continue;
      ASSERT_TRUE(some_replica_is(need, kUp)) << start.agent << " before " << need;
    }
    if (launched_.insert(start.agent).second) return;
    auto& restarts = restarts_[start.agent];
    restarts.push_back(now_.mono);
    const auto limit = static_cast<std::size_t>(start.spec->restart.max_restarts);
    ASSERT_GT(limit, 0U);
    if (restarts.size() > limit) {
      ASSERT_GE(now_.mono - restarts[restarts.size() - 1 - limit], start.spec->restart.window)
          << "invariant 5: restarts in the window";
    }
  }
  void check_effect(const model::StopProcess& stop) { check_signal(stop.agent, stop.incarnation); }
  void check_effect(const model::KillProcess& kill) {
    if (is_exec(kill.agent)) return;  // the trees of its items
    check_signal(kill.agent, kill.incarnation);
  }
  void check_effect(const model::AdoptProcess& adopt) {
    if (!adopt.process) return;
    ASSERT_TRUE(processes_.contains({adopt.agent, adopt.incarnation}));
    ASSERT_EQ(*adopt.process, processes_[std::make_pair(adopt.agent, adopt.incarnation)]);
  }
  void check_effect(const model::DrainAgent& drain) {
    ASSERT_TRUE(links_.contains(drain.link));
    for (const auto& dependant : spec().agents) {
      const auto& needs = dependant->depends_on;
      const std::string entry = rows_[drain.agent].spec;
      if (std::find(needs.begin(), needs.end(), entry) == needs.end()) continue;
      for (const auto& [key, process] : alive_) {
        ASSERT_NE(rows_[key.first].spec, dependant->name) << "dependants stop first";
      }
    }
  }
  template <class Other>
  void check_effect(const Other&) {}

  /// Invariant 6: only what we started is ever signalled, by the start that made it.
  void check_signal(const model::AgentName& agent, model::Incarnation incarnation) {
    ASSERT_TRUE(ever_.contains({agent, incarnation})) << agent << "/" << incarnation;
    ASSERT_EQ(rows_[agent].incarnation, incarnation) << "never an earlier start";
  }

  void check_changes() {
    for (const AgentChange& change : fleet_->take_changes()) {
      const Key key{change.agent, change.incarnation};
      switch (change.kind) {
        case AgentChangeKind::available:
          ASSERT_TRUE(assignable_.insert(change.agent).second);
          ASSERT_FALSE(lost_.contains(key)) << "nothing new for a lost incarnation";
          break;
        case AgentChangeKind::unavailable:
          ASSERT_EQ(assignable_.erase(change.agent), 1U);
          break;
        case AgentChangeKind::lost:
          ASSERT_TRUE(lost_.insert(key).second) << "said once";
          break;
      }
    }
    for (const model::AgentStatus& status : fleet_->statuses()) {
      const AgentView* view = fleet_->directory().find(status.name);
      ASSERT_NE(view, nullptr);
      ASSERT_EQ(view->assignable, assignable_.contains(status.name));
      ASSERT_EQ(view->incarnation, status.incarnation);
      if (!view->assignable) continue;
      ASSERT_TRUE(status.state == AgentState::healthy || status.state == AgentState::degraded);
      ASSERT_TRUE(is_exec(status.name) || links_.contains(view->link))
          << status.name << "/" << status.incarnation << " link " << view->link;
    }
  }

  // ---- the machine
  // -------------------------------------------------------------------------------

  void answer_effect() {
    if (pending_.empty()) return;
    const model::Effect effect = pending_.front();
    pending_.pop_front();
    std::visit([&](const auto& what) { carry_out(what); }, effect);
  }
  void carry_out(const model::StartProcess& start) {
    const Key key{start.agent, start.incarnation};
    const std::uint64_t luck = calm_ ? 9 : random_.below(10);
    if (luck == 0) {
      fact(model::ProcessStartFailed{start.agent, start.incarnation,
                                     Error(Code::io_failed, "fork failed"),
                                     random_.below(10) == 0});
      return;
    }
    // A tiny range, so that numbers come back.
    processes_[key] = {static_cast<std::int32_t>(1 + random_.below(20)), ++ticks_, "boot"};
    alive_[key] = processes_[key];
    if (luck != 1) fact(model::ProcessStarted{key.first, key.second, processes_[key], "aa"});
  }
  void carry_out(const model::AdoptProcess& adopt) {
    const Key key{adopt.agent, adopt.incarnation};
    auto found = alive_.find(key);
    if (adopt.kill || !adopt.process) {
      if (found != alive_.end()) die(key);
      fact(model::AdoptionFinished{key.first, key.second, std::nullopt});
    } else if (found == alive_.end()) {
      fact(model::AdoptionFinished{key.first, key.second, std::nullopt});
    } else {
      launched_.insert(key.first);
      fact(model::AdoptionFinished{key.first, key.second, found->second});
    }
  }
  void carry_out(const model::StopProcess& stop) { end({stop.agent, stop.incarnation}, SIGTERM); }
  void carry_out(const model::KillProcess& kill) { end({kill.agent, kill.incarnation}, SIGKILL); }
  void carry_out(const model::DrainAgent& drain) {
    auto found = links_.find(drain.link);
    if (found == links_.end() || random_.below(3) == 0) return;  // deaf: SIGTERM will come
    const Key key = found->second;
    links_.erase(found);
    fact(model::LinkClosed{key.first, drain.link, "goodbye", true});
    if (alive_.contains(key)) end(key, 0);
  }
  void carry_out(const model::CloseLink& close) { links_.erase(close.link); }
  template <class Other>
  void carry_out(const Other&) {}

  void say_hello() {
    if (alive_.empty()) return;
    const Key key = any_alive();
    if (is_linked(key) && random_.below(10) != 0) return;
    const model::LinkId link = ++last_link_;
    links_[link] = key;
    fact(model::LinkOpened{key.first, key.second, link, {}, 1, "", {}});
  }
  void crash() {
    if (alive_.empty()) return;
    end(any_alive(), random_.below(4) == 0 ? 0 : SIGSEGV);
  }
  void cut_link() {
    if (links_.empty()) return;
    auto found = links_.begin();
    std::advance(found, static_cast<std::ptrdiff_t>(random_.below(links_.size())));
    const auto [link, key] = *found;
    links_.erase(found);
    fact(model::LinkClosed{key.first, link, "reset", false});
  }
  void repeat_old_fact() {
    if (ever_.empty()) return;
    auto found = ever_.begin();
    std::advance(found, static_cast<std::ptrdiff_t>(random_.below(ever_.size())));
    const Key key = *found;
    if (rows_[key.first].incarnation == key.second) return;  // of earlier starts only
    switch (random_.below(5)) {
      case 0:
        return fact(model::ProcessExited{key.first, key.second, exit_code(1)});
      case 1:
        return fact(model::ProcessStarted{key.first, key.second, {1, 1, "boot"}, "bb"});
      case 2:
        return fact(model::AdoptionFinished{key.first, key.second, std::nullopt});
      case 3:
        return fact(model::LinkOpened{key.first, key.second, ++last_link_, {}, 1, "", {}});
      default:
        return fact(model::LinkClosed{key.first, last_link_ + 5, "late", false});
    }
  }
  void note_outcome() {
    const auto statuses = fleet_->statuses();
    const std::string name = statuses[random_.below(statuses.size())].name;
    const bool ok = calm_ || random_.below(2) == 0;
    input([&] { fleet_->note_outcome(name, ok, "boom", now_, out_); });
  }

  void end(const Key& key, int signal) {
    if (!alive_.contains(key)) return;
    die(key);
    fact(model::ProcessExited{key.first, key.second,
                              signal == 0 ? exit_code(0) : exit_signal(signal)});
  }
  void die(const Key& key) {
    alive_.erase(key);
    std::erase_if(links_, [&](const auto& link) { return link.second == key; });
  }
  template <class Fact>
  void fact(const Fact& what) {
    input([&] { fleet_->on(what, now_, out_); });
  }

  Key any_alive() {
    auto found = alive_.begin();
    std::advance(found, static_cast<std::ptrdiff_t>(random_.below(alive_.size())));
    return found->first;
  }
  bool is_linked(const Key& key) const {
    return std::any_of(links_.begin(), links_.end(),
                       [&](const auto& link) { return link.second == key; });
  }
  bool is_exec(const model::AgentName& name) const {
    const AgentView* view = fleet_->directory().find(name);
    return view != nullptr && view->kind == model::AgentKind::exec;
  }
  static constexpr std::array kUp{AgentState::healthy, AgentState::degraded};
  static constexpr std::array kEnded{AgentState::stopped, AgentState::failed};
  bool some_replica_is(const std::string& entry, const std::array<AgentState, 2>& states) const {
    const auto statuses = fleet_->statuses();
    return std::any_of(statuses.begin(), statuses.end(), [&](const model::AgentStatus& status) {
      return status.spec == entry &&
             std::find(states.begin(), states.end(), status.state) != states.end();
    });
  }

  base::Random random_;
  std::uint64_t product_seed_;
  Now now_{Mono(std::chrono::hours(1)), base::wall_from_micros(1'700'000'000'000'000)};
  model::LoadFleet load_;
  std::unique_ptr<Fleet> fleet_;
  model::Outbox out_;
  bool calm_ = false;
  std::map<model::AgentName, model::AgentStatus> rows_;  // what the store would hold
  std::deque<model::Effect> pending_;
  std::map<Key, model::ProcessIdentity> alive_;
  std::map<Key, model::ProcessIdentity> processes_;
  std::set<Key> ever_;
  std::map<model::LinkId, Key> links_;
  std::set<model::AgentName> assignable_;
  std::set<model::AgentName> launched_;  // by this daemon
  std::set<Key> lost_;
  std::map<model::AgentName, std::vector<Mono>> restarts_;  // by this daemon
  model::LinkId last_link_ = 0;
  std::uint64_t ticks_ = 0;
  int replies_to_stop_ = 0;
};

TEST(FleetProperty, HoldsUnderRandomFactsAndComesToRest) {
  int failed = 0;
  int healthy = 0;
  for (std::uint64_t seed = 1; seed <= 80; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    World world(seed);
    for (int i = 0; i < 600 && !testing::Test::HasFailure(); ++i) world.step();
    if (testing::Test::HasFailure()) break;
    world.heal();
    for (const model::AgentStatus& status : world.fleet().statuses()) {
      const AgentState state = status.state;
      failed += state == AgentState::failed ? 1 : 0;
      healthy += state == AgentState::healthy ? 1 : 0;
      // starting: for ever only behind a dependency that is over.
      EXPECT_TRUE(state == AgentState::healthy || state == AgentState::degraded ||
                  state == AgentState::failed || state == AgentState::stopped ||
                  (state == AgentState::starting && status.reason.find("waits for") == 0))
          << status.name << " " << to_text(state) << ": " << status.reason;
    }
    world.stop();
    if (testing::Test::HasFailure()) break;
  }
  // Else the draw of faults is blind.
  EXPECT_GT(failed, 10);
  EXPECT_GT(healthy, 40);
}

}  // namespace
}  // namespace mainstay::fleet
