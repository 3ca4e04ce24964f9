#include "app/cli/input/short_id.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace mainstay::app {
namespace {

const std::string kFirst = "0192f3c8-7b1a-7cc3-98c4-dc0c0c07398f";
const std::string kSecond = "0192f3c8-9000-7000-8000-000000000001";
const std::string kOther = "0192f000-7b1a-7cc3-98c4-dc0c0c07398f";

TEST(ShortId, TheLastIdOfABeginning) {
  EXPECT_EQ(last_id_like("0192f3c8"), "0192f3c8-ffff-7fff-bfff-ffffffffffff");
  EXPECT_EQ(last_id_like("0192f3c8-7b1"), "0192f3c8-7b1f-7fff-bfff-ffffffffffff");
  EXPECT_EQ(last_id_like(kFirst), std::nullopt) << "it is whole";
  EXPECT_EQ(last_id_like("019"), std::nullopt) << "too little to mean one";
  EXPECT_EQ(last_id_like("review"), std::nullopt);
  EXPECT_EQ(last_id_like("0192f3c87b1a"), std::nullopt) << "no dash where one belongs";
}

TEST(ShortId, MeansTheOneThatBeginsLikeIt) {
  EXPECT_EQ(only_id_like("0192f3c8", {kFirst, kOther}).value(), kFirst);
  EXPECT_EQ(only_id_like("0192f3c8", {kFirst}).value(), kFirst);
  EXPECT_EQ(only_id_like("0192f3c8", {kOther}).value(), "0192f3c8");
  EXPECT_EQ(only_id_like("0192f3c8", {}).value(), "0192f3c8");
  const auto several = only_id_like("0192f3c8", {kSecond, kFirst});
  ASSERT_FALSE(several.has_value());
  EXPECT_EQ(several.error().code(), Code::invalid_argument);
  EXPECT_THAT(several.error().message(), testing::HasSubstr(kSecond));
}

}  // namespace
}  // namespace mainstay::app
