// Timers of a state machine: the owner keeps keys with a due time and asks which are due. Pure:
// no clock, no thread. One due time per key; setting it again moves it. O(log n) each.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <utility>

#include "base/time.h"

namespace mainstay::base {

template <class Key>
class TimerQueue {
 public:
  void set(const Key& key, Mono due) {
    cancel(key);
    due_of_.emplace(key, due);
    order_.emplace(due, key);
  }
  void cancel(const Key& key) {
    auto found = due_of_.find(key);
    if (found == due_of_.end()) return;
    order_.erase({found->second, key});
    due_of_.erase(found);
  }
  std::optional<Mono> due_of(const Key& key) const {
    auto found = due_of_.find(key);
    if (found == due_of_.end()) return std::nullopt;
    return found->second;
  }
  std::optional<Mono> next_due() const {
    if (order_.empty()) return std::nullopt;
    return order_.begin()->first;
  }
  /// Takes out the earliest key whose time has come; nullopt when none is due at `now`.
  std::optional<Key> pop_due(Mono now) {
    if (order_.empty() || order_.begin()->first > now) return std::nullopt;
    Key key = order_.begin()->second;
    due_of_.erase(key);
    order_.erase(order_.begin());
    return key;
  }
  std::size_t size() const { return due_of_.size(); }

 private:
  std::map<Key, Mono> due_of_;
  std::set<std::pair<Mono, Key>> order_;
};

}  // namespace mainstay::base
