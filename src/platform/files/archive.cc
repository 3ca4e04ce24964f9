#include "platform/files/archive.h"

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <memory>

#include "platform/files/files.h"

namespace mainstay::platform {
namespace {

constexpr std::size_t kBlock = 128 * 1024;

using Writer = std::unique_ptr<archive, decltype(&archive_write_free)>;
using Reader = std::unique_ptr<archive, decltype(&archive_read_free)>;
using Entry = std::unique_ptr<archive_entry, decltype(&archive_entry_free)>;

Error archive_error(archive* a, std::string_view what, const std::string& path) {
  const char* reason = archive_error_string(a);
  return Error(Code::io_failed,
               fmt::format("cannot {} {}: {}", what, path, reason ? reason : "no reason given"));
}

Result<void> add_file(archive* out, const ArchiveEntry& item) {
  auto in = open_regular_file(item.file, O_RDONLY);
  if (!in) return std::move(in).error();
  struct stat info {};
  if (::fstat(in->get(), &info) != 0) return io_error("cannot stat", item.file, errno);
  const Entry entry(archive_entry_new(), archive_entry_free);
  archive_entry_set_pathname(entry.get(), item.path.c_str());
  archive_entry_set_filetype(entry.get(), AE_IFREG);
  archive_entry_set_perm(entry.get(), 0644);
  archive_entry_set_size(entry.get(), info.st_size);
  archive_entry_set_mtime(entry.get(), info.st_mtime, 0);
  if (archive_write_header(out, entry.get()) != ARCHIVE_OK) {
    return archive_error(out, "archive", item.file);
  }
  std::array<char, kBlock> block;
  auto left = static_cast<std::size_t>(info.st_size);
  while (left > 0) {
    const ssize_t n = ::read(in->get(), block.data(), std::min(left, block.size()));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return io_error("cannot read", item.file, errno);
    if (n == 0) return Error(Code::io_failed, item.file + " became shorter while it was archived");
    if (archive_write_data(out, block.data(), static_cast<std::size_t>(n)) != n) {
      return archive_error(out, "archive", item.file);
    }
    left -= static_cast<std::size_t>(n);
  }
  return {};
}

Result<void> write_entries(const std::string& path, const std::vector<ArchiveEntry>& entries) {
  const Writer out(archive_write_new(), archive_write_free);
  archive_write_set_format_pax_restricted(out.get());
  archive_write_add_filter_gzip(out.get());
  archive_write_set_options(out.get(), "gzip:!timestamp");
  if (archive_write_open_filename(out.get(), path.c_str()) != ARCHIVE_OK) {
    return archive_error(out.get(), "write", path);
  }
  for (const ArchiveEntry& item : entries) {
    if (auto added = add_file(out.get(), item); !added) return added;
  }
  if (archive_write_close(out.get()) != ARCHIVE_OK) return archive_error(out.get(), "write", path);
  return {};
}

Result<void> sync_file(const std::string& path) {
  auto file = open_file(path, O_RDONLY);
  if (!file) return std::move(file).error();
  if (::fsync(file->get()) != 0) return io_error("cannot sync", path, errno);
  return {};
}

bool is_unsafe(std::string_view path) {
  if (path.empty() || path.front() == '/') return true;
  std::size_t at = 0;
  while (at <= path.size()) {
    const std::size_t end = std::min(path.find('/', at), path.size());
    if (path.substr(at, end - at) == "..") return true;
    at = end + 1;
  }
  return false;
}

Result<std::string> read_entry(archive* in, const std::string& file) {
  std::string bytes;
  std::array<char, kBlock> block;
  while (true) {
    const la_ssize_t n = archive_read_data(in, block.data(), block.size());
    if (n == 0) return bytes;
    if (n < 0) {
      return Error(Code::archive_invalid, archive_error(in, "read", file).message());
    }
    bytes.append(block.data(), static_cast<std::size_t>(n));
  }
}

}  // namespace

Result<void> write_tar_gz(const std::string& target, const std::vector<ArchiveEntry>& entries) {
  const std::string temporary = target + ".tmp";
  auto written = write_entries(temporary, entries);
  if (written) written = sync_file(temporary);
  if (!written) {
    ::unlink(temporary.c_str());
    return written;
  }
  if (std::rename(temporary.c_str(), target.c_str()) != 0)
    return io_error("cannot rename to", target, errno);
  const std::size_t slash = target.rfind('/');
  return sync_dir(slash == std::string::npos ? "." : target.substr(0, slash));
}

Result<void> read_tar_gz(
    const std::string& file,
    const std::function<void(std::string_view path, std::string bytes)>& visit) {
  const auto readable = open_regular_file(file, O_RDONLY);
  if (!readable) return readable.error();
  const Reader in(archive_read_new(), archive_read_free);
  archive_read_support_filter_gzip(in.get());
  archive_read_support_format_tar(in.get());
  if (archive_read_open_fd(in.get(), readable->get(), kBlock) != ARCHIVE_OK) {
    return Error(Code::archive_invalid, archive_error(in.get(), "read", file).message());
  }
  archive_entry* entry = nullptr;
  while (true) {
    const int status = archive_read_next_header(in.get(), &entry);
    if (status == ARCHIVE_EOF) return {};
    if (status != ARCHIVE_OK) {
      return Error(Code::archive_invalid, archive_error(in.get(), "read", file).message());
    }
    const std::string path = archive_entry_pathname(entry);
    if (is_unsafe(path)) {
      return Error(Code::archive_invalid, file + " holds the unsafe path " + path);
    }
    if (archive_entry_filetype(entry) != AE_IFREG) continue;
    auto bytes = read_entry(in.get(), file);
    if (!bytes) return std::move(bytes).error();
    visit(path, std::move(*bytes));
  }
}

}  // namespace mainstay::platform
