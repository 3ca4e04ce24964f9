// The configuration of a project as it is on disk now: settings and fleet, with all that is wrong.
//
// Reads the files, PATH and the process's environment; one call, one thread. Nothing fails: what
// is wrong is in `problems`. Start nothing unless problems.ok().
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "app/project.h"
#include "config/problems.h"
#include "config/settings.h"
#include "fleet/manifest/manifest.h"
#include "model/fleet.h"

namespace mainstay::app {

struct ProjectConfig {
  config::Settings settings;
  /// Empty when there are errors. A project without fleet.yaml has a fleet without agents.
  std::optional<model::FleetSpec> fleet;
  bool has_fleet_file = false;
  config::Problems problems;
};

/// `sets`: the values of --set, in order.
ProjectConfig load_project_config(const Project& project, const std::vector<std::string>& sets);

/// Answers the manifest's questions from PATH, the file system and this process's environment.
fleet::HostProbe real_host_probe();

}  // namespace mainstay::app
