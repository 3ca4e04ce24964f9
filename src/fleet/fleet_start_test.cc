// Starting: in dependency order by readiness; what is missing is said (FLT-3, FLT-6).
#include "fleet/test_rig.h"

namespace mainstay::fleet {
namespace {

using model::AgentState;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

TEST(FleetStart, WaitsForReadinessNotForTheProcess) {
  Rig rig;
  rig.command(fleet_of({link_spec("report", {"r"}, {"analyst"}), link_spec("scout", {"s"}),
                        link_spec("analyst", {"a"}, {"scout"})}));
  EXPECT_THAT(rig.starts(), ElementsAre("scout"));
  EXPECT_THAT(rig.event_kinds(), Contains("fleet.loaded"));
  ASSERT_EQ(rig.out.replies.size(), 1U);
  EXPECT_TRUE(rig.out.replies[0].body);
  EXPECT_EQ(rig.status("analyst").reason, "waits for scout to be ready (starting)");
  rig.started("scout");
  EXPECT_THAT(rig.starts(), IsEmpty());
  rig.hello("scout");
  EXPECT_THAT(rig.starts(), ElementsAre("analyst"));
  EXPECT_EQ(rig.state("scout"), AgentState::healthy);
  EXPECT_THAT(rig.changes(AgentChangeKind::available), ElementsAre("scout/1"));
  rig.up("analyst");
  EXPECT_THAT(rig.starts(), ElementsAre("report"));
}

TEST(FleetStart, TheIntentIsARowBeforeTheEffect) {
  Rig rig;
  rig.command(fleet_of({link_spec("scout", {"s"})}));
  ASSERT_FALSE(rig.out.rows.empty());
  const auto& row = std::get<model::AgentRow>(rig.out.rows.back()).status;
  EXPECT_EQ(row.state, AgentState::starting);
  EXPECT_EQ(row.incarnation, 1);
  EXPECT_FALSE(row.process);
  EXPECT_FALSE(row.spec_digest.empty());
  EXPECT_EQ(rig.effects<model::StartProcess>()[0].incarnation, 1);
  rig.started("scout", 42);
  const auto& running = std::get<model::AgentRow>(rig.out.rows.back()).status;
  ASSERT_TRUE(running.process);
  EXPECT_EQ(running.process->pid, 42);
  EXPECT_EQ(running.token_sha256, "aa");
}

TEST(FleetStart, AllReplicasMustBeReady) {
  Rig rig;
  model::AgentSpec analyst = link_spec("analyst", {"a"});
  analyst.replicas = 2;
  rig.command(fleet_of({analyst, link_spec("report", {"r"}, {"analyst"})}));
  EXPECT_THAT(rig.starts(), ElementsAre("analyst-1", "analyst-2"));
  rig.up("analyst-1");
  EXPECT_THAT(rig.starts(), IsEmpty());
  rig.up("analyst-2");
  EXPECT_THAT(rig.starts(), ElementsAre("report"));
}

TEST(FleetStart, AFailedReplicaDoesNotHoldUpDependantsWhileAnotherIsUp) {
  Rig rig;
  model::AgentSpec analyst = link_spec("analyst", {"a"});
  analyst.replicas = 2;
  rig.command(fleet_of({analyst, link_spec("report", {"r"}, {"analyst"})}));
  rig.up("analyst-1");
  rig.fact(model::ProcessStartFailed{"analyst-2", 1,
                                     Error(Code::process_start_failed, "no such file"), true});
  EXPECT_THAT(rig.starts(), ElementsAre("report"));
  rig.up("report");
  EXPECT_EQ(rig.state("report"), AgentState::degraded);
  EXPECT_THAT(rig.status("report").reason, HasSubstr("analyst-2, which it depends on, has failed"));
  EXPECT_TRUE(rig.fleet->directory().has_free("r")) << "degraded agents keep working";
}

TEST(FleetStart, ExecAgentsAreReadyWithTheirDependencies) {
  Rig rig;
  rig.command(fleet_of({exec_spec("lint", {"l"}), exec_spec("late", {"x"}, {"scout"}),
                        link_spec("scout", {"s"}, {"lint"})}));
  EXPECT_THAT(rig.starts(), ElementsAre("scout"));
  EXPECT_EQ(rig.state("lint"), AgentState::healthy);
  EXPECT_NE(rig.fleet->directory().pick("l"), nullptr);
  EXPECT_EQ(rig.fleet->directory().pick("x"), nullptr);
  rig.up("scout");
  EXPECT_EQ(rig.state("late"), AgentState::healthy);
  EXPECT_EQ(rig.fleet->directory().pick("x")->incarnation, 1);
}

TEST(FleetStart, DependantsOfAFailedAgentSayWhatIsMissing) {
  Rig rig;
  rig.command(fleet_of({link_spec("scout", {"s"}), link_spec("report", {"r"}, {"scout"}),
                        exec_spec("lint", {"l"})}));
  rig.fact(model::ProcessStartFailed{
      "scout", 1, Error(Code::process_start_failed, "python3: no such file"), true});
  EXPECT_EQ(rig.state("scout"), AgentState::failed);
  EXPECT_THAT(rig.event_kinds(), Contains("agent.failed"));
  EXPECT_EQ(rig.state("report"), AgentState::starting);
  EXPECT_THAT(rig.status("report").reason, HasSubstr("waits for scout, which has failed"));
  EXPECT_THAT(rig.status("report").reason, HasSubstr("python3: no such file"));
  EXPECT_TRUE(rig.fleet->directory().has_free("l")) << "the rest keeps working";
  EXPECT_TRUE(rig.fleet->directory().offered("r"));
}

TEST(FleetStart, RefusesASecondFleetAndImpossibleOnes) {
  Rig rig;
  rig.command(fleet_of({link_spec("a", {}, {"b"}), link_spec("b", {}, {"a"})}));
  EXPECT_EQ(rig.error_code(), Code::config_invalid);
  EXPECT_TRUE(rig.out.effects.empty());
  rig.command(fleet_of({link_spec("a", {})}));
  EXPECT_FALSE(rig.error_code());
  rig.command(fleet_of({link_spec("b", {})}));
  EXPECT_EQ(rig.error_code(), Code::conflict);
}

TEST(FleetStart, AHelloMayOvertakeTheNewsOfTheProcess) {
  Rig rig;
  rig.command(fleet_of({link_spec("scout", {"s"})}));
  rig.hello("scout");
  EXPECT_EQ(rig.state("scout"), AgentState::healthy);
  rig.started("scout");
  EXPECT_EQ(rig.state("scout"), AgentState::healthy);
  rig.move(minutes(5));
  EXPECT_EQ(rig.state("scout"), AgentState::healthy);
}

TEST(FleetStart, NoHelloInTimeIsAFailedStart) {
  Rig rig;
  rig.command(fleet_of({link_spec("scout", {"s"})}));
  rig.started("scout");
  ASSERT_EQ(rig.fleet->next_due(), rig.now.mono + seconds(1)) << "the row's counters first";
  rig.move(seconds(20));
  ASSERT_EQ(rig.effects<model::KillProcess>().size(), 1U);
  EXPECT_THAT(rig.status("scout").reason, HasSubstr("no hello within 20s"));
  rig.exited("scout", exit_code(0));
  EXPECT_EQ(rig.state("scout"), AgentState::backoff);
  EXPECT_THAT(rig.status("scout").last_error, HasSubstr("no hello within 20s"));
}

TEST(FleetStart, WhatAnAgentHasNoHandlerForIsToldOnce) {
  Rig rig;
  rig.command(fleet_of({link_spec("scout", {"s", "t", "u"})}));
  rig.started("scout");
  rig.hello("scout", {"t", "more"});
  EXPECT_EQ(rig.status("scout").unserved, (std::vector<std::string>{"s", "u"}));
  EXPECT_EQ(rig.state("scout"), AgentState::healthy);
  EXPECT_EQ(rig.status("scout").reason, "ready; has no handler for s, u");
  EXPECT_THAT(rig.event_body("agent.unserved"),
              HasSubstr("fleet.yaml says that it offers s, u, and it has no handler for that"));
  rig.hello("scout", {"t", "more"});  // the link was lost
  EXPECT_EQ(rig.event_body("agent.unserved"), "");
  rig.hello("scout");
  EXPECT_TRUE(rig.status("scout").unserved.empty());
}

TEST(FleetStart, IsTheSameForTheSameSeed) {
  auto script = [](std::uint64_t seed) {
    Rig rig;
    rig.fleet = std::make_unique<Fleet>(seed);
    rig.command(fleet_of({link_spec("scout", {"s"})}));
    rig.started("scout");
    rig.exited("scout", exit_code(1));
    return rig.fleet->next_due();
  };
  EXPECT_EQ(script(5), script(5));
}

}  // namespace
}  // namespace mainstay::fleet
