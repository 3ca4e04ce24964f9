// Order of the fleet file, names of replicas, fingerprints of specs, words for exits, health.
#include "fleet/supervision/dependency.h"

#include <csignal>

#include "fleet/supervision/exit_text.h"
#include "fleet/supervision/health.h"
#include "fleet/supervision/spec_digest.h"
#include "fleet/test_rig.h"

namespace mainstay::fleet {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

TEST(DependencyGraph, OrdersByNeedAndKeepsFileOrderElsewhere) {
  const auto fleet = fleet_of({link_spec("c", {}, {"a", "b", "a"}), link_spec("b", {}, {"a"}),
                               link_spec("a", {}), link_spec("d", {})});
  const auto graph = make_dependency_graph(*fleet.fleet);
  ASSERT_TRUE(graph);
  EXPECT_THAT(graph->order, ElementsAre(2, 3, 1, 0));
  EXPECT_THAT(graph->needs[0], ElementsAre(2, 1));
  EXPECT_THAT(graph->needed_by[2], ElementsAre(0, 1));
}

TEST(DependencyGraph, RefusesCyclesAndUnknownNames) {
  const auto cycle =
      fleet_of({link_spec("x", {}), link_spec("a", {}, {"b"}), link_spec("b", {}, {"x", "c"}),
                link_spec("c", {}, {"a"}), link_spec("outside", {}, {"a"})});
  EXPECT_THAT(make_dependency_graph(*cycle.fleet).error().message(), HasSubstr("a -> b -> c -> a"));
  EXPECT_THAT(make_dependency_graph(*fleet_of({link_spec("a", {}, {"a"})}).fleet).error().message(),
              HasSubstr("a -> a"));
  EXPECT_THAT(make_dependency_graph(*fleet_of({link_spec("a", {}, {"z"})}).fleet).error().message(),
              HasSubstr("depends on z"));
}

TEST(AgentNames, CountReplicasAndMustBeUnique) {
  model::AgentSpec four = link_spec("analyst", {});
  four.replicas = 2;
  EXPECT_THAT(agent_names(four), ElementsAre("analyst-1", "analyst-2"));
  EXPECT_THAT(agent_names(link_spec("scout", {})), ElementsAre("scout"));
  EXPECT_TRUE(check_agent_names(*fleet_of({four, link_spec("analyst-3", {})}).fleet));
  EXPECT_FALSE(check_agent_names(*fleet_of({four, link_spec("analyst-2", {})}).fleet));
  EXPECT_FALSE(check_agent_names(*fleet_of({link_spec("a", {}), link_spec("a", {})}).fleet));
  EXPECT_FALSE(check_agent_names(*fleet_of({link_spec("A b", {})}).fleet));
}

TEST(SpecDigest, FollowsWhatTheProcessWasGivenOnly) {
  const model::AgentSpec spec = link_spec("a", {"x", "y"});
  const std::string digest = spec_digest(spec);
  EXPECT_EQ(digest.size(), 16U);
  model::AgentSpec other = spec;
  other.restart.max_restarts = 99;
  other.labels["team"] = "red";
  other.stop_grace = seconds(1);
  EXPECT_EQ(spec_digest(other), digest);
  other = spec;
  other.command = {"python3a", ".py"};
  EXPECT_NE(spec_digest(other), digest);
  other = spec;
  other.environment["A"] = "b";
  EXPECT_NE(spec_digest(other), digest);
  other = spec;
  other.capabilities = {"xy"};
  EXPECT_NE(spec_digest(other), digest);
  // Parts cannot run into each other.
  model::AgentSpec left = spec;
  model::AgentSpec right = spec;
  left.command = {"ab", "c"};
  right.command = {"a", "bc"};
  EXPECT_NE(spec_digest(left), spec_digest(right));
}

TEST(ExitText, NamesCodeSignalCoreAndMemory) {
  EXPECT_EQ(exit_text(exit_code(3)), "exit 3");
  model::ExitStatus status = exit_signal(SIGSEGV);
  status.core_dumped = true;
  EXPECT_EQ(exit_text(status), "killed by SIGSEGV (core dumped)");
  status = exit_signal(SIGKILL);
  status.out_of_memory = true;
  EXPECT_EQ(exit_text(status), "killed by SIGKILL (out of memory)");
  EXPECT_EQ(exit_text({}), "gone");
  EXPECT_EQ(exit_text(exit_signal(63)), "killed by signal 63");
}

TEST(Health, JudgesTheWorstFirst) {
  HealthView view;
  EXPECT_EQ(judge(view).state, model::AgentState::starting);
  view.linked = view.was_ready = true;
  EXPECT_EQ(judge(view).state, model::AgentState::healthy);
  view.failed_needs = "scout, which it depends on, has failed: exit 1";
  EXPECT_EQ(judge(view).state, model::AgentState::degraded);
  EXPECT_EQ(judge(view).reason, view.failed_needs);
  view.failures_in_a_row = kDegradedAfter;
  view.last_error = "boom";
  EXPECT_EQ(judge(view).reason, "3 failures in a row; last: boom");
  view.stall_reason = "no progress for 30s";
  EXPECT_EQ(judge(view).state, model::AgentState::unhealthy);
  view.stall_reason.clear();
  view.linked = false;
  view.link_reason = "its link is lost: reset";
  EXPECT_EQ(judge(view).reason, "its link is lost: reset");
  view.needs_link = false;
  EXPECT_EQ(judge(view).state, model::AgentState::degraded);
}

}  // namespace
}  // namespace mainstay::fleet
