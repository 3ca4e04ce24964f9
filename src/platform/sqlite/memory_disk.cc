#include "platform/sqlite/memory_disk.h"

#include <algorithm>

#include "base/assert.h"

namespace mainstay::platform {
namespace {
constexpr std::uint64_t kSector = 512;
}  // namespace

void MemoryDisk::set_fault_hook(FaultHook hook) {
  std::lock_guard lock(mutex_);
  hook_ = std::move(hook);
}

void MemoryDisk::set_wall(Wall wall) {
  std::lock_guard lock(mutex_);
  wall_ = wall;
}

void MemoryDisk::lose_power(const Keep& keep) {
  std::lock_guard lock(mutex_);
  for (auto& [path, file] : files_) {
    lose_volatile(*file, keep);
    file->content = file->durable;
    // Handles of before hold the old file object, so that they cannot reach the new one.
    file = std::make_shared<File>(
        File{path, file->content, file->durable, {}, 0, nullptr, nullptr, nullptr, nullptr});
  }
  ++generation_;
}

void MemoryDisk::lose_power() {
  lose_power([this](std::string_view, std::uint64_t) { return random_.below(2) == 1; });
}

void MemoryDisk::kill_handles() {
  std::lock_guard lock(mutex_);
  for (auto& [path, file] : files_) {
    file = std::make_shared<File>(File{path, file->content, file->durable, file->pending, 0,
                                       nullptr, nullptr, nullptr, nullptr});
  }
  ++generation_;
}

std::uint64_t MemoryDisk::generation() const {
  std::lock_guard lock(mutex_);
  return generation_;
}

bool MemoryDisk::exists(const std::string& path) const {
  std::lock_guard lock(mutex_);
  return files_.contains(path);
}

std::string MemoryDisk::read_all(const std::string& path) const {
  std::lock_guard lock(mutex_);
  auto found = files_.find(path);
  return found == files_.end() ? std::string() : found->second->content;
}

void MemoryDisk::corrupt(const std::string& path, std::uint64_t offset, std::string_view bytes) {
  std::lock_guard lock(mutex_);
  auto found = files_.find(path);
  MS_ASSERT(found != files_.end(), "no such file to corrupt");
  const Change change{offset, std::string(bytes), false};
  apply(found->second->content, change);
  apply(found->second->durable, change);
}

MemoryDisk::Counters MemoryDisk::counters() const {
  std::lock_guard lock(mutex_);
  return counters_;
}

DiskFault MemoryDisk::fault_of(DiskOperation operation, const File& file, std::size_t length) {
  return hook_ ? hook_(operation, file.path, length) : DiskFault::none;
}

MemoryDisk::FilePtr MemoryDisk::open_or_make(const std::string& path, bool create) {
  auto found = files_.find(path);
  if (found != files_.end()) return found->second;
  if (!create) return nullptr;
  auto file = std::make_shared<File>();
  file->path = path;
  files_.emplace(path, file);
  return file;
}

void MemoryDisk::apply(std::string& content, const Change& change) {
  if (change.truncate) {
    if (content.size() > change.offset) content.resize(change.offset);
    return;
  }
  const std::size_t end = change.offset + change.bytes.size();
  if (content.size() < end) content.resize(end);
  std::copy(change.bytes.begin(), change.bytes.end(),
            content.begin() + static_cast<std::ptrdiff_t>(change.offset));
}

void MemoryDisk::write(File& file, std::uint64_t offset, std::string_view bytes) {
  ++counters_.writes;
  counters_.bytes_written += bytes.size();
  file.pending.push_back({offset, std::string(bytes), false});
  apply(file.content, file.pending.back());
}

void MemoryDisk::truncate(File& file, std::uint64_t size) {
  file.pending.push_back({size, {}, true});
  apply(file.content, file.pending.back());
}

void MemoryDisk::sync(File& file) {
  ++counters_.syncs;
  for (const Change& change : file.pending) apply(file.durable, change);
  file.pending.clear();
}

void MemoryDisk::lose_volatile(File& file, const Keep& keep) {
  for (const Change& change : file.pending) {
    if (change.truncate) {
      if (keep(file.path, change.offset)) apply(file.durable, change);
      continue;
    }
    for (std::uint64_t at = 0; at < change.bytes.size();) {
      const std::uint64_t offset = change.offset + at;
      const std::uint64_t length =
          std::min<std::uint64_t>(kSector - offset % kSector, change.bytes.size() - at);
      if (keep(file.path, offset)) {
        apply(file.durable, {offset, change.bytes.substr(at, length), false});
      }
      at += length;
    }
  }
  file.pending.clear();
}

}  // namespace mainstay::platform
