// Disk space set aside, so that results can still be recorded when the disk is full (faults C1).
//
// Used by the store's writer only.
#pragma once

#include <cstdint>
#include <string>
#include <utility>

#include "base/result.h"

namespace mainstay::store {

class Reserve {
 public:
  /// `path` empty or `bytes` 0: there is none, and every call says so.
  Reserve(std::string path, std::uint64_t bytes) : path_(std::move(path)), bytes_(bytes) {}

  bool exists() const { return !path_.empty() && bytes_ > 0; }
  bool held() const { return held_; }
  std::uint64_t bytes() const { return bytes_; }

  /// Sets the space aside; storage_full when it is not there, with a quarter to spare so that it is
  /// not given up again at once. Does nothing when it is held.
  Result<void> make();
  /// Gives the space back to the disk; false when there was nothing to give.
  bool release();

 private:
  std::string path_;
  std::uint64_t bytes_;
  bool held_ = false;
};

}  // namespace mainstay::store
