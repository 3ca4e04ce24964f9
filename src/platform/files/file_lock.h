// One daemon per data folder (faults B7): a lock that the kernel drops when its owner dies, however
// it dies, so a file left by a crashed daemon never stands in the way.
//
// It is an open-file-description lock (fcntl(2), F_OFD_SETLK) on a file that is never deleted:
// deleting it would let two daemons hold locks on two files of one name. The file's text is the
// owner's pid, for messages only.
#pragma once

#include <string>
#include <utility>

#include "base/result.h"
#include "platform/files/fd.h"

namespace mainstay::platform {

/// Held while the object lives. Not inherited by children (close-on-exec).
class FileLock {
 public:
  /// `already_running` (field `pid`) when another process, or another FileLock of this one, holds
  /// it; the file is not changed then.
  static Result<FileLock> acquire(const std::string& path);

  /// The pid of the process that holds the lock now, 0 when nobody does (or the file is missing).
  /// Only asks: never in the way of an acquire.
  static Result<int> owner(const std::string& path);

 private:
  explicit FileLock(Fd fd) : fd_(std::move(fd)) {}
  Fd fd_;
};

}  // namespace mainstay::platform
