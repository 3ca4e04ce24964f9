#include "platform/sqlite/sqlite_memory_vfs.h"

#include <sqlite3.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <new>

#include "base/assert.h"

// The functions below have SQLite's contract (https://www.sqlite.org/c3ref/io_methods.html and
// https://www.sqlite.org/c3ref/vfs.html). A handle of an older generation than the disk's belongs
// to a process that is dead: every call fails.
namespace mainstay::platform {

/// SQLite allocates szOsFile bytes and we construct this in them.
struct MemoryVfs::Handle {
  sqlite3_file base;  // first: SQLite sees only this
  MemoryVfs* vfs;
  MemoryDisk::FilePtr file;
  std::shared_ptr<MemoryShm> shm;
  std::uint64_t generation;
  int level;
  int shm_shared;  // bit masks of the shared-memory locks this handle holds
  int shm_exclusive;
  bool delete_on_close;
};

struct MemoryVfs::Methods {
  static Handle& of(sqlite3_file* file) { return *reinterpret_cast<Handle*>(file); }
  static MemoryVfs& of(sqlite3_vfs* vfs) { return *static_cast<MemoryVfs*>(vfs->pAppData); }
  static std::unique_lock<std::mutex> lock(Handle& h) {
    return std::unique_lock(h.vfs->disk_.mutex_);
  }
  static bool dead(const Handle& h) { return h.generation != h.vfs->disk_.generation_; }
  static DiskFault fault(Handle& h, DiskOperation operation, int length) {
    return h.vfs->disk_.fault_of(operation, *h.file, static_cast<std::size_t>(length));
  }

  // ---- a file -----------------------------------------------------------------------------
  static int close(sqlite3_file* file) {
    Handle& h = of(file);
    {
      auto held = lock(h);
      if (!dead(h)) {
        release(h, SQLITE_LOCK_NONE);
        if (h.delete_on_close) h.vfs->disk_.files_.erase(h.file->path);
      }
    }
    h.~Handle();
    return SQLITE_OK;
  }
  static int read(sqlite3_file* file, void* out, int length, sqlite3_int64 offset) {
    Handle& h = of(file);
    auto held = lock(h);
    if (dead(h) || fault(h, DiskOperation::read, length) != DiskFault::none) {
      return SQLITE_IOERR_READ;
    }
    const std::string& content = h.file->content;
    const auto at = static_cast<std::size_t>(offset);
    const auto wanted = static_cast<std::size_t>(length);
    const std::size_t there = at >= content.size() ? 0 : std::min(wanted, content.size() - at);
    if (there > 0) std::memcpy(out, content.data() + at, there);
    if (there == wanted) return SQLITE_OK;
    std::memset(static_cast<char*>(out) + there, 0, wanted - there);
    return SQLITE_IOERR_SHORT_READ;
  }
  static int write(sqlite3_file* file, const void* data, int length, sqlite3_int64 offset) {
    Handle& h = of(file);
    auto held = lock(h);
    if (dead(h)) return SQLITE_IOERR_WRITE;
    std::string_view bytes(static_cast<const char*>(data), static_cast<std::size_t>(length));
    const DiskFault what = fault(h, DiskOperation::write, length);
    if (what == DiskFault::io_error) return SQLITE_IOERR_WRITE;
    if (what == DiskFault::no_space) return SQLITE_FULL;
    if (what == DiskFault::short_write) bytes = bytes.substr(0, bytes.size() / 2);
    h.vfs->disk_.write(*h.file, static_cast<std::uint64_t>(offset), bytes);
    return what == DiskFault::short_write ? SQLITE_FULL : SQLITE_OK;
  }
  static int truncate(sqlite3_file* file, sqlite3_int64 size) {
    Handle& h = of(file);
    auto held = lock(h);
    if (dead(h) || fault(h, DiskOperation::truncate, 0) != DiskFault::none) {
      return SQLITE_IOERR_TRUNCATE;
    }
    h.vfs->disk_.truncate(*h.file, static_cast<std::uint64_t>(size));
    return SQLITE_OK;
  }
  static int sync(sqlite3_file* file, int) {
    Handle& h = of(file);
    auto held = lock(h);
    if (dead(h)) return SQLITE_IOERR_FSYNC;
    MemoryDisk& disk = h.vfs->disk_;
    if (fault(h, DiskOperation::sync, 0) == DiskFault::none) {
      disk.sync(*h.file);
      return SQLITE_OK;
    }
    disk.lose_volatile(
        *h.file, [&disk](std::string_view, std::uint64_t) { return disk.random_.below(2) == 1; });
    return SQLITE_IOERR_FSYNC;
  }
  static int file_size(sqlite3_file* file, sqlite3_int64* size) {
    Handle& h = of(file);
    auto held = lock(h);
    if (dead(h)) return SQLITE_IOERR_FSTAT;
    *size = static_cast<sqlite3_int64>(h.file->content.size());
    return SQLITE_OK;
  }

  // ---- locks ------------------------------------------------------------------------------
  static int acquire(sqlite3_file* file, int level) {
    Handle& h = of(file);
    auto held = lock(h);
    if (dead(h)) return SQLITE_IOERR_LOCK;
    MemoryDisk::File& f = *h.file;
    const auto other = [&h](const void* owner) { return owner != nullptr && owner != &h; };
    if (h.level >= level) return SQLITE_OK;
    if (h.level == SQLITE_LOCK_NONE) {
      if (other(f.pending_lock) || other(f.exclusive)) return SQLITE_BUSY;
      ++f.shared;
      h.level = SQLITE_LOCK_SHARED;
    }
    if (level == SQLITE_LOCK_SHARED) return SQLITE_OK;
    if (level == SQLITE_LOCK_RESERVED) {
      if (other(f.reserved)) return SQLITE_BUSY;
      f.reserved = &h;
      h.level = level;
      return SQLITE_OK;
    }
    if (other(f.pending_lock) || other(f.reserved)) return SQLITE_BUSY;
    f.pending_lock = &h;
    h.level = SQLITE_LOCK_PENDING;
    if (f.shared > 1) return SQLITE_BUSY;
    f.exclusive = &h;
    h.level = SQLITE_LOCK_EXCLUSIVE;
    return SQLITE_OK;
  }
  static void release(Handle& h, int level) {
    MemoryDisk::File& f = *h.file;
    if (h.level <= level) return;
    const auto give_up = [&h](const void*& owner) {
      if (owner == &h) owner = nullptr;
    };
    give_up(f.exclusive);
    give_up(f.pending_lock);
    give_up(f.reserved);
    if (level == SQLITE_LOCK_NONE) --f.shared;
    h.level = level;
  }
  static int unlock(sqlite3_file* file, int level) {
    Handle& h = of(file);
    auto held = lock(h);
    if (!dead(h)) release(h, level);
    return SQLITE_OK;
  }
  static int check_reserved(sqlite3_file* file, int* out) {
    Handle& h = of(file);
    auto held = lock(h);
    *out = h.file->reserved != nullptr ? 1 : 0;
    return SQLITE_OK;
  }
  static int control(sqlite3_file*, int, void*) { return SQLITE_NOTFOUND; }
  static int sector_size(sqlite3_file*) { return 4096; }
  static int characteristics(sqlite3_file*) { return SQLITE_IOCAP_POWERSAFE_OVERWRITE; }

  // ---- shared memory of the write-ahead log -------------------------------------------------
  static int shm_map(sqlite3_file* file, int region, int size, int extend, void volatile** out) {
    Handle& h = of(file);
    auto held = lock(h);
    *out = nullptr;
    if (dead(h)) return SQLITE_IOERR_SHMMAP;
    if (!h.shm) {
      if (!h.file->shm) h.file->shm = std::make_shared<MemoryShm>();
      h.shm = h.file->shm;
      ++h.shm->users;
    }
    auto& regions = h.shm->regions;
    const auto index = static_cast<std::size_t>(region);
    if (index >= regions.size() && extend == 0) return SQLITE_OK;
    while (regions.size() <= index) {
      regions.push_back(std::make_unique<char[]>(static_cast<std::size_t>(size)));
    }
    *out = regions[index].get();
    return SQLITE_OK;
  }
  static int shm_lock(sqlite3_file* file, int first, int count, int flags) {
    Handle& h = of(file);
    auto held = lock(h);
    if (dead(h) || !h.shm) return SQLITE_IOERR_SHMLOCK;
    MemoryShm& shm = *h.shm;
    const bool shared = (flags & SQLITE_SHM_SHARED) != 0;
    int& mine = shared ? h.shm_shared : h.shm_exclusive;
    if ((flags & SQLITE_SHM_UNLOCK) != 0) {
      for (int i = first; i < first + count; ++i) drop(shm, mine, i, shared);
      return SQLITE_OK;
    }
    for (int i = first; i < first + count; ++i) {
      const bool held_by_me = (mine & (1 << i)) != 0;
      const int own_share = (h.shm_shared & (1 << i)) != 0 ? 1 : 0;
      if (held_by_me) continue;
      if (shm.exclusive[i] || (!shared && shm.shared[i] > own_share)) return SQLITE_BUSY;
    }
    for (int i = first; i < first + count; ++i) {
      if ((mine & (1 << i)) != 0) continue;
      mine |= 1 << i;
      if (shared)
        ++shm.shared[i];
      else
        shm.exclusive[i] = true;
    }
    return SQLITE_OK;
  }
  static void drop(MemoryShm& shm, int& mine, int i, bool shared) {
    if ((mine & (1 << i)) == 0) return;
    mine &= ~(1 << i);
    if (shared)
      --shm.shared[i];
    else
      shm.exclusive[i] = false;
  }
  static void shm_barrier(sqlite3_file* file) {
    auto held = lock(of(file));
    std::atomic_thread_fence(std::memory_order_seq_cst);
  }
  static int shm_unmap(sqlite3_file* file, int) {
    Handle& h = of(file);
    auto held = lock(h);
    if (!h.shm) return SQLITE_OK;
    for (int i = 0; i < MemoryShm::kLocks; ++i) {
      drop(*h.shm, h.shm_shared, i, true);
      drop(*h.shm, h.shm_exclusive, i, false);
    }
    // As on a real system: the next one to come after the last one left starts with recovery.
    if (--h.shm->users == 0 && !dead(h)) h.file->shm.reset();
    h.shm.reset();
    return SQLITE_OK;
  }

  // ---- the file system ----------------------------------------------------------------------
  static int open(sqlite3_vfs* vfs, const char* name, sqlite3_file* out, int flags, int* given);
  static int remove(sqlite3_vfs* vfs, const char* name, int) {
    MemoryDisk& disk = of(vfs).disk_;
    std::lock_guard held(disk.mutex_);
    auto found = disk.files_.find(name);
    if (found == disk.files_.end()) return SQLITE_IOERR_DELETE_NOENT;
    if (disk.fault_of(DiskOperation::remove, *found->second, 0) != DiskFault::none) {
      return SQLITE_IOERR_DELETE;
    }
    disk.files_.erase(found);
    return SQLITE_OK;
  }
  static int access(sqlite3_vfs* vfs, const char* name, int, int* out) {
    MemoryDisk& disk = of(vfs).disk_;
    std::lock_guard held(disk.mutex_);
    *out = disk.files_.contains(name) ? 1 : 0;
    return SQLITE_OK;
  }
  static int full_path(sqlite3_vfs*, const char* name, int size, char* out) {
    sqlite3_snprintf(size, out, "%s", name);
    return SQLITE_OK;
  }
  static int randomness(sqlite3_vfs* vfs, int size, char* out) {
    MemoryDisk& disk = of(vfs).disk_;
    std::lock_guard held(disk.mutex_);
    for (int i = 0; i < size; ++i) out[i] = static_cast<char>(disk.random_.next());
    return size;
  }
  static int sleep(sqlite3_vfs* vfs, int micros) {
    MemoryDisk& disk = of(vfs).disk_;
    std::lock_guard held(disk.mutex_);
    disk.wall_ += std::chrono::microseconds(micros);
    return micros;
  }
  static int time(sqlite3_vfs* vfs, sqlite3_int64* out) {
    // Milliseconds since noon of 24 November 4714 BC (Julian day 0), as SQLite counts.
    constexpr sqlite3_int64 kUnixEpoch = 210'866'760'000'000;
    MemoryDisk& disk = of(vfs).disk_;
    std::lock_guard held(disk.mutex_);
    *out = kUnixEpoch + base::to_micros(disk.wall_) / 1000;
    return SQLITE_OK;
  }
  static int last_error(sqlite3_vfs*, int, char*) { return 0; }
};

namespace {
const char* const kNoName = "";
}  // namespace

struct MemoryVfs::Registration {
  sqlite3_vfs vfs{};
  sqlite3_io_methods methods{};
};

int MemoryVfs::Methods::open(sqlite3_vfs* vfs, const char* name, sqlite3_file* out, int flags,
                             int* given) {
  MemoryVfs& self = of(vfs);
  out->pMethods = nullptr;
  std::lock_guard held(self.disk_.mutex_);
  const bool temporary = name == nullptr || std::strcmp(name, kNoName) == 0;
  std::string path = temporary ? "temporary-" + std::to_string(self.disk_.next_temporary_++) : name;
  MemoryDisk::FilePtr file =
      self.disk_.open_or_make(path, temporary || (flags & SQLITE_OPEN_CREATE) != 0);
  if (!file) return SQLITE_CANTOPEN;
  if (self.disk_.fault_of(DiskOperation::open, *file, 0) != DiskFault::none) {
    return SQLITE_CANTOPEN;
  }
  auto* handle = new (out) Handle{};
  handle->base.pMethods = &self.registration_->methods;
  handle->vfs = &self;
  handle->file = std::move(file);
  handle->generation = self.disk_.generation_;
  handle->delete_on_close = temporary || (flags & SQLITE_OPEN_DELETEONCLOSE) != 0;
  if (given != nullptr) *given = flags;
  return SQLITE_OK;
}

MemoryVfs::MemoryVfs(std::string name, std::uint64_t seed)
    : name_(std::move(name)), disk_(seed), registration_(std::make_unique<Registration>()) {
  MS_ASSERT(sqlite3_vfs_find(name_.c_str()) == nullptr, "a VFS of this name exists");
  sqlite3_io_methods& m = registration_->methods;
  m = {2,
       Methods::close,
       Methods::read,
       Methods::write,
       Methods::truncate,
       Methods::sync,
       Methods::file_size,
       Methods::acquire,
       Methods::unlock,
       Methods::check_reserved,
       Methods::control,
       Methods::sector_size,
       Methods::characteristics,
       Methods::shm_map,
       Methods::shm_lock,
       Methods::shm_barrier,
       Methods::shm_unmap,
       nullptr,
       nullptr};
  sqlite3_vfs& v = registration_->vfs;
  v.iVersion = 2;
  v.szOsFile = sizeof(Handle);
  v.mxPathname = 1024;
  v.zName = name_.c_str();
  v.pAppData = this;
  v.xOpen = Methods::open;
  v.xDelete = Methods::remove;
  v.xAccess = Methods::access;
  v.xFullPathname = Methods::full_path;
  v.xRandomness = Methods::randomness;
  v.xSleep = Methods::sleep;
  v.xGetLastError = Methods::last_error;
  v.xCurrentTimeInt64 = Methods::time;
  MS_ASSERT(sqlite3_vfs_register(&v, 0) == SQLITE_OK, "the VFS is not accepted");
  // SQLite has one generator per process and seeds it from the default VFS, whichever VFS is used;
  // this is its own switch to make it repeatable. Zero would mean "not repeatable".
  sqlite3_test_control(SQLITE_TESTCTRL_PRNG_SEED, static_cast<int>(seed | 1), nullptr);
}

MemoryVfs::~MemoryVfs() { sqlite3_vfs_unregister(&registration_->vfs); }

}  // namespace mainstay::platform
