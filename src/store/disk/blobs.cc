#include "store/disk/blobs.h"

#include <algorithm>

#include "platform/crypto.h"
#include "platform/files/files.h"
#include "store/disk/fail_point.h"

namespace mainstay::store {
namespace {

// A payload is at most 16 MiB at the edges; fan-ins join many of them.
constexpr std::size_t kMaxBlobBytes = std::size_t{1} << 30;

bool is_name(std::string_view name) {
  return name.size() == 64 && std::all_of(name.begin(), name.end(), [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
         });
}

Error no_such_blob(std::string_view name) {
  return Error(Code::not_found, "there is no blob " + std::string(name));
}

Error damaged(std::string_view name, std::string_view where) {
  return Error(Code::storage_corrupt,
               "the content of blob " + std::string(name) + " does not match its hash")
      .with("path", std::string(where));
}

}  // namespace

Result<std::unique_ptr<DiskBlobs>> DiskBlobs::open(const std::string& dir) {
  Result<void> made = platform::make_private_dir(dir);
  if (!made) return std::move(made).error();
  return std::unique_ptr<DiskBlobs>(new DiskBlobs(dir));
}

std::string DiskBlobs::path_of(std::string_view name) const {
  return dir_ + "/" + std::string(name.substr(0, 2)) + "/" + std::string(name.substr(2));
}

Result<std::string> DiskBlobs::put(std::string_view bytes) {
  std::string name = platform::sha256_hex(bytes);
  const std::string path = path_of(name);
  const std::string folder = dir_ + "/" + name.substr(0, 2);
  // It is read, not only looked for: a damaged one must not pass as this blob. Its name may be from
  // a process that died before it synced the folder.
  if (platform::path_exists(path) && get(name)) {
    Result<void> synced = platform::sync_dir(folder);
    if (!synced) return std::move(synced).error();
    return name;
  }
  Result<void> done = platform::make_private_dir(folder);
  pass(FailPoint::in_blob);
  if (done) done = platform::write_file_atomic(path, bytes);
  if (!done) return std::move(done).error();
  return name;
}

Result<std::string> DiskBlobs::get(std::string_view name) const {
  if (!is_name(name)) return no_such_blob(name);
  Result<std::string> bytes = platform::read_file(path_of(name), kMaxBlobBytes);
  if (!bytes) {
    if (bytes.error().code() == Code::not_found) return no_such_blob(name);
    return bytes;
  }
  if (platform::sha256_hex(*bytes) != name) return damaged(name, path_of(name));
  return bytes;
}

Result<std::string> MemoryBlobs::put(std::string_view bytes) {
  std::string name = platform::sha256_hex(bytes);
  std::lock_guard lock(mutex_);
  content_.emplace(name, bytes);
  return name;
}

Result<std::string> MemoryBlobs::get(std::string_view name) const {
  std::lock_guard lock(mutex_);
  auto found = content_.find(name);
  if (found == content_.end()) return no_such_blob(name);
  return found->second;
}

}  // namespace mainstay::store
