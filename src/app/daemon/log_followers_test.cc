// Followers of log files: each gets every line once, and none after it went.
#include "app/daemon/log_followers.h"

#include <gtest/gtest.h>

#include <future>

#include "platform/files/files.h"
#include "platform/files/test_dir.h"

namespace mainstay::app {
namespace {

using namespace std::chrono_literals;

constexpr auto kPatience = 20s;

class LateFollowerTest : public ::testing::Test {
 protected:
  std::shared_ptr<LateFollower> make() {
    return std::make_shared<LateFollower>(
        runs::LogFilter{}, 10, [this](const std::string& line) { line_.set_value(line); },
        [this](const Error& error) {
          handle_.reset();  // as a browser's connection does
          end_.set_value(error.code());
        });
  }
  std::string log() {
    const std::string path = dir_ / "fleet.log";
    EXPECT_TRUE(platform::write_file_atomic(path, "{\"message\":\"one\"}\n").has_value());
    return path;
  }

  platform::TestDir dir_;
  std::promise<std::string> line_;
  std::promise<Code> end_;
  std::shared_ptr<void> handle_;
  LogFollowers followers_;
};

TEST_F(LateFollowerTest, BeginsWhenThePlaceIsFound) {
  auto follower = make();
  handle_ = LateFollower::handle_of(follower);
  follower->found(followers_, log());
  auto line = line_.get_future();
  ASSERT_EQ(line.wait_for(kPatience), std::future_status::ready);
  EXPECT_EQ(line.get(), "{\"message\":\"one\"}");
  handle_.reset();
}

TEST_F(LateFollowerTest, TellsWhyThereIsNoPlace) {
  auto follower = make();
  handle_ = LateFollower::handle_of(follower);
  follower->found(followers_, Error(Code::not_found, "there is no such run"));
  EXPECT_EQ(end_.get_future().get(), Code::not_found);
}

TEST_F(LateFollowerTest, WhoWentBeforeThePlaceWasFoundHearsNothing) {
  auto follower = make();
  handle_ = LateFollower::handle_of(follower);
  handle_.reset();
  follower->found(followers_, Error(Code::not_found, "there is no such run"));
  EXPECT_EQ(end_.get_future().wait_for(0s), std::future_status::timeout);
}

}  // namespace
}  // namespace mainstay::app
