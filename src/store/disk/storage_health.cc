#include "store/disk/storage_health.h"

#include <string_view>

namespace mainstay::store {
namespace {

std::string_view field(const Error& error, std::string_view key) {
  for (const Error* at = &error; at != nullptr; at = at->cause()) {
    for (const auto& [name, value] : at->fields()) {
      if (name == key) return value;
    }
  }
  return {};
}

}  // namespace

void StorageHealth::begin_with(StorageCondition condition, std::string reason) {
  std::lock_guard lock(mutex_);
  condition_ = condition;
  reason_ = std::move(reason);
  told_ = picture();
}

void StorageHealth::set(StorageCondition condition, std::string reason) {
  std::lock_guard lock(mutex_);
  condition_ = condition;
  reason_ = std::move(reason);
  tell_if_changed();
}

void StorageHealth::set_stalled(bool stalled, std::string reason) {
  std::lock_guard lock(mutex_);
  stalled_ = stalled;
  stall_reason_ = std::move(reason);
  tell_if_changed();
}

model::StorageChanged StorageHealth::picture() const {
  if (stalled_) return {false, false, stall_reason_};
  return {condition_ == StorageCondition::healthy, condition_ == StorageCondition::full, reason_};
}

void StorageHealth::tell_if_changed() {
  model::StorageChanged next = picture();
  const bool same = next.writable == told_.writable && next.full == told_.full;
  // A new reason for the same condition is worth telling, except a stall's that counts seconds.
  if (same && (next.reason == told_.reason || stalled_)) return;
  if (told_.writable && !next.writable) ++troubles_;
  told_ = next;
  if (listener_) listener_(next);
}

model::StorageChanged StorageHealth::now() const {
  std::lock_guard lock(mutex_);
  return picture();
}

StorageCondition StorageHealth::condition() const {
  std::lock_guard lock(mutex_);
  return stalled_ ? StorageCondition::failing : condition_;
}

std::uint64_t StorageHealth::troubles() const {
  std::lock_guard lock(mutex_);
  return troubles_;
}

std::string explain(const Error& error, const std::string& where) {
  const std::string_view number = field(error, "errno");
  const std::string detail = ": " + error.to_text();
  switch (error.code()) {
    case Code::storage_full:
      if (number == "EDQUOT") return "the disk quota of this user in " + where + " is used up";
      return "the disk of " + where + " has no space or no inodes left";
    case Code::storage_corrupt:
      return "the work database in " + where + " is damaged" + detail;
    case Code::unavailable:
      return "another program holds a lock on the work database in " + where;
    default:
      break;
  }
  const std::string_view sqlite = field(error, "sqlite");
  if (number == "EROFS" || sqlite == "8") return "the file system of " + where + " is read-only";
  return "the disk of " + where + " failed" + detail;
}

}  // namespace mainstay::store
