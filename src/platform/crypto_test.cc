#include "platform/crypto.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <set>
#include <string>

namespace mainstay::platform {
namespace {

// FIPS 180-4 examples.
TEST(Crypto, Sha256OfKnownTexts) {
  EXPECT_EQ(sha256_hex(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(sha256_hex("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  Sha256 pieces;
  pieces.add("a");
  pieces.add("bc");
  EXPECT_EQ(pieces.finish_hex(), sha256_hex("abc"));
  pieces.add("abc");
  EXPECT_EQ(pieces.finish_hex(), sha256_hex("abc"));
}

// RFC 4648, section 10, without padding and with the URL alphabet.
TEST(Crypto, Base64UrlBothWays) {
  const std::pair<const char*, const char*> cases[] = {
      {"", ""},           {"f", "Zg"},          {"fo", "Zm8"},          {"foo", "Zm9v"},
      {"foob", "Zm9vYg"}, {"fooba", "Zm9vYmE"}, {"foobar", "Zm9vYmFy"}, {"\xff\xef\xfe", "_-_-"}};
  for (auto [plain, text] : cases) {
    EXPECT_EQ(base64url(plain), text);
    EXPECT_EQ(base64url_decode(text), plain);
  }
  for (const char* bad : {"Zg==", "Z", "Zh", "Zm9+", "Zm9 ", "Zm9vYmF/"}) {
    EXPECT_FALSE(base64url_decode(bad)) << bad;
  }
}

TEST(Crypto, TokensAreLongAndDiffer) {
  std::set<std::string> seen;
  for (int i = 0; i < 1000; ++i) {
    auto token = make_token("ms_op_");
    ASSERT_TRUE(token);
    EXPECT_EQ(token->size(), 6U + 43U);
    EXPECT_TRUE(token->starts_with("ms_op_"));
    seen.insert(*token);
  }
  EXPECT_EQ(seen.size(), 1000U);
}

TEST(Crypto, J5ComparesWholeTexts) {
  EXPECT_TRUE(constant_time_equal("", ""));
  EXPECT_TRUE(constant_time_equal("token", "token"));
  EXPECT_FALSE(constant_time_equal("token", "tokem"));
  EXPECT_FALSE(constant_time_equal("token", "token "));
}

/// The fastest of some comparisons of 1 MiB: noise of the machine only ever adds.
std::chrono::nanoseconds fastest(const std::string& a, const std::string& b) {
  auto best = std::chrono::nanoseconds::max();
  for (int i = 0; i < 25; ++i) {
    const auto begin = std::chrono::steady_clock::now();
    const bool equal = constant_time_equal(a, b);
    best = std::min<std::chrono::nanoseconds>(best, std::chrono::steady_clock::now() - begin);
    EXPECT_FALSE(equal);
  }
  return best;
}

// Whoever stops at the first difference is some thousand times as fast where it comes first.
TEST(Crypto, J5ComparingTakesAsLongWhereverTheDifferenceIs) {
  const std::string secret(1 << 20, 'x');
  std::string first = secret;
  first.front() = 'y';
  std::string last = secret;
  last.back() = 'y';
  EXPECT_GT(fastest(secret, first) * 8, fastest(secret, last));
}

}  // namespace
}  // namespace mainstay::platform
