// A SQLite VFS over a MemoryDisk: the simulator's and the tests' databases. No file, no clock, no
// chance of its own: time is the disk's, randomness is seeded, sleeping only moves the disk's time.
//
// Write-ahead logging works as on a real disk, also with several connections: the shared-memory
// methods are there (in memory), so no exclusive locking mode is needed.
//
// SQLite's own random numbers (salts of the log) come from one generator per process; making a
// MemoryVfs seeds it. Only the simulator and tests make one.
//
// Lifetime: outlives every connection opened on it; registered with SQLite under `name` while it
// lives. Threads: any.
#pragma once

#include <memory>
#include <string>

#include "platform/sqlite/memory_disk.h"

namespace mainstay::platform {

class MemoryVfs {
 public:
  /// `name` must be unique among those alive.
  MemoryVfs(std::string name, std::uint64_t seed);
  ~MemoryVfs();
  MemoryVfs(const MemoryVfs&) = delete;
  MemoryVfs& operator=(const MemoryVfs&) = delete;

  const std::string& name() const { return name_; }
  MemoryDisk& disk() { return disk_; }

 private:
  struct Registration;
  struct Handle;
  struct Methods;

  std::string name_;
  MemoryDisk disk_;
  std::unique_ptr<Registration> registration_;
};

}  // namespace mainstay::platform
