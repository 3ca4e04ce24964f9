// Text for protobuf's string fields, which must be UTF-8, and ids as people write them.
#pragma once

#include <string>
#include <string_view>

namespace mainstay::agent_internal {

/// Every byte that is not part of valid UTF-8 becomes U+FFFD.
std::string clean_utf8(std::string_view text);
/// 16 raw bytes as `0192f3c8-7b1a-7cc3-98c4-dc0c0c07398f`; empty for any other length.
std::string uuid_text(std::string_view raw);

}  // namespace mainstay::agent_internal
