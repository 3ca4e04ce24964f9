// `mainstay config check | get | show | why | reference | schema` (CFG-1 to CFG-4).
//
// The commands print and return the exit code; the answers behind them are values, for tests.
// Exit codes: 0; 2 when the configuration has errors; 4 when there is no such setting.
#pragma once

#include <string>

#include "app/cli/options.h"
#include "app/daemon/project_config.h"

namespace mainstay::app {

struct ConfigOptions {
  std::string key;
  /// `show`: with where each value came from.
  bool origin = false;
};

int config_check(const GlobalOptions& global);
int config_get(const GlobalOptions& global, const ConfigOptions& options);
int config_show(const GlobalOptions& global, const ConfigOptions& options);
int config_why(const GlobalOptions& global, const ConfigOptions& options);
int config_reference(const GlobalOptions& global);
int config_schema(const GlobalOptions& global);

/// What a command prints and returns. `out` is the data, `err` is for people.
struct ConfigAnswer {
  int exit_code = 0;
  std::string out;
  std::string err;
};

ConfigAnswer answer_check(const ProjectConfig& config, OutputForm form);
ConfigAnswer answer_get(const ProjectConfig& config, const std::string& key, OutputForm form);
ConfigAnswer answer_show(const ProjectConfig& config, bool origin, OutputForm form);
ConfigAnswer answer_why(const ProjectConfig& config, const std::string& key, OutputForm form);

}  // namespace mainstay::app
