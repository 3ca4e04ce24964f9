#include "platform/files/files.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>

#include "platform/crypto.h"

namespace mainstay::platform {
namespace {

constexpr std::size_t kReadChunk = 64 * 1024;
constexpr mode_t kUsualMode = 0777;
constexpr mode_t kPrivateMode = 0700;

std::string parent_of(const std::string& path) {
  auto slash = path.find_last_of('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

std::string without_trailing_slash(std::string path) {
  while (path.size() > 1 && path.back() == '/') path.pop_back();
  return path;
}

std::string_view kind_of(mode_t mode) {
  if (S_ISDIR(mode)) return "a folder";
  if (S_ISFIFO(mode)) return "a pipe";
  if (S_ISSOCK(mode)) return "a socket";
  return "a device";
}

Result<void> sync_fd(int fd, const std::string& path) {
  // A failed fsync is never retried: the kernel may have dropped the dirty pages (faults C4).
  if (::fsync(fd) != 0) return io_error("cannot sync", path, errno);
  return {};
}

Result<void> make_one_dir(const std::string& path, mode_t mode, bool* made) {
  *made = false;
  if (::mkdir(path.c_str(), mode) == 0) {
    *made = true;
    return {};
  }
  int mkdir_errno = errno;
  struct stat info {};
  if (mkdir_errno == EEXIST && ::stat(path.c_str(), &info) == 0 && S_ISDIR(info.st_mode)) {
    return {};
  }
  return io_error("cannot make the folder", path, mkdir_errno == EEXIST ? ENOTDIR : mkdir_errno);
}

Result<void> make_all_dirs(const std::string& path, mode_t mode) {
  for (std::size_t at = path.find('/', 1);; at = path.find('/', at + 1)) {
    std::string part = path.substr(0, at);
    bool made = false;
    if (auto result = make_one_dir(part, mode, &made); !result) return result;
    if (made) {
      if (auto result = sync_dir(parent_of(part)); !result) return result;
    }
    if (at == std::string::npos) return {};
  }
}

Result<void> fill_temporary(const std::string& path, std::string_view content, mode_t mode) {
  auto file = open_file(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, mode);
  if (!file) return file.error();
  if (auto result = write_all(file->get(), content, path); !result) return result;
  return sync_fd(file->get(), path);
}

}  // namespace

Error io_error(std::string_view what, std::string_view path, int error_number) {
  Code code = Code::io_failed;
  if (error_number == ENOENT) code = Code::not_found;
  if (error_number == ENOSPC || error_number == EDQUOT) code = Code::storage_full;
  std::string message(what);
  if (!path.empty()) message.append(" ").append(path);
  message.append(": ").append(std::strerror(error_number));
  const char* name = strerrorname_np(error_number);
  return Error(code, std::move(message))
      .with("path", std::string(path))
      .with("errno", name != nullptr ? name : std::to_string(error_number));
}

Result<Fd> open_file(const std::string& path, int flags, mode_t mode) {
  for (;;) {
    int fd = ::open(path.c_str(), flags | O_CLOEXEC, mode);
    if (fd >= 0) return Fd(fd);
    if (errno != EINTR) return io_error("cannot open", path, errno);
  }
}

Result<Fd> open_regular_file(const std::string& path, int flags, mode_t mode) {
  // Opening a pipe waits for its other end, unless it is told not to; regular files do not care.
  auto file = open_file(path, flags | O_NONBLOCK, mode);
  if (!file) return file;
  struct stat info {};
  if (::fstat(file->get(), &info) != 0) return io_error("cannot look at", path, errno);
  if (!S_ISREG(info.st_mode)) {
    return Error(Code::forbidden,
                 path + " is " + std::string(kind_of(info.st_mode)) + ", not a regular file")
        .with("path", path)
        .with_hint("remove it, or put the file that belongs there back");
  }
  return file;
}

Result<std::string> read_fd(int fd, std::size_t max_bytes, std::string_view name) {
  std::string content;
  char buffer[kReadChunk];
  for (;;) {
    ssize_t got = ::read(fd, buffer, sizeof buffer);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return io_error("cannot read", name, errno);
    if (got == 0) return content;
    if (content.size() + static_cast<std::size_t>(got) > max_bytes) {
      return Error(Code::payload_too_large,
                   std::string(name) + " has more than " + std::to_string(max_bytes) + " bytes");
    }
    content.append(buffer, static_cast<std::size_t>(got));
  }
}

Result<std::size_t> read_start(int fd, char* buffer, std::size_t size, std::string_view name) {
  std::size_t have = 0;
  while (have < size) {
    ssize_t got = ::read(fd, buffer + have, size - have);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return io_error("cannot read", name, errno);
    if (got == 0) break;
    have += static_cast<std::size_t>(got);
  }
  return have;
}

Result<std::string> read_file(const std::string& path, std::size_t max_bytes) {
  auto file = open_file(path, O_RDONLY);
  if (!file) return file.error();
  return read_fd(file->get(), max_bytes, path);
}

Result<std::string> read_regular_file(const std::string& path, std::size_t max_bytes) {
  auto file = open_regular_file(path, O_RDONLY);
  if (!file) return file.error();
  return read_fd(file->get(), max_bytes, path);
}

Result<void> write_all(int fd, std::string_view bytes, std::string_view name) {
  while (!bytes.empty()) {
    ssize_t written = ::write(fd, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return io_error("cannot write", name, errno);
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  return {};
}

Result<void> sync_dir(const std::string& path) {
  auto dir = open_file(path, O_RDONLY | O_DIRECTORY);
  if (!dir) return dir.error();
  return sync_fd(dir->get(), path);
}

Result<void> write_file_atomic(const std::string& path, std::string_view content, mode_t mode) {
  auto suffix = random_bytes(6);
  if (!suffix) return suffix.error();
  std::string temporary = path + ".tmp-" + base64url(*suffix);
  Result<void> result = fill_temporary(temporary, content, mode);
  if (result && ::rename(temporary.c_str(), path.c_str()) != 0) {
    result = io_error("cannot rename to", path, errno);
  }
  if (!result) {
    ::unlink(temporary.c_str());
    return result;
  }
  return sync_dir(parent_of(path));
}

Result<void> make_private_dir(const std::string& path_given) {
  std::string path = without_trailing_slash(path_given);
  if (auto result = make_all_dirs(path, kPrivateMode); !result) return result;
  auto dir = open_file(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
  if (!dir) return dir.error();
  struct stat info {};
  if (::fstat(dir->get(), &info) != 0) return io_error("cannot look at", path, errno);
  if (info.st_uid != ::geteuid()) {
    return Error(Code::forbidden, path + " belongs to user " + std::to_string(info.st_uid) +
                                      ", not to " + std::to_string(::geteuid()))
        .with_hint("use a folder of your own, or run as its owner");
  }
  if ((info.st_mode & 07777) != kPrivateMode && ::fchmod(dir->get(), kPrivateMode) != 0) {
    return io_error("cannot make private", path, errno);
  }
  return {};
}

Result<void> make_dirs(const std::string& path) {
  return make_all_dirs(without_trailing_slash(path), kUsualMode);
}

Result<std::uint64_t> free_bytes(const std::string& path) {
  struct statvfs info {};
  while (::statvfs(path.c_str(), &info) != 0) {
    if (errno != EINTR) return io_error("cannot ask the free space of", path, errno);
  }
  return static_cast<std::uint64_t>(info.f_bavail) * info.f_frsize;
}

Result<void> reserve_file(const std::string& path, std::uint64_t bytes) {
  auto file = open_file(path, O_RDWR | O_CREAT | O_NOFOLLOW);
  if (!file) return file.error();
  int failed = 0;
  do {
    // posix_fallocate writes zeros where the file system has no fallocate of its own.
    failed = ::posix_fallocate(file->get(), 0, static_cast<off_t>(bytes));
  } while (failed == EINTR);
  if (failed != 0) {
    ::unlink(path.c_str());  // half a reserve would be taken for a whole one
    return io_error("cannot reserve", path, failed);
  }
  return sync_fd(file->get(), path);
}

Result<void> remove_file(const std::string& path) {
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) {
    return io_error("cannot remove", path, errno);
  }
  return {};
}

Result<std::vector<std::string>> list_dir(const std::string& path) {
  auto close_dir = [](DIR* d) { ::closedir(d); };
  std::unique_ptr<DIR, decltype(close_dir)> dir(::opendir(path.c_str()), close_dir);
  if (!dir) return io_error("cannot list", path, errno);
  std::vector<std::string> names;
  for (;;) {
    errno = 0;
    const dirent* entry = ::readdir(dir.get());
    if (entry == nullptr) break;
    std::string_view name = entry->d_name;
    if (name != "." && name != "..") names.emplace_back(name);
  }
  if (errno != 0) return io_error("cannot list", path, errno);
  std::sort(names.begin(), names.end());
  return names;
}

bool path_exists(const std::string& path) {
  struct stat info {};
  return ::lstat(path.c_str(), &info) == 0;
}

}  // namespace mainstay::platform
