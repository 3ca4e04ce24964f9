#include "app/daemon/project_config.h"

#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <map>
#include <string_view>
#include <system_error>

#include "base/text.h"
#include "config/settings_loader.h"

namespace mainstay::app {
namespace {

constexpr const char* kFleetFile = "fleet.yaml";

fleet::ProgramState state_of(const std::string& path) {
  std::error_code failed;
  if (!std::filesystem::is_regular_file(path, failed)) return fleet::ProgramState::missing;
  return ::access(path.c_str(), X_OK) == 0 ? fleet::ProgramState::found
                                           : fleet::ProgramState::not_executable;
}

/// As execvp finds it: the first on PATH that can be run.
fleet::ProgramState find_program(const std::string& program) {
  if (program.find('/') != std::string::npos) return state_of(program);
  const char* path = std::getenv("PATH");
  auto best = fleet::ProgramState::missing;
  for (const std::string_view folder : base::split(path == nullptr ? "" : path, ':')) {
    if (folder.empty()) continue;
    const auto state = state_of(std::string(folder) + "/" + program);
    if (state == fleet::ProgramState::found) return state;
    if (state == fleet::ProgramState::not_executable) best = state;
  }
  return best;
}

std::map<std::string, std::string> process_variables() {
  std::map<std::string, std::string> variables;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    const std::string_view text(*entry);
    const std::size_t equals = text.find('=');
    if (equals != std::string_view::npos) {
      variables.emplace(text.substr(0, equals), text.substr(equals + 1));
    }
  }
  return variables;
}

}  // namespace

fleet::HostProbe real_host_probe() {
  return {.program = find_program,
          .file_exists =
              [](const std::string& path) {
                std::error_code failed;
                return std::filesystem::exists(path, failed);
              },
          .variable_set =
              [](const std::string& name) {
                const char* value = std::getenv(name.c_str());
                return value != nullptr && *value != '\0';
              }};
}

ProjectConfig load_project_config(const Project& project, const std::vector<std::string>& sets) {
  ProjectConfig config;
  config.settings = config::load_settings(
      {.project_dir = project.folder, .variables = process_variables(), .flags = sets},
      config.problems);
  const std::size_t errors_before = config.problems.error_count();
  const auto text = config::read_config_file(project.file(kFleetFile), kFleetFile, config.problems);
  if (!text) {
    if (config.problems.error_count() == errors_before) config.fleet = model::FleetSpec{};
    return config;
  }
  config.has_fleet_file = true;
  const fleet::HostProbe probe = real_host_probe();
  config.fleet = fleet::read_manifest(
      {.text = *text, .file = kFleetFile, .project_dir = project.folder, .probe = &probe},
      config.problems);
  return config;
}

}  // namespace mainstay::app
