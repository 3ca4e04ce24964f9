// fleet.yaml: read, checked and turned into a FleetSpec (FLT-1, WRK-8, CFG-4). Every error is
// found in one go, each with its place.
//
// Pure: what must be known of the machine (is the program there?) is asked through a HostProbe that
// the caller gives. One call, one thread.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/enum_text.h"
#include "base/result.h"
#include "config/problems.h"
#include "model/fleet.h"

MS_ENUM_TEXT(fleet, ProgramState, found, missing, not_executable)

namespace mainstay::fleet {

/// Questions about the machine that the fleet will run on.
struct HostProbe {
  /// An absolute path, or a bare name that is looked up on PATH.
  std::function<ProgramState(const std::string& program)> program;
  std::function<bool(const std::string& path)> file_exists;
  /// Whether the daemon's environment has this variable, not empty.
  std::function<bool(const std::string& name)> variable_set;
};

struct ManifestSource {
  std::string_view text;
  /// Its name in messages.
  std::string file = "fleet.yaml";
  /// Absolute; relative commands are resolved against it. Empty: they stay as they are.
  std::string project_dir{};
  /// Null: programs, scripts and variables are not checked.
  const HostProbe* probe = nullptr;
};

/// The fleet, or nullopt when there are errors, all of which are added to `problems`.
std::optional<model::FleetSpec> read_manifest(const ManifestSource& source,
                                              config::Problems& problems);

/// The same for callers that need no list: config_invalid with the first problem.
Result<model::FleetSpec> parse_manifest(std::string_view text);

}  // namespace mainstay::fleet
