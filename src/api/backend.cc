#include "api/backend.h"

#include <algorithm>

namespace mainstay::api {

bool EventFilter::passes(const model::Event& event) const {
  if (!subject.empty() && subject != event.subject) return false;
  const auto fits = [&](const std::string& kind) {
    const bool family = kind.ends_with(".*");
    return family ? event.kind.compare(0, kind.size() - 1, kind, 0, kind.size() - 1) == 0
                  : event.kind == kind;
  };
  return kinds.empty() || std::any_of(kinds.begin(), kinds.end(), fits);
}

}  // namespace mainstay::api
