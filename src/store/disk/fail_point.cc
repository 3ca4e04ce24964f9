#include "store/disk/fail_point.h"

#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include <atomic>
#include <optional>
#include <string_view>

namespace mainstay::store {
namespace {

struct Choice {
  std::optional<FailPoint> point;
  std::atomic<long> passes_left = 0;

  Choice() {
    const char* text = ::getenv("MAINSTAY_FAIL_POINT");
    if (text == nullptr) return;
    const std::string_view all = text;
    const std::size_t colon = all.find(':');
    point = base::parse_enum<FailPoint>(all.substr(0, colon));
    passes_left = colon == std::string_view::npos ? 1 : ::atol(text + colon + 1);
  }
};

}  // namespace

void pass(FailPoint point) {
  static Choice choice;
  if (!choice.point || *choice.point != point) return;
  if (--choice.passes_left == 0) ::kill(::getpid(), SIGKILL);
}

}  // namespace mainstay::store
