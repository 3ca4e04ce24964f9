#include "app/views/time_text.h"

#include <algorithm>

#include "base/text.h"
#include "platform/clock.h"

namespace mainstay::app {

std::string span_between(const std::string& from, const std::string& to) {
  const auto begin = base::wall_from_text(from);
  if (!begin) return "";
  const Wall end = base::wall_from_text(to).value_or(platform::wall_now());
  return base::duration_for_people(std::max<Duration>(end - *begin, Duration::zero()));
}

std::string age_of(const std::string& moment) { return span_between(moment, ""); }

}  // namespace mainstay::app
