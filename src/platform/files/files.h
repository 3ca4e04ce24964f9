// Files as the rest of Mainstay needs them: whole or not at all, private by default, never outside
// the folder they belong to.
//
// Every call retries EINTR and goes on after a short read or write (faults C6). Errors name the
// path and the system's reason: `not_found` when the file does not exist, `storage_full` for
// ENOSPC and EDQUOT (field `errno` tells inodes and quota apart by name), else `io_failed`.
// Any thread.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "platform/files/fd.h"

namespace mainstay::platform {

/// The error of a failed call: `what` is a verb phrase such as "cannot open", `path` may be empty.
Error io_error(std::string_view what, std::string_view path, int error_number);

/// open(2) with O_CLOEXEC added.
Result<Fd> open_file(const std::string& path, int flags, mode_t mode = 0600);

/// The same, of a regular file only: what is a pipe, a socket or a device is `forbidden`, and
/// opening it never waits.
Result<Fd> open_regular_file(const std::string& path, int flags, mode_t mode = 0600);

/// Opens `relative` below the folder `root`: no `..`, no absolute path, no symbolic link, no magic
/// link leads out (openat2 with RESOLVE_BENEATH and RESOLVE_NO_SYMLINKS; a walk with O_NOFOLLOW
/// where the kernel lacks it). `forbidden` when the path would leave the root (faults J7, C10).
Result<Fd> open_beneath(const Fd& root, const std::string& relative, int flags, mode_t mode = 0600);

/// All of it, or `payload_too_large` when there is more than max_bytes.
Result<std::string> read_file(const std::string& path,
                              std::size_t max_bytes = std::size_t{64} << 20);
/// The same, of a regular file only (see open_regular_file).
Result<std::string> read_regular_file(const std::string& path, std::size_t max_bytes);
Result<std::string> read_fd(int fd, std::size_t max_bytes, std::string_view name);
/// The first bytes of it, as many as there are up to `size`; for the kernel's own files, whose
/// length nobody knows.
Result<std::size_t> read_start(int fd, char* buffer, std::size_t size, std::string_view name);

/// Writes every byte; the descriptor must be blocking.
Result<void> write_all(int fd, std::string_view bytes, std::string_view name);

/// After a crash there is either the old content or the new one: temporary file in the same
/// folder, fsync, rename, fsync of the folder.
Result<void> write_file_atomic(const std::string& path, std::string_view content,
                               mode_t mode = 0600);

/// fsync of a folder, so that names made in it survive a power loss.
Result<void> sync_dir(const std::string& path);

/// Makes the folder and its missing parents, mode 0700, and syncs what it made. An existing folder
/// that belongs to this user is set to 0700; one of another user is `forbidden`.
Result<void> make_private_dir(const std::string& path);

/// Makes the folder and its missing parents with the usual mode (0777 less the umask).
Result<void> make_dirs(const std::string& path);

/// Bytes that this user can still write to the file system of `path`.
Result<std::uint64_t> free_bytes(const std::string& path);

/// Makes (or grows) a file whose blocks are really allocated, so that deleting it frees that much.
Result<void> reserve_file(const std::string& path, std::uint64_t bytes);

/// Missing is success.
Result<void> remove_file(const std::string& path);

/// Names in a folder, sorted, without `.` and `..`.
Result<std::vector<std::string>> list_dir(const std::string& path);

bool path_exists(const std::string& path);

}  // namespace mainstay::platform
