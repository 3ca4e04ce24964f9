// What waits for the loop: in order, commands counted, progress bounded, nothing else ever lost.
#include "engine/mailbox.h"

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <variant>

#include "base/random.h"

namespace mainstay::engine {
namespace {

class MailboxTest : public ::testing::Test {
 protected:
  model::WorkId work() { return model::WorkId::make(ids_, Wall{std::chrono::seconds(1)}); }
  static model::AttemptProgress progress(const model::WorkId& work, double fraction,
                                         model::Epoch epoch = 1) {
    return {"agent", work, epoch, fraction, ""};
  }
  static model::AttemptFinished finished(const model::WorkId& work) {
    return {"agent", 1, work, 1, {}};
  }
  void command() {
    mailbox_.put(model::Command{}, [](const Result<model::ReplyBody>&) {});
  }
  /// "c" for a command, "p0.5" for progress, "f" for a result.
  static std::string text_of(const std::vector<Post>& posts) {
    std::string text;
    for (const Post& post : posts) {
      const auto* fact = std::get_if<model::Fact>(&post.input);
      if (fact == nullptr) {
        text += "c ";
      } else if (const auto* told = std::get_if<model::AttemptProgress>(fact)) {
        text += "p" + std::to_string(static_cast<int>(told->fraction * 100)) + " ";
      } else {
        text += "f ";
      }
    }
    return text;
  }

  base::UuidMaker ids_{1};
  Mailbox mailbox_;
};

TEST_F(MailboxTest, C7TheNewestProgressOfAnAttemptTakesThePlaceOfTheEarlier) {
  const model::WorkId one = work();
  const model::WorkId two = work();
  for (int i = 0; i < 1'000'000; ++i) mailbox_.put(progress(one, 0.25));
  mailbox_.put(progress(two, 0.10));
  mailbox_.put(progress(one, 0.50, 2));
  mailbox_.put(finished(one));
  mailbox_.put(progress(one, 0.75));
  EXPECT_EQ(text_of(mailbox_.take(2)), "p75 p10 ");
  mailbox_.put(progress(one, 0.80));
  EXPECT_EQ(text_of(mailbox_.take(100)), "p50 f p80 ");
  EXPECT_EQ(mailbox_.dropped_progress(), 0U);
}

TEST_F(MailboxTest, C7ProgressOfTooManyAttemptsIsDroppedAndCountedAndNothingElseIs) {
  const model::WorkId known = work();
  mailbox_.put(progress(known, 0.1));
  for (std::size_t i = 1; i < Mailbox::kMaxProgress; ++i) mailbox_.put(progress(work(), 0.1));
  for (int i = 0; i < 10; ++i) mailbox_.put(progress(work(), 0.2));
  EXPECT_EQ(mailbox_.size(), Mailbox::kMaxProgress);
  EXPECT_EQ(mailbox_.dropped_progress(), 10U);
  mailbox_.put(progress(known, 0.9));
  EXPECT_EQ(mailbox_.dropped_progress(), 10U) << "it has its place";
  for (int i = 0; i < 10; ++i) mailbox_.put(finished(work()));
  EXPECT_EQ(mailbox_.size(), Mailbox::kMaxProgress + 10);
  EXPECT_EQ(text_of(mailbox_.take(1)), "p90 ");
  mailbox_.put(progress(work(), 0.2));
  EXPECT_EQ(mailbox_.dropped_progress(), 10U) << "there is room again";
}

TEST_F(MailboxTest, CommandsAreTakenOutAndFactsStayInOrder) {
  const model::WorkId one = work();
  command();
  mailbox_.put(progress(one, 0.1));
  command();
  mailbox_.put(finished(one));
  EXPECT_EQ(mailbox_.commands(), 2U);
  EXPECT_EQ(text_of(mailbox_.take_commands()), "c c ");
  EXPECT_EQ(mailbox_.commands(), 0U);
  mailbox_.put(progress(one, 0.3));
  EXPECT_EQ(text_of(mailbox_.take(100)), "p30 f ");
}

TEST_F(MailboxTest, WhatIsPutBackIsWhereItWas) {
  const model::WorkId one = work();
  command();
  mailbox_.put(progress(one, 0.1));
  mailbox_.put(finished(one));
  mailbox_.put_back(mailbox_.take(2));
  mailbox_.put(progress(one, 0.3));
  EXPECT_EQ(mailbox_.commands(), 1U);
  EXPECT_EQ(text_of(mailbox_.take(100)), "c p10 f p30 ");
  EXPECT_TRUE(mailbox_.empty());
}

}  // namespace
}  // namespace mainstay::engine
