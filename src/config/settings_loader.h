// Reads the settings of a project from all layers: built-in < mainstay.yaml <
// mainstay.<environment>.yaml < MAINSTAY_* variables < `--set key=value` (CFG-1 to CFG-3).
//
// Reads the two files; everything else comes in the request, so the result depends on nothing
// hidden. Errors go to `problems`, all of them; the settings returned then hold what was valid.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "config/problems.h"
#include "config/settings.h"

namespace mainstay::config {

struct SettingsRequest {
  /// Holds mainstay.yaml and mainstay.<environment>.yaml; either may be missing.
  std::string project_dir{};
  /// The process's variables; only names that begin with MAINSTAY_ are looked at.
  std::map<std::string, std::string> variables{};
  /// `key=value` of every --set, in order.
  std::vector<std::string> flags{};
};

Settings load_settings(const SettingsRequest& request, Problems& problems);

/// MAINSTAY_ENV, or development; an unknown name is a problem that lists the four.
Environment detect_environment(const std::map<std::string, std::string>& variables,
                               Problems& problems);

/// The layers one by one, for tests and tools: what is in the text of one file.
void apply_file(std::string_view text, const std::string& file, Layer layer, Settings& settings,
                Problems& problems);

/// The content of a configuration file; nullopt when there is none or it cannot be read, the latter
/// being a problem. `shown` is its name in messages.
std::optional<std::string> read_config_file(const std::string& path, const std::string& shown,
                                            Problems& problems);

}  // namespace mainstay::config
