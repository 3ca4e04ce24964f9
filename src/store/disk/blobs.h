// Large payloads, kept by their content: a blob's name is its SHA-256, so writing one twice is
// harmless and a damaged one is noticed when it is read.
//
// Any thread. Fails: storage_full, storage_failed or io_failed when writing; storage_corrupt when
// the content does not match its name; not_found.
#pragma once

#include <map>
#include <mutex>
#include <string>
#include <string_view>

#include "base/result.h"

namespace mainstay::store {

class Blobs {
 public:
  virtual ~Blobs() = default;

  /// Durable when it returns. Gives the name: 64 hexadecimal digits.
  virtual Result<std::string> put(std::string_view bytes) = 0;
  virtual Result<std::string> get(std::string_view name) const = 0;
};

/// `DIR/ab/cdef…`: temporary file, fsync, rename, fsync of the folder.
class DiskBlobs : public Blobs {
 public:
  /// Makes the folder `dir` (private) when it is missing.
  static Result<std::unique_ptr<DiskBlobs>> open(const std::string& dir);

  Result<std::string> put(std::string_view bytes) override;
  Result<std::string> get(std::string_view name) const override;

 private:
  explicit DiskBlobs(std::string dir) : dir_(std::move(dir)) {}
  std::string path_of(std::string_view name) const;
  std::string dir_;
};

/// For the simulator and tests: survives what its owner survives.
class MemoryBlobs : public Blobs {
 public:
  Result<std::string> put(std::string_view bytes) override;
  Result<std::string> get(std::string_view name) const override;

 private:
  mutable std::mutex mutex_;
  std::map<std::string, std::string, std::less<>> content_;
};

}  // namespace mainstay::store
