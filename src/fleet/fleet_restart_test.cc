// Ends of processes and what follows (faults A1, A2, A3, A14), links and health (A17, FLT-4).
#include <csignal>

#include "fleet/supervision/restart_policy.h"
#include "fleet/test_rig.h"

namespace mainstay::fleet {
namespace {

using model::AgentState;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

struct RestartRig : Rig {
  explicit RestartRig(model::RestartMode mode = model::RestartMode::on_failure,
                      int max_restarts = 5) {
    model::AgentSpec scout = link_spec("scout", {"s"});
    scout.restart.mode = mode;
    scout.restart.max_restarts = max_restarts;
    command(fleet_of({scout, link_spec("report", {"r"}, {"scout"})}));
    up("scout");
    up("report");
    fleet->take_changes();
  }
};

TEST(FaultA1, ExitsAreRecordedOnceWithTheirCause) {
  RestartRig rig;
  model::ExitStatus crash = exit_signal(SIGSEGV);
  crash.core_dumped = true;
  rig.exited("scout", crash);
  const std::string body = rig.event_body("agent.exited");
  EXPECT_THAT(body, HasSubstr(R"("signal":"SIGSEGV")"));
  EXPECT_THAT(body, HasSubstr(R"("core_dumped":true)"));
  EXPECT_THAT(body, HasSubstr(R"("incarnation":1)"));
  EXPECT_THAT(rig.changes(AgentChangeKind::lost), ElementsAre("scout/1"));
  EXPECT_EQ(rig.status("scout").error_count, 1);
  EXPECT_EQ(rig.status("scout").last_error, "killed by SIGSEGV (core dumped)");
  // The same news again changes nothing.
  rig.fact(model::ProcessExited{"scout", 1, crash});
  EXPECT_TRUE(rig.out.empty());
}

TEST(FaultA1, MemoryIsNamedAsTheCause) {
  RestartRig rig;
  model::ExitStatus status = exit_signal(SIGKILL);
  status.out_of_memory = true;
  rig.exited("scout", status);
  EXPECT_THAT(rig.event_body("agent.exited"), HasSubstr(R"("out_of_memory":true)"));
  EXPECT_THAT(rig.status("scout").last_error, HasSubstr("out of memory"));
}

TEST(FaultA1, ThePolicyDecidesWhatFollows) {
  struct Case {
    model::RestartMode mode;
    int code;
    AgentState state;
  };
  for (const Case& c : {Case{model::RestartMode::always, 0, AgentState::starting},
                        Case{model::RestartMode::always, 1, AgentState::starting},
                        Case{model::RestartMode::on_failure, 0, AgentState::stopped},
                        Case{model::RestartMode::on_failure, 1, AgentState::starting},
                        Case{model::RestartMode::never, 0, AgentState::stopped},
                        Case{model::RestartMode::never, 1, AgentState::failed}}) {
    SCOPED_TRACE(testing::Message() << to_text(c.mode) << " exit " << c.code);
    RestartRig rig(c.mode);
    rig.exited("scout", exit_code(c.code));
    EXPECT_EQ(rig.state("scout"), c.state);
    EXPECT_EQ(rig.status("scout").restarts, c.state == AgentState::starting ? 1 : 0);
  }
}

TEST(FleetRestart, TheFirstOneComesAtOnceWithAHigherIncarnation) {
  RestartRig rig;
  rig.exited("scout", exit_code(1));
  const auto starts = rig.effects<model::StartProcess>();
  ASSERT_EQ(starts.size(), 1U);
  EXPECT_EQ(starts[0].incarnation, 2);
  EXPECT_EQ(rig.state("report"), AgentState::healthy) << "one for one";
}

TEST(FaultA2, ACrashLoopEndsInFailedAndDependantsDegrade) {
  RestartRig rig(model::RestartMode::always, 3);
  std::vector<Mono> starts;
  for (int i = 0; i < 50 && rig.state("scout") != AgentState::failed; ++i) {
    if (rig.state("scout") == AgentState::backoff) {
      rig.move(*rig.fleet->next_due() - rig.now.mono);
      if (rig.starts().empty()) continue;
    }
    starts.push_back(rig.now.mono);
    rig.started("scout");
    rig.exited("scout", exit_code(1));
  }
  EXPECT_EQ(rig.state("scout"), AgentState::failed);
  EXPECT_EQ(rig.status("scout").restarts, 3);
  EXPECT_THAT(rig.status("scout").reason,
              HasSubstr("3 restarts in 1m are used up; last: exit 1 before it was ready"));
  EXPECT_THAT(rig.event_kinds(), Contains("agent.failed"));
  EXPECT_EQ(rig.state("report"), AgentState::degraded);
  EXPECT_TRUE(rig.fleet->directory().has_free("r"));
  rig.move(std::chrono::hours(1));
  EXPECT_THAT(rig.starts(), IsEmpty());
}

TEST(FaultA3, FlappingSlowerThanTheWindowIsGivenUpToo) {
  RestartRig rig(model::RestartMode::always, 2);
  int lives = 0;
  for (; lives < 1000 && rig.state("scout") != AgentState::failed; ++lives) {
    rig.move(seconds(36));  // 1.2 times what two restarts a minute let pass
    rig.exited("scout", exit_code(1));
    if (rig.state("scout") == AgentState::failed) break;
    ASSERT_THAT(rig.starts(), ElementsAre("scout")) << "it ran long enough to forget the backoff";
    rig.up("scout");
  }
  EXPECT_EQ(rig.status("scout").restarts, 2 * kLongFactor);
  EXPECT_THAT(rig.status("scout").reason, HasSubstr("it keeps failing: 10 restarts in 20m"));
}

/// What has ended for good stays so when the daemon comes back: a restart of it is no way around
/// the policy (faults A2, A3, B4).
struct EndedRig : RestartRig {
  EndedRig(model::RestartMode mode, int code) : RestartRig(mode) {
    spec = link_spec("scout", {"s"});
    spec.restart.mode = mode;
    exited("scout", exit_code(code));
  }
  void load() { command(fleet_of({spec, link_spec("report", {"r"}, {"scout"})})); }
  model::AgentSpec spec;
};

TEST(FleetRestart, ADaemonThatComesBackKeepsWhatHadEnded) {
  for (const int code : {0, 1}) {
    SCOPED_TRACE(code);
    EndedRig rig(model::RestartMode::never, code);
    const model::AgentStatus before = rig.status("scout");
    for (int kill = 0; kill < 5; ++kill) {
      rig.restart_daemon();
      rig.load();
      EXPECT_THAT(rig.starts(), IsEmpty());
    }
    EXPECT_EQ(rig.state("scout"), code == 0 ? AgentState::stopped : AgentState::failed);
    EXPECT_EQ(rig.status("scout").reason, before.reason);
    EXPECT_EQ(rig.status("scout").incarnation, 1);
    // What ran beside it runs again, though its process is gone too.
    rig.fact(model::AdoptionFinished{"report", 1, std::nullopt});
    EXPECT_THAT(rig.starts(), ElementsAre("report"));
    rig.up("report");
    EXPECT_EQ(rig.state("report"), code == 0 ? AgentState::healthy : AgentState::degraded);
  }
}

TEST(FleetRestart, WhatHadEndedIsStartedAfterAStopOrWithAnotherSpec) {
  EndedRig stopped(model::RestartMode::never, 1);
  stopped.command(model::StopFleet{});
  stopped.exited("report", exit_signal(SIGTERM));
  ASSERT_TRUE(stopped.fleet->stopped());
  stopped.restart_daemon();
  stopped.load();
  EXPECT_THAT(stopped.starts(), ElementsAre("scout"));

  EndedRig changed(model::RestartMode::never, 1);
  changed.spec.command.emplace_back("--again");
  changed.restart_daemon();
  changed.load();
  EXPECT_THAT(changed.starts(), ElementsAre("scout"));
}

TEST(FleetRestart, ANewDependantOfWhatHadFailedWaits) {
  EndedRig rig(model::RestartMode::never, 1);
  rig.restart_daemon();
  rig.command(fleet_of({rig.spec, link_spec("fresh", {"f"}, {"scout"})}));
  EXPECT_THAT(rig.starts(), IsEmpty());
  EXPECT_THAT(rig.status("fresh").reason, HasSubstr("waits for scout, which has failed"));
}

TEST(FaultA14, PermanentStartErrorsFailAtOnceTransientOnesRetry) {
  Rig rig;
  rig.command(fleet_of({link_spec("a", {"x"}), link_spec("b", {"x"})}));
  rig.fact(model::ProcessStartFailed{
      "a", 1, Error(Code::process_start_failed, "a.py: not executable"), true});
  EXPECT_EQ(rig.state("a"), AgentState::failed);
  EXPECT_THAT(rig.status("a").reason, HasSubstr("a.py: not executable"));
  rig.fact(model::ProcessStartFailed{
      "b", 1, Error(Code::io_failed, "fork: resource temporarily unavailable"), false});
  EXPECT_EQ(rig.state("b"), AgentState::backoff);
  for (int i = 0; i < 600; ++i) rig.move(seconds(1));
  EXPECT_EQ(rig.state("a"), AgentState::failed);
  EXPECT_EQ(rig.status("a").restarts, 0);
  EXPECT_EQ(rig.status("b").incarnation, 2);
}

TEST(FaultA17, TheOlderOfTwoLiveLinksIsClosed) {
  RestartRig rig;
  const model::LinkId first = rig.fleet->directory().find("scout")->link;
  const model::LinkId second = rig.hello("scout");
  const auto closed = rig.effects<model::CloseLink>();
  ASSERT_EQ(closed.size(), 1U);
  EXPECT_EQ(closed[0].link, first);
  EXPECT_EQ(rig.fleet->directory().find("scout")->link, second);
  rig.fact(model::LinkClosed{"scout", first, "closed", false});
  EXPECT_EQ(rig.state("scout"), AgentState::healthy) << "the end of the old link is no news";
  EXPECT_THAT(rig.changes(AgentChangeKind::lost), IsEmpty());
}

TEST(FaultA17, AnOldIncarnationOrAStrangerIsClosedAtOnce) {
  RestartRig rig;
  rig.exited("scout", exit_code(1));
  for (const model::LinkOpened& hello : {model::LinkOpened{"scout", 1, 77, {}, 1, "", {}},
                                         model::LinkOpened{"scout", 9, 77, {}, 1, "", {}},
                                         model::LinkOpened{"nobody", 1, 77, {}, 1, "", {}}}) {
    rig.fact(hello);
    const auto closed = rig.effects<model::CloseLink>();
    ASSERT_EQ(closed.size(), 1U);
    EXPECT_EQ(closed[0].link, 77U);
    EXPECT_TRUE(rig.out.rows.empty());
  }
  EXPECT_EQ(rig.fleet->directory().find("scout")->link, 0U);
}

TEST(FleetLink, AShortLossKeepsTheIncarnation) {
  RestartRig rig;
  rig.fact(model::LinkClosed{"scout", rig.fleet->directory().find("scout")->link, "reset", false});
  EXPECT_EQ(rig.state("scout"), AgentState::unhealthy);
  EXPECT_EQ(rig.status("scout").reason, "its link is lost: reset");
  EXPECT_FALSE(rig.fleet->directory().has_free("s"));
  EXPECT_THAT(rig.changes(AgentChangeKind::unavailable), ElementsAre("scout/1"));
  rig.move(seconds(9));
  rig.hello("scout");
  EXPECT_EQ(rig.state("scout"), AgentState::healthy);
  rig.move(minutes(1));
  EXPECT_EQ(rig.state("scout"), AgentState::healthy);
  EXPECT_THAT(rig.changes(AgentChangeKind::lost), IsEmpty());
  EXPECT_THAT(rig.event_kinds(), Not(Contains("agent.ready"))) << "said once for each start";
}

TEST(FleetLink, ALongLossIsARestart) {
  RestartRig rig;
  rig.fact(model::LinkClosed{"scout", rig.fleet->directory().find("scout")->link, "reset", false});
  rig.move(seconds(10));
  ASSERT_EQ(rig.effects<model::KillProcess>().size(), 1U);
  EXPECT_THAT(rig.changes(AgentChangeKind::lost), ElementsAre("scout/1"));
  // It comes back too late: it is dying already.
  rig.hello("scout");
  EXPECT_EQ(rig.effects<model::CloseLink>().size(), 1U);
  EXPECT_EQ(rig.state("scout"), AgentState::unhealthy);
  rig.exited("scout", exit_signal(SIGKILL));
  EXPECT_THAT(rig.changes(AgentChangeKind::lost), IsEmpty()) << "said already";
  EXPECT_THAT(rig.starts(), ElementsAre("scout"));
  EXPECT_EQ(rig.status("scout").last_error, "its link was gone for 10s: killed");
}

TEST(FleetHealth, FailuresInARowDegradeAndASuccessHeals) {
  RestartRig rig;
  for (int i = 0; i < 2; ++i) rig.fleet->note_outcome("scout", false, "boom", rig.now, rig.out);
  rig.fleet->note_outcome("scout", true, "", rig.now, rig.out);
  for (int i = 0; i < 2; ++i) rig.fleet->note_outcome("scout", false, "boom", rig.now, rig.out);
  EXPECT_EQ(rig.state("scout"), AgentState::healthy) << "not in a row";
  rig.out = {};
  rig.fleet->note_outcome("scout", false, "no such file", rig.now, rig.out);
  EXPECT_EQ(rig.state("scout"), AgentState::degraded);
  EXPECT_EQ(rig.status("scout").reason, "3 failures in a row; last: no such file");
  EXPECT_EQ(rig.status("scout").error_count, 5);
  EXPECT_TRUE(rig.fleet->directory().has_free("s"));
  EXPECT_THAT(rig.event_kinds(), ElementsAre("agent.state_changed"));
  rig.fleet->note_outcome("scout", true, "", rig.now, rig.out);
  EXPECT_EQ(rig.state("scout"), AgentState::healthy);
}

TEST(FleetHealth, CountersReachTheRowWithinASecondNotOnEveryFailure) {
  RestartRig rig;
  rig.move(seconds(2));
  rig.out = {};
  for (int i = 0; i < 1000; ++i) {
    rig.fleet->note_outcome("scout", i % 2 == 0, "boom", rig.now, rig.out);
  }
  EXPECT_TRUE(rig.out.rows.empty());
  EXPECT_EQ(rig.fleet->next_due(), rig.now.mono + seconds(1));
  rig.move(seconds(1));
  ASSERT_EQ(rig.out.rows.size(), 1U);
  EXPECT_EQ(std::get<model::AgentRow>(rig.out.rows[0]).status.error_count, 500);
}

/// One agent with two slots that must show progress every 40 s.
struct StallRig : Rig {
  StallRig() {
    model::AgentSpec spec = link_spec("scout", {"s"});
    spec.concurrency = 2;
    spec.health.stall_after = seconds(40);
    command(fleet_of({spec}));
    up("scout");
  }
  void take() { fleet->directory().take("scout"); }
  void pass(Duration by) {
    for (const Mono end = now.mono + by; now.mono < end;) move(seconds(10));
  }
};

TEST(FleetHealth, AStalledAgentIsToldAndGetsNoNewWorkUntilItMoves) {
  StallRig rig;
  rig.pass(seconds(200));
  EXPECT_EQ(rig.state("scout"), AgentState::healthy) << "it holds nothing";
  rig.take();
  rig.pass(seconds(40));
  EXPECT_EQ(rig.state("scout"), AgentState::healthy);
  rig.pass(seconds(10));
  EXPECT_EQ(rig.state("scout"), AgentState::unhealthy);
  EXPECT_EQ(rig.status("scout").reason, "no progress for 40s from the item it holds");
  EXPECT_FALSE(rig.fleet->directory().has_free("s"));
  rig.fleet->directory().note_progress("scout");
  rig.pass(seconds(10));
  EXPECT_EQ(rig.state("scout"), AgentState::healthy);
  EXPECT_TRUE(rig.fleet->directory().has_free("s"));
}

TEST(FleetHealth, WhoTellsProgressNeverStalls) {
  StallRig rig;
  rig.take();
  rig.take();
  for (int i = 0; i < 20; ++i) {
    rig.pass(seconds(30));
    rig.fleet->directory().note_progress("scout");
    EXPECT_EQ(rig.state("scout"), AgentState::healthy);
  }
  rig.fleet->directory().release("scout", rig.status("scout").incarnation);
  rig.fleet->directory().release("scout", rig.status("scout").incarnation);
  rig.pass(seconds(300));
  EXPECT_EQ(rig.state("scout"), AgentState::healthy);
}

TEST(FleetHealth, ANewStartIsNotBlamedForTheStallOfTheOldOne) {
  StallRig rig;
  rig.take();
  rig.pass(seconds(60));
  EXPECT_EQ(rig.state("scout"), AgentState::unhealthy);
  rig.exited("scout", exit_signal(9));
  rig.pass(seconds(10));
  rig.up("scout");
  rig.take();
  rig.pass(seconds(30));
  EXPECT_EQ(rig.state("scout"), AgentState::healthy);
}

}  // namespace
}  // namespace mainstay::fleet
