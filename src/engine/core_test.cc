// What the Core decides across its parts; each part's own decisions are tested beside it.
#include "engine/core.h"

#include <gtest/gtest.h>

#include <memory>
#include <utility>

namespace mainstay::engine {
namespace {

class CoreTest : public ::testing::Test {
 protected:
  CoreTest() {
    model::Outbox out;
    core_.recover({}, now_, out);
  }

  Result<model::ReplyBody> ask(model::CommandBody body) {
    model::Outbox out;
    core_.step(model::Command{++token_, "test", std::move(body)}, now_, out);
    core_.settle(now_, out);
    if (out.replies.empty()) return Error(Code::internal, "no reply");
    return std::move(out.replies.front().body);
  }
  static model::SubmitWork submit_of(std::string capability) {
    model::SubmitWork submit;
    submit.spec.capability = std::move(capability);
    submit.spec.description = "say it";
    return submit;
  }
  static model::StartRun run_of(std::string pipeline) {
    model::StartRun start;
    start.pipeline = std::move(pipeline);
    return start;
  }
  static model::LoadFleet fleet() {
    auto agent = std::make_shared<model::AgentSpec>();
    agent->name = "echo";
    agent->command = {"true"};
    agent->capabilities = {"echo"};
    auto pipeline = std::make_shared<model::PipelineSpec>();
    pipeline->name = "review";
    model::StageSpec stage;
    stage.name = "only";
    stage.capability = "echo";
    pipeline->stages = {stage};
    auto spec = std::make_shared<model::FleetSpec>();
    spec->name = "test";
    spec->agents = {agent};
    spec->pipelines = {pipeline};
    return {spec};
  }

  Core core_{CoreSettings{}};
  Now now_{Mono{std::chrono::seconds(100)}, Wall{std::chrono::seconds(1'700'000'000)}};
  model::ReplyToken token_ = 0;
};

TEST_F(CoreTest, B1WhatIsJudgedByTheFleetWaitsUntilItIsLoaded) {
  const std::vector<model::CommandBody> early{submit_of("echo"),   run_of("review"),
                                              model::StopFleet{},  model::RegisterAgent{},
                                              model::RenewAgent{}, model::DeregisterAgent{}};
  for (std::size_t i = 0; i < early.size(); ++i) {
    const auto answer = ask(early[i]);
    ASSERT_FALSE(answer.has_value()) << i;
    EXPECT_EQ(answer.error().code(), Code::unavailable) << i;
    EXPECT_TRUE(answer.error().retryable()) << i;
  }
  ASSERT_TRUE(ask(fleet()).has_value());
  EXPECT_TRUE(ask(submit_of("echo")).has_value());
  EXPECT_TRUE(ask(run_of("review")).has_value());
  EXPECT_EQ(ask(submit_of("other")).error().code(), Code::capability_unknown);
  EXPECT_EQ(ask(run_of("other")).error().code(), Code::pipeline_unknown);
}

TEST_F(CoreTest, AFleetThatCannotBeIsNotLoaded) {
  auto wrong = std::make_shared<model::FleetSpec>(*fleet().fleet);
  auto agent = std::make_shared<model::AgentSpec>(*wrong->agents[0]);
  agent->depends_on = {"echo"};
  wrong->agents = {agent};
  EXPECT_EQ(ask(model::LoadFleet{wrong}).error().code(), Code::config_invalid);
  EXPECT_EQ(ask(submit_of("echo")).error().code(), Code::unavailable);
}

TEST_F(CoreTest, WhatNeedsNoFleetIsAnsweredBeforeItIsLoaded) {
  EXPECT_EQ(ask(model::CancelWork{}).error().code(), Code::not_found);
  EXPECT_EQ(ask(model::CancelRun{}).error().code(), Code::not_found);
}

}  // namespace
}  // namespace mainstay::engine
