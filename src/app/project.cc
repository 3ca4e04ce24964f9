#include "app/project.h"

#include <fmt/format.h>

#include <cstdlib>
#include <filesystem>
#include <system_error>

#include "base/text.h"
#include "platform/files.h"
#include "platform/json.h"
#include "platform/process/identity.h"

namespace mainstay::app {
namespace {

namespace fs = std::filesystem;

bool is_project(const fs::path& folder) {
  std::error_code ignored;
  return fs::exists(folder / "fleet.yaml", ignored) ||
         fs::exists(folder / "mainstay.yaml", ignored);
}

Result<Project> project_at(const std::string& path) {
  std::error_code failed;
  const fs::path folder = fs::canonical(path, failed);
  if (failed || !fs::is_directory(folder)) {
    return Error(Code::environment_invalid, fmt::format("{} is not a folder", path))
        .with_hint("name the folder that has fleet.yaml");
  }
  return Project{folder.string()};
}

}  // namespace

Result<Project> find_project(const std::string& chosen) {
  if (!chosen.empty()) return project_at(chosen);
  if (const char* named = std::getenv("MAINSTAY_PROJECT"); named != nullptr && *named != '\0') {
    return project_at(named);
  }
  std::error_code failed;
  for (fs::path at = fs::current_path(failed); !failed; at = at.parent_path()) {
    if (is_project(at)) return Project{at.string()};
    if (!at.has_relative_path()) break;
  }
  return Error(Code::environment_invalid,
               "no project folder: neither this folder nor one above it has a fleet.yaml")
      .with_hint("go to the project's folder, or name it with --project DIR");
}

Result<void> write_daemon_info(const Project& project, const DaemonInfo& info) {
  const platform::JsonObject object{{"pid", info.pid},
                                    {"start_ticks", info.start_ticks},
                                    {"instance", info.instance},
                                    {"http_address", info.http_address},
                                    {"link_address", info.link_address},
                                    {"version", info.version}};
  return platform::write_file_atomic(project.data_file("daemon.json"),
                                     platform::to_pretty_text(object) + "\n");
}

Result<DaemonInfo> read_daemon_info(const Project& project) {
  const Error not_running =
      Error(Code::not_running, fmt::format("no daemon runs for {}", project.folder));
  const auto text = platform::read_file(project.data_file("daemon.json"), 64 * 1024);
  if (!text) return not_running;
  const auto object = platform::parse_json_object(*text);
  if (!object) return not_running;
  const auto text_of = [&](const char* key) -> std::string {
    const auto* value = object->if_contains(key);
    return value != nullptr && value->is_string() ? std::string(value->get_string()) : "";
  };
  const auto number_of = [&](const char* key) -> std::int64_t {
    const auto* value = object->if_contains(key);
    return value != nullptr && value->is_number() ? value->to_number<std::int64_t>() : 0;
  };
  DaemonInfo info;
  info.pid = static_cast<std::int32_t>(number_of("pid"));
  info.start_ticks = static_cast<std::uint64_t>(number_of("start_ticks"));
  info.instance = text_of("instance");
  info.http_address = text_of("http_address");
  info.link_address = text_of("link_address");
  info.version = text_of("version");
  // A daemon that was killed leaves its file; its number may belong to another process by now.
  const auto there = platform::identify(info.pid);
  if (!there || there->start_ticks != info.start_ticks) return not_running;
  return info;
}

}  // namespace mainstay::app
