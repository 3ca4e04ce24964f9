// The project folder: where fleet.yaml, mainstay.yaml, runs/ and .mainstay/ lie, found like git
// finds its own: the nearest folder upwards that has one of them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/result.h"

namespace mainstay::app {

struct Project {
  /// Absolute.
  std::string folder;

  std::string file(const std::string& name) const { return folder + "/" + name; }
  std::string data() const { return folder + "/.mainstay"; }
  std::string data_file(const std::string& name) const { return data() + "/" + name; }
  std::string runs() const { return folder + "/runs"; }
};

/// `chosen` (--project), else MAINSTAY_PROJECT, else the nearest folder upwards from here.
/// config_invalid when there is none.
Result<Project> find_project(const std::string& chosen);

/// What a running daemon writes to .mainstay/daemon.json for those who look for it.
struct DaemonInfo {
  std::int32_t pid = 0;
  std::uint64_t start_ticks = 0;
  std::string instance;
  /// `127.0.0.1:7000`.
  std::string http_address;
  /// gRPC target of the agent link over TCP; empty: off.
  std::string link_address;
  std::string version;
};

Result<void> write_daemon_info(const Project& project, const DaemonInfo& info);
/// not_running when there is no such file, or no such process any more; forbidden when the file
/// may not be read.
Result<DaemonInfo> read_daemon_info(const Project& project);

}  // namespace mainstay::app
