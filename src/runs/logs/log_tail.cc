#include "runs/logs/log_tail.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <system_error>
#include <utility>

#include "platform/files/files.h"
#include "platform/json/json.h"
#include "runs/logs/log_backward.h"
#include "runs/logs/log_scan.h"

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

// Most lines need no JSON parser to be passed over: what is not in the text is not a member of it,
// unless something in it is escaped.
bool may_pass(const LogFilter& filter, std::string_view line) {
  const auto lacks = [line](std::string_view text) {
    return line.find(text) == std::string_view::npos;
  };
  if (!lacks("\\")) return true;
  if (lacks(filter.agent) || lacks(filter.component)) return false;
  const auto& levels = base::enum_names<model::LogLevel>();
  return filter.least == model::LogLevel::DEBUG ||
         !std::all_of(levels.begin() + static_cast<std::ptrdiff_t>(filter.least), levels.end(),
                      lacks);
}

struct TimedLine {
  std::string time;
  std::string text;
};

// A line without a time, such as another program's, stays behind the line that it follows.
void add_timed(std::vector<std::string> lines, std::vector<TimedLine>& all) {
  std::string time;
  for (const std::string& line : lines) {
    if (time = timestamp_of(line); !time.empty()) break;
  }
  for (std::string& line : lines) {
    if (const auto own = timestamp_of(line); !own.empty()) time = own;
    all.push_back({time, std::move(line)});
  }
}

std::vector<std::string> in_order(std::vector<TimedLine> all, std::size_t count) {
  std::stable_sort(all.begin(), all.end(),
                   [](const TimedLine& a, const TimedLine& b) { return a.time < b.time; });
  std::vector<std::string> lines;
  const std::size_t first = all.size() - std::min(count, all.size());
  for (std::size_t i = first; i < all.size(); ++i) lines.push_back(std::move(all[i].text));
  return lines;
}

Result<platform::Fd> open_log(const std::string& path) {
  return platform::open_regular_file(path, O_RDONLY | O_NOFOLLOW);
}

}  // namespace

bool LogFilter::passes(std::string_view line) const {
  if (component.empty() && agent.empty() && least == model::LogLevel::DEBUG) return true;
  if (!may_pass(*this, line)) return false;
  const auto object = platform::parse_json_object(line);
  if (!object) return false;
  const auto level = base::parse_enum<model::LogLevel>(member(*object, "level"));
  if (!level || *level < least) return false;
  if (!agent.empty() && member(*object, "agent") != agent) return false;
  return component.empty() || member(*object, "component") == component;
}

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

std::vector<std::string> LogTail::read_from(const std::string& path, std::int64_t& offset) const {
  std::vector<std::string> lines;
  auto file = open_log(path);
  if (!file) return lines;
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
      if (!line.empty() && filter_.passes(line)) lines.emplace_back(line);
    }
    pending.erase(0, begin);
  }
  offset = at - static_cast<std::int64_t>(pending.size());
  return lines;
}

std::vector<std::string> LogTail::last(std::size_t count) {
  std::vector<TimedLine> all;
  for (const std::string& path : paths()) {
    auto file = open_log(path);
    if (!file) continue;
    BackwardLines back(file->get(), ::lseek(file->get(), 0, SEEK_END), kMaxBytes);
    offsets_[path] = back.whole();
    std::vector<std::string> lines;
    std::size_t taken = 0;
    for (std::string_view line; lines.size() < count && taken < kMaxTaken && back.next(line);) {
      if (line.empty() || !filter_.passes(line)) continue;
      lines.emplace_back(line);
      taken += line.size();
    }
    std::reverse(lines.begin(), lines.end());
    add_timed(std::move(lines), all);
  }
  return in_order(std::move(all), count);
}

std::vector<std::string> LogTail::poll() {
  std::vector<TimedLine> all;
  for (const std::string& path : paths()) add_timed(read_from(path, offsets_[path]), all);
  const std::size_t count = all.size();
  return in_order(std::move(all), count);
}

}  // namespace mainstay::runs
