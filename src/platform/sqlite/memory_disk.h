// A disk in memory that can lose power: files with what a reader sees now and what would still be
// there after a power loss. Under the simulator's and the tests' SQLite databases.
//
// The model: a write is volatile until a sync of its file; at a power loss each 512-byte sector of
// each volatile write is kept or dropped by the caller's choice, so writes may be lost, torn and
// reordered. A failed sync settles the fate of the writes before it at once, and a later sync does
// not bring them back: that is how Linux treats pages whose write-back failed. Names (create,
// delete) are durable at once. Deterministic for a seed and a sequence of calls.
//
// Any thread (one mutex).
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "base/random.h"
#include "base/time.h"

namespace mainstay::platform {

enum class DiskOperation { open, read, write, truncate, sync, remove };

/// What a fault hook makes of an operation. short_write: half of the bytes, then "no space".
enum class DiskFault { none, io_error, no_space, short_write };

class MemoryDisk {
 public:
  /// Called before each operation with the file's path and, for reads and writes, the length.
  using FaultHook = std::function<DiskFault(DiskOperation, std::string_view path, std::size_t)>;
  /// True: this sector of a volatile write survives.
  using Keep = std::function<bool(std::string_view path, std::uint64_t offset)>;

  struct File;
  using FilePtr = std::shared_ptr<File>;

  explicit MemoryDisk(std::uint64_t seed) : random_(seed) {}

  void set_fault_hook(FaultHook hook);
  /// The time that SQLite is told; moves on by itself only when SQLite sleeps.
  void set_wall(Wall wall);

  /// Power is lost and comes back: contents become what survives. Every open handle is dead:
  /// its calls fail and change nothing.
  void lose_power(const Keep& keep);
  /// Each volatile sector survives with probability one half.
  void lose_power();
  /// The process is killed, the system lives on: contents stay, every open handle is dead.
  void kill_handles();

  std::uint64_t generation() const;
  bool exists(const std::string& path) const;
  std::string read_all(const std::string& path) const;
  /// Changes bytes behind everyone's back (bit rot); they are durable.
  void corrupt(const std::string& path, std::uint64_t offset, std::string_view bytes);

  struct Counters {
    std::uint64_t writes = 0;
    std::uint64_t bytes_written = 0;
    std::uint64_t syncs = 0;
  };
  Counters counters() const;

 private:
  friend class MemoryVfs;
  struct Change {
    std::uint64_t offset = 0;
    std::string bytes;
    bool truncate = false;  ///< to `offset`
  };

  // Below: with the mutex held.
  DiskFault fault_of(DiskOperation operation, const File& file, std::size_t length);
  FilePtr open_or_make(const std::string& path, bool create);
  void write(File& file, std::uint64_t offset, std::string_view bytes);
  void truncate(File& file, std::uint64_t size);
  void sync(File& file);
  void lose_volatile(File& file, const Keep& keep);
  static void apply(std::string& content, const Change& change);

  mutable std::mutex mutex_;
  std::map<std::string, FilePtr> files_;
  FaultHook hook_;
  base::Random random_;
  Wall wall_{};
  std::uint64_t generation_ = 1;
  std::uint64_t next_temporary_ = 1;
  Counters counters_;
};

/// What connections share of one database's wal-index and its locks.
struct MemoryShm {
  static constexpr int kLocks = 8;
  std::vector<std::unique_ptr<char[]>> regions;
  int shared[kLocks] = {};
  bool exclusive[kLocks] = {};
  int users = 0;
};

struct MemoryDisk::File {
  std::string path;
  std::string content;
  std::string durable;
  std::vector<Change> pending;
  // SQLite's five lock levels (https://www.sqlite.org/lockingv3.html); owners are handles.
  int shared = 0;
  const void* reserved = nullptr;
  const void* pending_lock = nullptr;
  const void* exclusive = nullptr;
  std::shared_ptr<MemoryShm> shm;
};

}  // namespace mainstay::platform
