// Preloaded into the daemon by tests (LD_PRELOAD): a disk that fails, stalls or is in small pieces,
// as the test says in a page of memory that both share (faults C4, C6, C7, C8).
//
// FAULT_CONTROL names the file of that page; tests/e2e/faulty_disk.py has the other end of it. Only
// files whose path contains `path` are failed and stalled; hiccups (EINTR, and short reads and
// writes of files and pipes) hit everything. Sockets get no short writes: on an edge-triggered
// socket the kernel makes one only when its buffer is full, and tests bring that about themselves.
#include <dlfcn.h>
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>

namespace {

constexpr std::uint64_t kRead = 1;
constexpr std::uint64_t kWrite = 2;
constexpr std::uint64_t kSync = 4;
constexpr std::uint64_t kAllocate = 8;
constexpr int kMaxFd = 1 << 16;

struct Control {
  // Said by the test.
  std::atomic<std::uint64_t> fail;  // operations that fail
  std::atomic<std::uint64_t> error_number;
  std::atomic<std::uint64_t> budget;  // failures left; each takes one
  std::atomic<std::uint64_t> stall;   // operations that do not come back while this is set
  std::atomic<std::uint64_t> one_in;  // hiccups: one call in so many; 0: none
  // Said to the test.
  std::atomic<std::uint64_t> failed;
  std::atomic<std::uint64_t> stalled;
  std::atomic<std::uint64_t> interrupted;
  std::atomic<std::uint64_t> shortened;
  // Syncs tried again on a file whose sync had failed, with nothing written in between.
  std::atomic<std::uint64_t> retried_syncs;
  std::atomic<std::uint64_t> full_sockets;  // sends that took only a part, or nothing
  char path[256];
};

template <class Function>
Function next(const char* name) {
  return reinterpret_cast<Function>(::dlsym(RTLD_NEXT, name));
}

Control* map_control() {
  const char* path = std::getenv("FAULT_CONTROL");
  const int fd = path != nullptr ? ::open(path, O_RDWR | O_CLOEXEC) : -1;
  if (fd < 0) {
    std::fputs("fault_shim: FAULT_CONTROL names no file\n", stderr);
    std::abort();
  }
  void* page = ::mmap(nullptr, sizeof(Control), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (page == MAP_FAILED) std::abort();
  return static_cast<Control*>(page);
}

Control& control() {
  static Control* const mapped = map_control();
  return *mapped;
}

std::atomic<bool> sync_failed[kMaxFd];

bool is_meant(int fd) {
  char link[64];
  char target[4096];
  std::snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  const ssize_t length = ::readlink(link, target, sizeof target - 1);
  if (length < 0) return false;
  target[length] = '\0';
  return std::strstr(target, control().path) != nullptr;
}

void wait_while_stalled(std::uint64_t operation, int fd) {
  if ((control().stall & operation) == 0 || !is_meant(fd)) return;
  ++control().stalled;
  const timespec pause{0, 5'000'000};
  while ((control().stall & operation) != 0) ::nanosleep(&pause, nullptr);
}

bool fails(std::uint64_t operation, int fd) {
  wait_while_stalled(operation, fd);
  if ((control().fail & operation) == 0 || !is_meant(fd)) return false;
  std::uint64_t left = control().budget;
  while (left > 0 && !control().budget.compare_exchange_weak(left, left - 1)) {
  }
  if (left == 0) return false;
  ++control().failed;
  errno = static_cast<int>(control().error_number);
  return true;
}

/// The same draws in each run as far as the threads allow; what counts is that all kinds come.
std::uint64_t draw() {
  thread_local std::uint64_t state = 0x9e3779b97f4a7c15ULL;
  state ^= state << 13;
  state ^= state >> 7;
  state ^= state << 17;
  return state;
}

bool is_drawn() {
  const std::uint64_t one_in = control().one_in;
  return one_in != 0 && draw() % one_in == 0;
}

bool interrupt() {
  ++control().interrupted;
  errno = EINTR;
  return true;
}

mode_t kind_of(int fd) {
  struct stat info {};
  return ::fstat(fd, &info) == 0 ? info.st_mode & S_IFMT : 0;
}

/// Not the kernel's own, such as an eventfd: nothing interrupts a call that cannot wait, and
/// Asio's wake-up rests on that.
bool is_interrupted(int fd) {
  if (!is_drawn()) return false;
  const mode_t kind = kind_of(fd);
  return (kind == S_IFREG || kind == S_IFIFO || kind == S_IFSOCK) && interrupt();
}

std::size_t shortened(int fd, std::size_t size) {
  if (size < 2 || !is_drawn()) return size;
  const mode_t kind = kind_of(fd);
  if (kind != S_IFREG && kind != S_IFIFO) return size;
  ++control().shortened;
  return 1 + draw() % (size - 1);
}

bool known(int fd) { return fd >= 0 && fd < kMaxFd; }

ssize_t sent(ssize_t result, std::size_t asked) {
  if (result < 0 ? errno == EAGAIN : static_cast<std::size_t>(result) < asked) {
    ++control().full_sockets;
  }
  return result;
}

std::size_t size_of(const msghdr* message) {
  std::size_t size = 0;
  for (std::size_t i = 0; i < message->msg_iovlen; ++i) size += message->msg_iov[i].iov_len;
  return size;
}

template <class Sync>
int sync_with(Sync real, int fd) {
  if (known(fd) && sync_failed[fd]) ++control().retried_syncs;
  if (fails(kSync, fd)) {
    if (known(fd)) sync_failed[fd] = true;
    return -1;
  }
  return real(fd);
}

}  // namespace

extern "C" {

int fsync(int fd) {
  static const auto real = next<int (*)(int)>("fsync");
  return sync_with(real, fd);
}

int fdatasync(int fd) {
  static const auto real = next<int (*)(int)>("fdatasync");
  return sync_with(real, fd);
}

int close(int fd) {
  static const auto real = next<int (*)(int)>("close");
  if (known(fd)) sync_failed[fd] = false;
  return real(fd);
}

ssize_t read(int fd, void* buffer, size_t size) {
  static const auto real = next<ssize_t (*)(int, void*, size_t)>("read");
  if (is_interrupted(fd) || fails(kRead, fd)) return -1;
  return real(fd, buffer, shortened(fd, size));
}

ssize_t write(int fd, const void* bytes, size_t size) {
  static const auto real = next<ssize_t (*)(int, const void*, size_t)>("write");
  if (is_interrupted(fd) || fails(kWrite, fd)) return -1;
  if (known(fd)) sync_failed[fd] = false;
  return real(fd, bytes, shortened(fd, size));
}

ssize_t pread64(int fd, void* buffer, size_t size, off64_t at) {
  static const auto real = next<ssize_t (*)(int, void*, size_t, off64_t)>("pread64");
  if (is_interrupted(fd) || fails(kRead, fd)) return -1;
  return real(fd, buffer, shortened(fd, size), at);
}

ssize_t pread(int fd, void* buffer, size_t size, off_t at) { return pread64(fd, buffer, size, at); }

ssize_t pwrite64(int fd, const void* bytes, size_t size, off64_t at) {
  static const auto real = next<ssize_t (*)(int, const void*, size_t, off64_t)>("pwrite64");
  if (is_interrupted(fd) || fails(kWrite, fd)) return -1;
  if (known(fd)) sync_failed[fd] = false;
  return real(fd, bytes, shortened(fd, size), at);
}

ssize_t pwrite(int fd, const void* bytes, size_t size, off_t at) {
  return pwrite64(fd, bytes, size, at);
}

ssize_t readv(int fd, const iovec* parts, int count) {
  static const auto real = next<ssize_t (*)(int, const iovec*, int)>("readv");
  if (is_interrupted(fd) || fails(kRead, fd)) return -1;
  return real(fd, parts, count);
}

ssize_t writev(int fd, const iovec* parts, int count) {
  static const auto real = next<ssize_t (*)(int, const iovec*, int)>("writev");
  if (is_interrupted(fd) || fails(kWrite, fd)) return -1;
  if (known(fd)) sync_failed[fd] = false;
  // Only the first of several parts: as short as a file ever makes it.
  if (count > 1 && shortened(fd, 2) == 1) count = 1;
  return real(fd, parts, count);
}

ssize_t recv(int fd, void* buffer, size_t size, int flags) {
  static const auto real = next<ssize_t (*)(int, void*, size_t, int)>("recv");
  return is_interrupted(fd) ? -1 : real(fd, buffer, size, flags);
}

ssize_t recvmsg(int fd, msghdr* message, int flags) {
  static const auto real = next<ssize_t (*)(int, msghdr*, int)>("recvmsg");
  return is_interrupted(fd) ? -1 : real(fd, message, flags);
}

ssize_t send(int fd, const void* bytes, size_t size, int flags) {
  static const auto real = next<ssize_t (*)(int, const void*, size_t, int)>("send");
  return is_interrupted(fd) ? -1 : sent(real(fd, bytes, size, flags), size);
}

ssize_t sendmsg(int fd, const msghdr* message, int flags) {
  static const auto real = next<ssize_t (*)(int, const msghdr*, int)>("sendmsg");
  return is_interrupted(fd) ? -1 : sent(real(fd, message, flags), size_of(message));
}

int epoll_wait(int fd, epoll_event* events, int count, int timeout) {
  static const auto real = next<int (*)(int, epoll_event*, int, int)>("epoll_wait");
  return is_drawn() && interrupt() ? -1 : real(fd, events, count, timeout);
}

int fallocate64(int fd, int mode, off64_t at, off64_t size) {
  static const auto real = next<int (*)(int, int, off64_t, off64_t)>("fallocate64");
  return fails(kAllocate, fd) ? -1 : real(fd, mode, at, size);
}

int fallocate(int fd, int mode, off_t at, off_t size) { return fallocate64(fd, mode, at, size); }

int posix_fallocate64(int fd, off64_t at, off64_t size) {
  static const auto real = next<int (*)(int, off64_t, off64_t)>("posix_fallocate64");
  return fails(kAllocate, fd) ? static_cast<int>(control().error_number) : real(fd, at, size);
}

int posix_fallocate(int fd, off_t at, off_t size) { return posix_fallocate64(fd, at, size); }

}  // extern "C"
