#include "runs/logs/log_scan.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <string_view>
#include <system_error>

#include "platform/json/json.h"

namespace mainstay::runs {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kLevel = R"("level":")";

// Our own lines have the level in a fixed place, so most need no JSON parser.
std::string_view level_of(std::string_view line) {
  const std::size_t at = line.find(kLevel);
  if (at == std::string_view::npos) return {};
  const std::string_view rest = line.substr(at + kLevel.size());
  return rest.substr(0, rest.find('"'));
}

std::string message_of(std::string_view line) {
  const auto parsed = platform::parse_json_object(line);
  if (!parsed) return "(unreadable line)";
  const auto* message = parsed->if_contains("message");
  if (message == nullptr || !message->is_string()) return "(no message)";
  return std::string(message->get_string());
}

void keep(std::vector<std::string>& list, const std::string& source, std::string_view line) {
  if (list.size() >= LogCounts::kKeep) return;
  list.push_back(source + ": " + message_of(line));
}

void scan_file(const fs::path& path, const std::string& source, LogCounts& counts) {
  std::ifstream in(path);
  std::string line;
  while (std::getline(in, line)) {
    if (line.empty()) continue;
    ++counts.lines;
    const std::string_view level = level_of(line);
    if (level.empty()) {
      ++counts.unreadable;
    } else if (level == "WARNING") {
      ++counts.warnings;
      keep(counts.first_warnings, source, line);
    } else if (level == "ERROR" || level == "CRITICAL") {
      ++counts.errors;
      keep(counts.first_errors, source, line);
    }
  }
}

}  // namespace

std::vector<std::string> files_under(const std::string& folder) {
  std::vector<std::string> files;
  std::error_code failed;
  for (fs::recursive_directory_iterator it(folder, failed), end; !failed && it != end;
       it.increment(failed)) {
    if (it->is_symlink() || !it->is_regular_file()) continue;
    files.push_back(fs::path(it->path()).lexically_relative(folder).string());
  }
  std::sort(files.begin(), files.end());
  return files;
}

LogCounts scan_logs(const std::string& logs_folder) {
  LogCounts counts;
  for (const std::string& file : files_under(logs_folder)) {
    if (!file.ends_with(".log")) continue;
    scan_file(logs_folder + "/" + file, file.substr(0, file.size() - 4), counts);
  }
  return counts;
}

}  // namespace mainstay::runs
