// open_beneath: see files.h.
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

#include "base/text.h"
#include "platform/files/files.h"

namespace mainstay::platform {
namespace {

Error leaves_root(const std::string& relative) {
  return Error(Code::forbidden, "the path \"" + base::excerpt(relative, 200) +
                                    "\" leads out of its folder or through a symbolic link");
}

/// For kernels without openat2 (before 5.6, or a seccomp profile that refuses it).
Result<Fd> open_by_walking(const Fd& root, const std::string& relative, int flags, mode_t mode) {
  Fd at(::fcntl(root.get(), F_DUPFD_CLOEXEC, 0));
  if (!at) return io_error("cannot open", relative, errno);
  auto parts = base::split(relative, '/');
  for (std::size_t i = 0; i < parts.size(); ++i) {
    if (parts[i].empty() || parts[i] == ".") continue;
    if (parts[i] == "..") return leaves_root(relative);
    bool last = i + 1 == parts.size();
    int step_flags = last ? flags | O_NOFOLLOW : O_PATH | O_DIRECTORY | O_NOFOLLOW;
    Fd next(::openat(at.get(), std::string(parts[i]).c_str(), step_flags | O_CLOEXEC, mode));
    if (!next && (errno == ELOOP || (!last && errno == ENOTDIR))) return leaves_root(relative);
    if (!next) return io_error("cannot open", relative, errno);
    at = std::move(next);
  }
  return at;
}

}  // namespace

Result<Fd> open_beneath(const Fd& root, const std::string& relative, int flags, mode_t mode) {
  bool has_nul = relative.find('\0') != std::string::npos;
  if (relative.empty() || relative.front() == '/' || has_nul) return leaves_root(relative);
  open_how how{};
  how.flags = static_cast<std::uint64_t>(flags | O_CLOEXEC);
  if ((flags & O_CREAT) != 0) how.mode = mode;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
  for (;;) {
    long fd = ::syscall(SYS_openat2, root.get(), relative.c_str(), &how, sizeof how);
    if (fd >= 0) return Fd(static_cast<int>(fd));
    if (errno == ENOSYS || errno == EPERM) return open_by_walking(root, relative, flags, mode);
    if (errno == EXDEV || errno == ELOOP) return leaves_root(relative);
    // EAGAIN: a rename ran at the same time as `..` was resolved (openat2(2)).
    if (errno != EINTR && errno != EAGAIN) return io_error("cannot open", relative, errno);
  }
}

}  // namespace mainstay::platform
