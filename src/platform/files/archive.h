// tar.gz archives that come out the same, byte for byte, for the same files: entries in the given
// order, times of the files in whole seconds, owner 0, no gzip timestamp. Over libarchive.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace mainstay::platform {

/// A file to be put in: where it is, and its path inside.
struct ArchiveEntry {
  std::string file;
  std::string path;
};

/// Writes `target` whole or not at all (temporary file, fsync, rename). A file that grows
/// meanwhile is cut at the size it had; one that vanished is an error.
Result<void> write_tar_gz(const std::string& target, const std::vector<ArchiveEntry>& entries);

/// Reads every regular file of a tar.gz: its path inside and its bytes. Paths that are absolute or
/// climb out with `..` are an error (archive_invalid), as is a damaged archive; what is no regular
/// file is `forbidden`.
Result<void> read_tar_gz(
    const std::string& file,
    const std::function<void(std::string_view path, std::string bytes)>& visit);

}  // namespace mainstay::platform
