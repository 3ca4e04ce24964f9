#include "runs/log_tail.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <system_error>
#include <utility>

#include "platform/files/files.h"
#include "platform/json/json.h"
#include "runs/log_scan.h"

namespace mainstay::runs {
namespace {

constexpr std::size_t kBlock = 256 * 1024;

// Our lines begin with `{"timestamp":"2026-11-21T…Z"`, which sorts as text.
std::string_view timestamp_of(std::string_view line) {
  constexpr std::string_view kStart = R"({"timestamp":")";
  if (!line.starts_with(kStart)) return {};
  return line.substr(kStart.size(), 27);
}

std::string member(const platform::JsonObject& object, std::string_view key) {
  const auto* value = object.if_contains(key);
  return value != nullptr && value->is_string() ? std::string(value->get_string()) : "";
}

}  // namespace

LogTail::LogTail(std::string place, LogFilter filter)
    : place_(std::move(place)), filter_(std::move(filter)) {}

std::vector<std::string> LogTail::paths() const {
  std::error_code ignored;
  if (!std::filesystem::is_directory(place_, ignored)) return {place_};
  std::vector<std::string> found;
  for (const std::string& file : files_under(place_)) {
    if (file.ends_with(".log")) found.push_back(place_ + "/" + file);
  }
  return found;
}

bool LogTail::passes(std::string_view line) const {
  if (filter_.component.empty() && filter_.agent.empty() &&
      filter_.least == model::LogLevel::DEBUG) {
    return true;
  }
  const auto object = platform::parse_json_object(line);
  if (!object) return false;
  const auto level = base::parse_enum<model::LogLevel>(member(*object, "level"));
  if (!level || *level < filter_.least) return false;
  if (!filter_.agent.empty() && member(*object, "agent") != filter_.agent) return false;
  return filter_.component.empty() || member(*object, "component") == filter_.component;
}

void LogTail::read_from(const std::string& path, std::int64_t& offset,
                        std::vector<std::string>& lines) const {
  auto file = platform::open_file(path, O_RDONLY | O_NOFOLLOW);
  if (!file) return;
  const std::int64_t size = ::lseek(file->get(), 0, SEEK_END);
  // A file that became shorter was replaced: it is read from its beginning.
  if (size < offset) offset = 0;
  std::string pending;
  std::string block(kBlock, '\0');
  std::int64_t at = offset;
  while (at < size) {
    const ssize_t n = ::pread(file->get(), block.data(), block.size(), at);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) break;
    at += n;
    pending.append(block.data(), static_cast<std::size_t>(n));
    std::size_t begin = 0;
    for (std::size_t end; (end = pending.find('\n', begin)) != std::string::npos; begin = end + 1) {
      const std::string_view line = std::string_view(pending).substr(begin, end - begin);
      if (!line.empty() && passes(line)) lines.emplace_back(line);
    }
    pending.erase(0, begin);
  }
  offset = at - static_cast<std::int64_t>(pending.size());
}

std::vector<std::string> LogTail::last(std::size_t count) {
  std::vector<std::string> lines;
  for (const std::string& path : paths()) {
    std::error_code failed;
    const auto size = static_cast<std::int64_t>(std::filesystem::file_size(path, failed));
    std::int64_t offset = failed ? 0 : std::max<std::int64_t>(0, size - kMaxBytes);
    const bool cut = offset > 0;
    const std::size_t before = lines.size();
    read_from(path, offset, lines);
    // The first line of a cut file is most likely the end of one.
    if (cut && lines.size() > before) {
      lines.erase(lines.begin() + static_cast<std::ptrdiff_t>(before));
    }
    offsets_[path] = offset;
  }
  std::stable_sort(lines.begin(), lines.end(), [](const std::string& a, const std::string& b) {
    return timestamp_of(a) < timestamp_of(b);
  });
  if (lines.size() > count) {
    lines.erase(lines.begin(), lines.end() - static_cast<std::ptrdiff_t>(count));
  }
  return lines;
}

std::vector<std::string> LogTail::poll() {
  std::vector<std::string> lines;
  for (const std::string& path : paths()) read_from(path, offsets_[path], lines);
  std::stable_sort(lines.begin(), lines.end(), [](const std::string& a, const std::string& b) {
    return timestamp_of(a) < timestamp_of(b);
  });
  return lines;
}

}  // namespace mainstay::runs
