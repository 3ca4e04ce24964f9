#include "store/disk/reserve.h"

#include <filesystem>
#include <system_error>

#include "platform/files/files.h"

namespace mainstay::store {

Result<void> Reserve::make() {
  if (held_ || !exists()) return {};
  std::error_code none;
  if (std::filesystem::file_size(path_, none) == bytes_ && !none) {
    held_ = true;  // of an earlier start
    return {};
  }
  const std::string folder = std::filesystem::path(path_).parent_path().string();
  Result<std::uint64_t> free = platform::free_bytes(folder);
  if (!free) return std::move(free).error();
  if (*free < bytes_ + bytes_ / 4) {
    return Error(Code::storage_full, "no room for the reserve of results")
        .with("free_bytes", std::to_string(*free))
        .with("reserve_bytes", std::to_string(bytes_));
  }
  Result<void> made = platform::reserve_file(path_, bytes_);
  held_ = made.has_value();
  return made;
}

bool Reserve::release() {
  if (!held_) return false;
  held_ = false;
  return platform::remove_file(path_).has_value();
}

}  // namespace mainstay::store
