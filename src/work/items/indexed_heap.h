// A 4-ary heap whose entries know their place, so that any of them can be taken out or moved in
// O(log n). It holds the waiting items of a capability (millions) and the timers of all items.
//
// An entry is 24 bytes and carries its key, so that sifting touches no item. Four children share
// two cache lines, which halves the misses of a binary heap ("The Influence of Caches on the
// Performance of Heaps", LaMarca, Ladner, 1996). Not thread-safe; does not own the items.
#pragma once

#include <algorithm>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/assert.h"

namespace mainstay::work {

/// Smaller comes first. Keys of one heap must differ, else the order would rest on its history.
struct HeapKey {
  std::uint64_t major = 0;
  std::uint64_t minor = 0;

  auto operator<=>(const HeapKey&) const = default;
};

constexpr std::uint32_t kNotInHeap = UINT32_MAX;

/// `Position` is the member of T where this heap keeps the entry's place (kNotInHeap: none).
template <class T, std::uint32_t T::*Position>
class IndexedHeap {
 public:
  bool empty() const { return entries_.empty(); }
  std::size_t size() const { return entries_.size(); }
  T& top() const { return *entries_.front().item; }
  const HeapKey& top_key() const { return entries_.front().key; }

  static bool holds(const T& item) { return item.*Position != kNotInHeap; }

  void push(T& item, HeapKey key) {
    MS_ASSERT(!holds(item), "an item is in a heap once");
    MS_ASSERT(entries_.size() < kNotInHeap, "a heap holds fewer than 2^32 items");
    entries_.push_back({key, &item});
    sift_up(entries_.size() - 1);
  }
  /// Puts the item in, or moves it to its new key.
  void set(T& item, HeapKey key) {
    if (!holds(item)) return push(item, key);
    const std::size_t at = item.*Position;
    const bool earlier = key < entries_[at].key;
    entries_[at].key = key;
    earlier ? sift_up(at) : sift_down(at);
  }
  void remove(T& item) {
    if (!holds(item)) return;
    const std::size_t at = item.*Position;
    item.*Position = kNotInHeap;
    const Entry last = entries_.back();
    entries_.pop_back();
    if (at == entries_.size()) return give_back_room();
    const bool earlier = last.key < entries_[at].key;
    entries_[at] = last;
    earlier ? sift_up(at) : sift_down(at);
    give_back_room();
  }

 private:
  struct Entry {
    HeapKey key;
    T* item;
  };
  static constexpr std::size_t kChildren = 4;
  static constexpr std::size_t kSmall = 1024;

  void place(std::size_t at, const Entry& entry) {
    entries_[at] = entry;
    entry.item->*Position = static_cast<std::uint32_t>(at);
  }
  void sift_up(std::size_t at) {
    const Entry moving = entries_[at];
    while (at > 0) {
      const std::size_t parent = (at - 1) / kChildren;
      if (!(moving.key < entries_[parent].key)) break;
      place(at, entries_[parent]);
      at = parent;
    }
    place(at, moving);
  }
  void sift_down(std::size_t at) {
    const Entry moving = entries_[at];
    for (;;) {
      const std::size_t first = at * kChildren + 1;
      if (first >= entries_.size()) break;
      const std::size_t end = std::min(first + kChildren, entries_.size());
      std::size_t least = first;
      for (std::size_t child = first + 1; child < end; ++child) {
        if (entries_[child].key < entries_[least].key) least = child;
      }
      if (!(entries_[least].key < moving.key)) break;
      place(at, entries_[least]);
      at = least;
    }
    place(at, moving);
  }
  /// A burst of a million items must not keep its room for ever.
  void give_back_room() {
    if (entries_.capacity() > kSmall && entries_.size() < entries_.capacity() / 8) {
      std::vector<Entry> smaller;
      smaller.reserve(entries_.capacity() / 4);
      smaller.assign(entries_.begin(), entries_.end());
      entries_.swap(smaller);
    }
  }

  std::vector<Entry> entries_;
};

}  // namespace mainstay::work
