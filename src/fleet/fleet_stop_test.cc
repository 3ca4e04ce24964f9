// Stopping (dependants first, drain, SIGTERM, kill) and re-adoption after a restart (fault B4).
#include <csignal>

#include "fleet/test_rig.h"

namespace mainstay::fleet {
namespace {

using model::AgentState;
using testing::Contains;
using testing::ElementsAre;
using testing::IsEmpty;

struct StopRig : Rig {
  StopRig() {
    command(load());
    up("scout");
    up("report");
    fleet->take_changes();
  }
  static model::LoadFleet load() {
    return fleet_of({link_spec("scout", {"s"}), link_spec("report", {"r"}, {"scout"}),
                     exec_spec("lint", {"l"})});
  }
};

TEST(FleetStop, DependantsFirstDrainThenTermAndOneReplyAtTheEnd) {
  StopRig rig;
  rig.command(model::StopFleet{}, 9);
  EXPECT_TRUE(rig.fleet->stopping());
  EXPECT_TRUE(rig.out.replies.empty());
  auto drains = rig.effects<model::DrainAgent>();
  ASSERT_EQ(drains.size(), 1U);
  EXPECT_EQ(drains[0].agent, "report");
  EXPECT_EQ(drains[0].grace, seconds(5));
  EXPECT_EQ(rig.state("scout"), AgentState::draining);
  EXPECT_EQ(rig.state("lint"), AgentState::stopped) << "nothing of it runs";
  EXPECT_FALSE(rig.fleet->directory().has_free("s")) << "no new work from here on";
  rig.move(seconds(5));
  auto stops = rig.effects<model::StopProcess>();
  ASSERT_EQ(stops.size(), 1U);
  EXPECT_EQ(stops[0].agent, "report");
  EXPECT_EQ(stops[0].grace, seconds(5)) << "both halves together are the grace";
  rig.exited("report", exit_signal(SIGTERM));
  EXPECT_EQ(rig.state("report"), AgentState::stopped);
  EXPECT_EQ(rig.status("report").error_count, 0) << "asked for";
  ASSERT_EQ(rig.effects<model::DrainAgent>().size(), 1U);
  EXPECT_EQ(rig.effects<model::DrainAgent>()[0].agent, "scout");
  const auto link = rig.fleet->directory().find("scout")->link;
  rig.fact(model::LinkClosed{"scout", link, "goodbye", true});
  rig.exited("scout", exit_code(0));
  ASSERT_EQ(rig.out.replies.size(), 1U);
  EXPECT_EQ(rig.out.replies[0].token, 9U);
  EXPECT_TRUE(rig.fleet->stopped());
  EXPECT_FALSE(rig.fleet->next_due() && *rig.fleet->next_due() > rig.now.mono + seconds(1));
}

/// What an agent holds when the operator stops it is no failure of the items.
TEST(FleetStop, WhatAnAgentHoldsThenIsLostInOrder) {
  StopRig rig;
  rig.fleet->directory().take("lint");
  rig.command(model::StopFleet{});
  EXPECT_TRUE(rig.fleet->directory().find("report")->stopping);
  EXPECT_FALSE(rig.fleet->directory().find("scout")->stopping) << "its turn has not come";
  rig.move(seconds(5));
  rig.exited("report", exit_signal(SIGKILL));
  EXPECT_EQ(rig.losses(), (std::vector<std::string>{"report/1 in order"}));
  rig.exited("scout", exit_code(0));
  EXPECT_EQ(rig.losses(), (std::vector<std::string>{"scout/1 in order"}))
      << "it ended by itself, as it was asked to";
  rig.move(seconds(10));
  EXPECT_EQ(rig.losses(), (std::vector<std::string>{"lint/1 in order"}));
}

TEST(FleetStop, ACrashWhileItDrainsIsStillACrash) {
  StopRig rig;
  rig.command(model::StopFleet{});
  rig.exited("report", exit_signal(SIGSEGV));
  EXPECT_THAT(rig.losses(), Contains("report/1"));
}

TEST(FleetStop, ACrashBeforeItsTurnIsStillACrash) {
  StopRig rig;
  rig.command(model::StopFleet{});
  rig.exited("scout", exit_code(0));
  EXPECT_THAT(rig.losses(), Contains("scout/1"));
}

/// The daemon died in the middle of a stop; the next one finishes it.
TEST(FleetStop, AStopThatTheNextDaemonFinishesIsInOrder) {
  StopRig rig;
  rig.command(model::StopFleet{});
  rig.restart_daemon();
  rig.command(StopRig::load());
  rig.losses();
  rig.fact(model::AdoptionFinished{"report", 1, std::nullopt});
  EXPECT_THAT(rig.losses(), Contains("report/1 in order"));
}

TEST(FleetStop, WithNothingRunningAnswersAtOnce) {
  Rig rig;
  rig.command(model::StopFleet{});
  ASSERT_EQ(rig.out.replies.size(), 1U);
  EXPECT_TRUE(rig.fleet->stopped());
}

TEST(FleetStop, StopsWhatIsStillStartingOrWaiting) {
  Rig rig;
  rig.command(StopRig::load());
  rig.command(model::StopFleet{});
  EXPECT_EQ(rig.state("report"), AgentState::stopped);
  EXPECT_EQ(rig.effects<model::StopProcess>().size(), 1U);
  rig.started("scout");
  EXPECT_EQ(rig.state("scout"), AgentState::draining);
  rig.exited("scout", exit_signal(SIGTERM));
  EXPECT_TRUE(rig.fleet->stopped());
  EXPECT_EQ(rig.out.replies.size(), 1U);
}

TEST(FleetStop, WhatWaitsToBeRestartedIsNotStartedAgain) {
  StopRig rig;
  rig.exited("scout", exit_code(1));
  rig.started("scout");
  rig.exited("scout", exit_code(1));
  ASSERT_EQ(rig.state("scout"), AgentState::backoff);
  const auto incarnation = rig.status("scout").incarnation;
  rig.command(model::StopFleet{});
  EXPECT_EQ(rig.state("scout"), AgentState::stopped);
  EXPECT_EQ(rig.state("report"), AgentState::draining);
  rig.move(minutes(1));
  EXPECT_THAT(rig.starts(), IsEmpty());
  EXPECT_EQ(rig.status("scout").incarnation, incarnation);
  rig.exited("report", exit_signal(SIGTERM));
  EXPECT_TRUE(rig.fleet->stopped());
}

TEST(FleetStop, AnExecAgentFinishesItsItemsFirst) {
  StopRig rig;
  rig.fleet->directory().take("lint");
  rig.command(model::StopFleet{});
  EXPECT_EQ(rig.state("lint"), AgentState::draining);
  rig.fleet->directory().release("lint", 1);
  rig.move(Duration{0});
  EXPECT_EQ(rig.state("lint"), AgentState::stopped);
}

TEST(FleetStop, AnExecAgentThatDoesNotFinishIsKilled) {
  StopRig rig;
  rig.fleet->directory().take("lint");
  rig.command(model::StopFleet{});
  rig.fleet->take_changes();
  rig.move(seconds(10));
  EXPECT_EQ(rig.state("lint"), AgentState::stopped);
  EXPECT_THAT(rig.changes(AgentChangeKind::lost), Contains("lint/1"));
  ASSERT_FALSE(rig.effects<model::KillProcess>().empty());
}

TEST(FleetStop, TheFleetCanBeLoadedAgainAndIncarnationsGrow) {
  StopRig rig;
  rig.command(model::StopFleet{});
  rig.exited("report", exit_code(0));
  rig.exited("scout", exit_code(0));
  ASSERT_TRUE(rig.fleet->stopped());
  rig.command(StopRig::load());
  EXPECT_FALSE(rig.error_code());
  EXPECT_EQ(rig.effects<model::StartProcess>()[0].incarnation, 2);
  EXPECT_FALSE(rig.fleet->stopping());
}

TEST(FaultB4, ALivingAgentIsAdoptedNotStartedAgain) {
  StopRig rig;
  rig.restart_daemon();
  rig.command(StopRig::load());
  EXPECT_THAT(rig.starts(), IsEmpty());
  const auto adopts = rig.effects<model::AdoptProcess>();
  ASSERT_EQ(adopts.size(), 2U);
  EXPECT_EQ(adopts[0].process->pid, 100);
  EXPECT_EQ(adopts[0].token_sha256, "aa");
  EXPECT_FALSE(adopts[0].kill);
  rig.fact(model::AdoptionFinished{"scout", 1, adopts[0].process});
  EXPECT_EQ(rig.state("scout"), AgentState::unhealthy);
  EXPECT_THAT(rig.changes(AgentChangeKind::lost), ElementsAre("lint/1"))
      << "a command's process went with the daemon; the adopted one keeps its attempts";
  rig.hello("scout");
  EXPECT_EQ(rig.state("scout"), AgentState::healthy);
  EXPECT_EQ(rig.status("scout").incarnation, 1);
  EXPECT_EQ(rig.status("scout").restarts, 0);
}

TEST(FaultB4, AnAdoptedAgentThatDoesNotComeBackIsRestarted) {
  StopRig rig;
  rig.restart_daemon();
  rig.command(StopRig::load());
  rig.fact(model::AdoptionFinished{"scout", 1, model::ProcessIdentity{100, 7, "boot"}});
  rig.move(seconds(20));
  ASSERT_EQ(rig.effects<model::KillProcess>().size(), 1U);
  rig.exited("scout", exit_signal(SIGKILL));
  EXPECT_THAT(rig.starts(), ElementsAre("scout"));
}

TEST(FaultB4, OneThatIsGoneIsLostAndStartedInOrder) {
  StopRig rig;
  rig.restart_daemon();
  rig.command(StopRig::load());
  rig.fleet->take_changes();
  rig.fact(model::AdoptionFinished{"report", 1, std::nullopt});
  EXPECT_THAT(rig.starts(), IsEmpty()) << "scout is not ready";
  EXPECT_THAT(rig.changes(AgentChangeKind::lost), ElementsAre("report/1"));
  rig.fact(model::AdoptionFinished{"scout", 1, std::nullopt});
  EXPECT_THAT(rig.starts(), ElementsAre("scout"));
  EXPECT_EQ(rig.effects<model::StartProcess>()[0].incarnation, 2);
}

TEST(FaultB4, AChangedOrVanishedSpecIsKilledBeforeAnythingNewStarts) {
  StopRig rig;
  rig.restart_daemon();
  model::AgentSpec changed = link_spec("scout", {"s"});
  changed.command = {"python3", "other.py"};
  rig.command(fleet_of({changed}));
  const auto adopts = rig.effects<model::AdoptProcess>();
  ASSERT_EQ(adopts.size(), 2U);
  EXPECT_TRUE(adopts[0].kill);
  EXPECT_TRUE(adopts[1].kill);
  EXPECT_THAT(rig.starts(), IsEmpty());
  // A hello of the old process is not let in.
  rig.fact(model::LinkOpened{"scout", 1, 50, {}, 1, "", {}});
  EXPECT_EQ(rig.effects<model::CloseLink>().size(), 1U);
  rig.fact(model::AdoptionFinished{"scout", 1, std::nullopt});
  EXPECT_THAT(rig.starts(), ElementsAre("scout"));
  rig.fact(model::AdoptionFinished{"report", 1, std::nullopt});
  ASSERT_EQ(rig.out.rows.size(), 1U);
  EXPECT_EQ(std::get<model::AgentRemoved>(rig.out.rows[0]).name, "report");
  EXPECT_EQ(rig.fleet->statuses().size(), 1U);
}

TEST(FaultB4, AnIntentWithoutAProcessIsLookedForToo) {
  Rig rig;
  rig.command(StopRig::load());  // dies between the intent and the news of the process
  rig.restart_daemon();
  rig.command(StopRig::load());
  const auto adopts = rig.effects<model::AdoptProcess>();
  ASSERT_EQ(adopts.size(), 1U);
  EXPECT_EQ(adopts[0].agent, "scout");
  EXPECT_FALSE(adopts[0].process);
  EXPECT_THAT(rig.starts(), IsEmpty());
}

TEST(FaultB4, OneThatWasBeingStoppedIsNotAdopted) {
  StopRig rig;
  rig.command(model::StopFleet{});
  rig.restart_daemon();
  rig.command(StopRig::load());
  for (const auto& adopt : rig.effects<model::AdoptProcess>()) EXPECT_TRUE(adopt.kill);
}

TEST(FaultB4, StopWhileAdoptingWaitsForTheOutcome) {
  StopRig rig;
  rig.restart_daemon();
  rig.command(StopRig::load());
  rig.command(model::StopFleet{});
  EXPECT_THAT(rig.effects<model::StopProcess>(), IsEmpty());
  EXPECT_FALSE(rig.fleet->stopped());
  rig.fact(model::AdoptionFinished{"report", 1, std::nullopt});
  EXPECT_EQ(rig.state("report"), AgentState::stopped);
  rig.fact(model::AdoptionFinished{"scout", 1, model::ProcessIdentity{100, 7, "boot"}});
  ASSERT_EQ(rig.effects<model::StopProcess>().size(), 1U);
  rig.exited("scout", exit_signal(SIGTERM));
  EXPECT_TRUE(rig.fleet->stopped());
}

}  // namespace
}  // namespace mainstay::fleet
