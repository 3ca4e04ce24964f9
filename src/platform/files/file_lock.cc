#include "platform/files/file_lock.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>

#include "base/text.h"
#include "platform/files/files.h"

namespace mainstay::platform {
namespace {

constexpr std::size_t kMaxText = 64;

struct flock whole_file() {
  struct flock range {};
  range.l_type = F_WRLCK;
  range.l_whence = SEEK_SET;
  return range;
}

int pid_in(int fd) {
  char buffer[kMaxText];
  ssize_t got = ::pread(fd, buffer, sizeof buffer, 0);
  if (got <= 0) return 0;
  std::string_view text = base::trim({buffer, static_cast<std::size_t>(got)});
  int pid = 0;
  auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), pid);
  return failed == std::errc{} && end == text.data() + text.size() ? pid : 0;
}

}  // namespace

Result<FileLock> FileLock::acquire(const std::string& path) {
  auto fd = open_file(path, O_RDWR | O_CREAT | O_NOFOLLOW);
  if (!fd) return fd.error();
  struct flock range = whole_file();
  if (::fcntl(fd->get(), F_OFD_SETLK, &range) != 0) {
    if (errno != EAGAIN && errno != EACCES) return io_error("cannot lock", path, errno);
    int pid = pid_in(fd->get());
    std::string who = pid > 0 ? "process " + std::to_string(pid) : "another process";
    return Error(Code::already_running, who + " has " + path).with("pid", std::to_string(pid));
  }
  if (::ftruncate(fd->get(), 0) != 0) return io_error("cannot write", path, errno);
  if (auto written = write_all(fd->get(), std::to_string(::getpid()) + "\n", path); !written) {
    return written.error();
  }
  return FileLock(std::move(*fd));
}

Result<int> FileLock::owner(const std::string& path) {
  auto fd = open_file(path, O_RDONLY | O_NOFOLLOW);
  if (!fd && fd.error().code() == Code::not_found) return 0;
  if (!fd) return fd.error();
  struct flock range = whole_file();
  if (::fcntl(fd->get(), F_OFD_GETLK, &range) != 0) {
    return io_error("cannot look at the lock", path, errno);
  }
  return range.l_type == F_UNLCK ? 0 : pid_in(fd->get());
}

}  // namespace mainstay::platform
