// How the disk does, in one sentence for the operator, and who is told when that changes
// (faults C1, C3, C4, C7, C8).
//
// Any thread. The listener is called with a lock held, so that changes are told in their order: it
// must not call the store.
#pragma once

#include <functional>
#include <mutex>
#include <string>

#include "base/error.h"
#include "model/input.h"

namespace mainstay::store {

// healthy: commits go on. full: they go on in the reserve; no new work should be taken. failing:
// they do not.
enum class StorageCondition { healthy, full, failing };

class StorageHealth {
 public:
  using Listener = std::function<void(const model::StorageChanged&)>;

  explicit StorageHealth(Listener listener) : listener_(std::move(listener)) {}

  /// Before anyone listens.
  void begin_with(StorageCondition condition, std::string reason);
  void set(StorageCondition condition, std::string reason);
  /// A commit takes suspiciously long (true), or has ended after all (false).
  void set_stalled(bool stalled, std::string reason);

  model::StorageChanged now() const;
  StorageCondition condition() const;
  /// Times that the condition became worse than healthy.
  std::uint64_t troubles() const;

 private:
  model::StorageChanged picture() const;
  void tell_if_changed();

  mutable std::mutex mutex_;
  Listener listener_;
  StorageCondition condition_ = StorageCondition::healthy;
  std::string reason_;
  bool stalled_ = false;
  std::string stall_reason_;
  model::StorageChanged told_;
  std::uint64_t troubles_ = 0;
};

/// What a failed commit means, as the operator should read it. `where`: the data folder.
std::string explain(const Error& error, const std::string& where);

}  // namespace mainstay::store
