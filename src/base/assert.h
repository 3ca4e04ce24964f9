// MS_ASSERT: a broken invariant ends the process with the place and the reason. On in release:
// going on with a state that cannot be is how acknowledged work gets lost.
#pragma once

#include <string_view>

namespace mainstay::base {

[[noreturn]] void assertion_failed(const char* condition, const char* file, int line,
                                   std::string_view reason);

}  // namespace mainstay::base

#define MS_ASSERT(condition, reason)                                                \
  do {                                                                              \
    if (!(condition)) [[unlikely]] {                                                \
      ::mainstay::base::assertion_failed(#condition, __FILE__, __LINE__, (reason)); \
    }                                                                               \
  } while (false)
