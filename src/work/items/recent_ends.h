// The items that ended lately, so that a result sent twice can be told from a stale one, and a
// cancel that came too late can say so. Bounded; the oldest are forgotten first.
#pragma once

#include <cstddef>
#include <deque>
#include <unordered_map>

#include "model/ids.h"
#include "model/work.h"

namespace mainstay::work {

class RecentEnds {
 public:
  static constexpr std::size_t kMax = 65'536;

  struct End {
    model::WorkState state = model::WorkState::succeeded;
    /// Whose result was recorded; 0: none was (timed out, cancelled).
    model::Epoch accepted_epoch = 0;
  };

  void add(const model::WorkId& id, End end) {
    if (!ends_.emplace(id, end).second) return;
    order_.push_back(id);
    if (order_.size() <= kMax) return;
    ends_.erase(order_.front());
    order_.pop_front();
  }
  const End* find(const model::WorkId& id) const {
    const auto found = ends_.find(id);
    return found == ends_.end() ? nullptr : &found->second;
  }
  std::size_t size() const { return order_.size(); }

 private:
  std::unordered_map<model::WorkId, End> ends_;
  std::deque<model::WorkId> order_;
};

}  // namespace mainstay::work
