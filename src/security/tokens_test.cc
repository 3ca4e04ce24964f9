// The operator's token: made once, private, compared in constant time (J5).
#include "security/tokens.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "platform/files/files.h"
#include "platform/files/test_dir.h"

namespace mainstay::security {
namespace {

TEST(OperatorToken, IsMadeOnceAndPrivate) {
  const platform::TestDir dir;
  EXPECT_EQ(read_operator_token(dir.path()).error().code(), Code::not_running);
  const auto made = load_or_make_operator_token(dir.path());
  ASSERT_TRUE(made) << made.error().to_text();
  EXPECT_EQ(made->size(), 6U + 43U);
  EXPECT_EQ(made->substr(0, 6), "ms_op_");
  EXPECT_EQ(*load_or_make_operator_token(dir.path()), *made);
  EXPECT_EQ(*read_operator_token(dir.path()), *made);
  struct stat info {};
  ASSERT_EQ(::stat((dir / "operator.token").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777U, 0600U);
  const platform::TestDir other;
  EXPECT_NE(*load_or_make_operator_token(other.path()), *made);
}

TEST(OperatorToken, AFileThatIsOpenToOthersOrNotATokenIsRefused) {
  const platform::TestDir dir;
  for (const std::string_view content : {"", "ms_op_short\n", "hello"}) {
    ASSERT_TRUE(platform::write_file_atomic(dir / "operator.token", content, 0600));
    EXPECT_EQ(load_or_make_operator_token(dir.path()).error().code(), Code::environment_invalid);
  }
  const std::string token = "ms_op_" + std::string(43, 'A');
  ASSERT_TRUE(platform::write_file_atomic(dir / "operator.token", token, 0600));
  EXPECT_EQ(*load_or_make_operator_token(dir.path()), token);
  ASSERT_EQ(::chmod((dir / "operator.token").c_str(), 0644), 0);
  const auto refused = load_or_make_operator_token(dir.path());
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message(), ::testing::HasSubstr("others"));
}

TEST(TokenCheck, J5KnowsItsTokenOnly) {
  const TokenCheck check("ms_op_secret");
  EXPECT_TRUE(check.matches("ms_op_secret"));
  for (const std::string_view wrong : {"", "ms_op_secre", "ms_op_secret ", "MS_OP_SECRET"}) {
    EXPECT_FALSE(check.matches(wrong)) << wrong;
  }
  EXPECT_EQ(bearer_token("Bearer abc"), "abc");
  EXPECT_EQ(bearer_token("bearer  abc "), "abc");
  for (const std::string_view wrong : {"", "Bearer", "Bearer ", "Basic abc", "abc"}) {
    EXPECT_EQ(bearer_token(wrong), std::nullopt) << wrong;
  }
}

}  // namespace
}  // namespace mainstay::security
