// External agents under leases (FLT-2).
#include "fleet/registrations.h"

#include "fleet/test_rig.h"

namespace mainstay::fleet {
namespace {

using testing::Contains;

model::RegisterAgent registration(std::string name) {
  return {std::move(name), "http://10.0.0.5:9000", {"gpu.embed"}, {{"zone", "a"}}, seconds(30)};
}

TEST(Registrations, RegisterRenewLookUpAndLeave) {
  Rig rig;
  rig.command(registration("embedder"));
  ASSERT_EQ(rig.out.replies.size(), 1U);
  const auto& reply = std::get<model::AgentReply>(*rig.out.replies[0].body);
  EXPECT_EQ(reply.status.endpoint, "http://10.0.0.5:9000");
  EXPECT_EQ(reply.status.state, model::AgentState::healthy);
  EXPECT_EQ(rig.out.rows.size(), 1U);
  EXPECT_THAT(rig.event_kinds(), Contains("agent.registered"));
  EXPECT_FALSE(rig.fleet->directory().offered("gpu.embed")) << "it gets no work in this version";
  rig.move(seconds(20));
  rig.command(model::RenewAgent{"embedder", seconds(30)});
  EXPECT_FALSE(rig.error_code());
  rig.move(seconds(29));
  EXPECT_EQ(rig.fleet->statuses().size(), 1U);
  rig.command(model::DeregisterAgent{"embedder"});
  EXPECT_FALSE(rig.error_code());
  EXPECT_TRUE(rig.fleet->statuses().empty());
  rig.command(model::DeregisterAgent{"embedder"});
  EXPECT_EQ(rig.error_code(), Code::not_found);
}

TEST(Registrations, EndWithTheirLease) {
  Rig rig;
  rig.command(registration("embedder"));
  EXPECT_EQ(rig.fleet->next_due(), rig.now.mono + seconds(30));
  rig.move(seconds(30));
  EXPECT_EQ(std::get<model::AgentRemoved>(rig.out.rows.at(0)).name, "embedder");
  EXPECT_THAT(rig.event_kinds(), Contains("agent.removed"));
  rig.command(model::RenewAgent{"embedder", seconds(30)});
  EXPECT_EQ(rig.error_code(), Code::not_found);
}

TEST(Registrations, RegisteringAgainReplacesTheMetadata) {
  Rig rig;
  rig.command(registration("embedder"));
  model::RegisterAgent other = registration("embedder");
  other.endpoint = "http://10.0.0.6:9000";
  other.labels.clear();
  rig.command(other);
  const model::AgentStatus status = rig.status("embedder");
  EXPECT_EQ(status.endpoint, "http://10.0.0.6:9000");
  EXPECT_TRUE(status.labels.empty());
  EXPECT_EQ(rig.fleet->statuses().size(), 1U);
}

TEST(Registrations, RefuseBadInputAndNamesOfTheFleetFile) {
  Rig rig;
  rig.command(fleet_of({link_spec("scout", {"s"})}));
  rig.command(registration("scout"));
  EXPECT_EQ(rig.error_code(), Code::conflict);
  rig.command(model::DeregisterAgent{"scout"});
  EXPECT_EQ(rig.error_code(), Code::conflict);
  rig.command(registration("Bad Name"));
  EXPECT_EQ(rig.error_code(), Code::invalid_argument);
  for (Duration lease : {Duration(milliseconds(10)), Duration(std::chrono::hours(25)), Duration{0},
                         Duration(seconds(-5))}) {
    model::RegisterAgent command = registration("x");
    command.lease = lease;
    rig.command(command);
    EXPECT_EQ(rig.error_code(), Code::invalid_argument);
  }
  model::RegisterAgent command = registration("x");
  command.capabilities = {"no good"};
  rig.command(command);
  EXPECT_EQ(rig.error_code(), Code::invalid_argument);
  command = registration("x");
  for (const char* endpoint : {"\xff", "", "not a url \x1b[31m"}) {
    command.endpoint = endpoint;
    rig.command(command);
    EXPECT_EQ(rig.error_code(), Code::invalid_argument);
  }
  EXPECT_EQ(rig.fleet->statuses().size(), 1U);
}

TEST(Registrations, AreBounded) {
  Rig rig;
  for (std::size_t i = 0; i < kMaxRegistrations; ++i) {
    rig.command(registration("a" + std::to_string(i)));
    ASSERT_FALSE(rig.error_code());
  }
  rig.command(registration("one-more"));
  EXPECT_EQ(rig.error_code(), Code::overloaded);
  rig.command(registration("a7"));
  EXPECT_FALSE(rig.error_code()) << "a known one may always register again";
}

TEST(Registrations, SurviveARestartWithTimeToRenew) {
  Rig rig;
  rig.command(registration("embedder"));
  rig.now.wall += seconds(3600);  // the daemon was away for an hour
  rig.restart_daemon();
  EXPECT_EQ(rig.fleet->statuses().size(), 1U);
  rig.move(seconds(29));
  EXPECT_EQ(rig.fleet->statuses().size(), 1U);
  rig.move(seconds(1));
  EXPECT_TRUE(rig.fleet->statuses().empty());
}

TEST(Registrations, WallClockJumpsDoNotEndLeases) {
  Rig rig;
  rig.command(registration("embedder"));
  rig.now.wall += std::chrono::hours(24 * 3650);
  rig.move(seconds(29));
  EXPECT_EQ(rig.fleet->statuses().size(), 1U);
  rig.now.wall -= std::chrono::hours(24 * 7300);
  rig.restart_daemon();
  rig.move(std::chrono::hours(24));
  EXPECT_TRUE(rig.fleet->statuses().empty()) << "and do not make them last for ever";
}

TEST(Registrations, YieldToTheFleetFile) {
  Rig rig;
  rig.command(registration("scout"));
  rig.command(fleet_of({link_spec("scout", {"s"})}));
  EXPECT_EQ(rig.status("scout").kind, model::AgentKind::link);
  for (const model::Row& row : rig.out.rows) {
    EXPECT_FALSE(std::holds_alternative<model::AgentRemoved>(row)) << "the row is taken over";
  }
  rig.move(minutes(5));
  EXPECT_EQ(rig.status("scout").kind, model::AgentKind::link);
}

}  // namespace
}  // namespace mainstay::fleet
