#include "base/assert.h"

#include <cstdio>
#include <cstdlib>

namespace mainstay::base {

void assertion_failed(const char* condition, const char* file, int line, std::string_view reason) {
  std::fprintf(stderr, "mainstay: broken invariant at %s:%d: %.*s (%s)\n", file, line,
               static_cast<int>(reason.size()), reason.data(), condition);
  std::abort();
}

}  // namespace mainstay::base
