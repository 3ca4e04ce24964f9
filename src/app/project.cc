#include "app/project.h"

#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <system_error>

#include "app/views/json_fields.h"
#include "base/text.h"
#include "platform/files/file_lock.h"
#include "platform/files/files.h"
#include "platform/json/json.h"
#include "platform/net/endpoint.h"
#include "platform/process/identity.h"

namespace mainstay::app {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMaxInstanceBytes = 256;

bool is_project(const fs::path& folder) {
  std::error_code ignored;
  return fs::exists(folder / "fleet.yaml", ignored) ||
         fs::exists(folder / "mainstay.yaml", ignored);
}

Result<Project> project_at(const std::string& path) {
  std::error_code failed;
  const fs::path folder = fs::canonical(path, failed);
  if (failed || !fs::is_directory(folder)) {
    return Error(Code::config_invalid,
                 fmt::format("the project: \"{}\" is not a folder", base::excerpt(path, 300)))
        .with_hint("name the folder that has fleet.yaml");
  }
  return Project{folder.string()};
}

/// How many processes of agents outlived the daemon that had started them.
std::size_t left_running(const Project& project) {
  const auto instance = platform::read_file(project.data_file("instance"), kMaxInstanceBytes);
  if (!instance || base::trim(*instance).empty()) return 0;
  const std::string mark = fmt::format("MAINSTAY_INSTANCE={}", base::trim(*instance));
  const auto all = platform::list_processes();
  return static_cast<std::size_t>(
      std::count_if(all.begin(), all.end(), [&](const platform::ProcEntry& entry) {
        return entry.alive() && platform::environment_has(entry.pid, mark);
      }));
}

Error nobody_runs(const Project& project) {
  const std::size_t left = left_running(project);
  if (left == 0) {
    return Error(Code::not_running, fmt::format("no daemon runs for {}", project.folder));
  }
  return Error(Code::not_running,
               fmt::format("no daemon runs for {}, but {} of its agents' processes {}: it was "
                           "killed",
                           project.folder, left, left == 1 ? "does" : "do"))
      .with_hint("`mainstay up --detach` takes them over; `mainstay down` then ends them");
}

// Nobody can be asked. Who holds the lock all the same is starting, stopping, or has lost its file.
Error no_daemon(const Project& project, const std::string& why) {
  const auto owner = platform::FileLock::owner(project.data_file("lock"));
  if (!owner || *owner == 0) return nobody_runs(project);
  return Error(Code::not_running,
               fmt::format("the daemon of {} (process {}) cannot be reached: {}", project.folder,
                           *owner, why.empty() ? "it has not said its address" : why))
      .with_hint(fmt::format("it may be starting or stopping: try again in a moment; if it stays "
                             "so: `kill {}`, then `mainstay up --detach`",
                             *owner));
}

// In the blocks that the file has: it keeps its length, the rest becomes spaces.
Result<void> overwrite(const std::string& path, std::string text) {
  auto former = platform::read_file(path, 64 * 1024);
  if (!former) return std::move(former).error();
  if (text.size() < former->size()) text.resize(former->size(), ' ');
  auto file = platform::open_file(path, O_WRONLY);
  if (!file) return std::move(file).error();
  return platform::write_all(file->get(), text, path);
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
  return Error(Code::config_invalid,
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
  const std::string path = project.data_file("daemon.json");
  const std::string text = platform::to_pretty_text(object) + "\n";
  auto written = platform::write_file_atomic(path, text);
  if (written || written.error().code() != Code::storage_full) return written;
  // The file of a daemon that was killed has its place on the disk already.
  return overwrite(path, text) ? Result<void>() : written;
}

Result<DaemonInfo> read_daemon_info(const Project& project) {
  const std::string path = project.data_file("daemon.json");
  const auto text = platform::read_file(path, 64 * 1024);
  if (!text) {
    if (text.error().code() == Code::not_found) return no_daemon(project, "");
    return Error(Code::forbidden, "cannot tell whether a daemon runs")
        .with_hint("use the account that started it, or set MAINSTAY_URL and MAINSTAY_TOKEN")
        .caused_by(text.error());
  }
  const auto object = platform::parse_json(*text);
  DaemonInfo info;
  if (object) {
    info.pid = static_cast<std::int32_t>(number_of(*object, "pid"));
    info.start_ticks = static_cast<std::uint64_t>(number_of(*object, "start_ticks"));
    info.instance = text_of(*object, "instance");
    info.http_address = text_of(*object, "http_address");
    info.link_address = text_of(*object, "link_address");
    info.version = text_of(*object, "version");
  }
  if (!object || !platform::parse_endpoint(info.http_address)) {
    return no_daemon(project, "daemon.json is damaged");
  }
  // A daemon that was killed leaves its file; its number may belong to another process by now.
  const auto there = platform::identify(info.pid);
  if (!there || there->start_ticks != info.start_ticks || !platform::is_alive(*there)) {
    return no_daemon(project, "");
  }
  return info;
}

}  // namespace mainstay::app
