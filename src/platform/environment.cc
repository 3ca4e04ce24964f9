#include "platform/environment.h"

#include <cstdlib>

namespace mainstay::platform {

std::map<std::string, std::string> passable_environment() {
  std::map<std::string, std::string> passed;
  for (const char* name : {"PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "USER"}) {
    if (const char* value = std::getenv(name)) passed.emplace(name, value);
  }
  return passed;
}

std::optional<std::string> environment_variable(const std::string& name) {
  const char* value = std::getenv(name.c_str());
  if (value == nullptr) return std::nullopt;
  return value;
}

std::vector<std::string> environment_list(const std::map<std::string, std::string>& variables) {
  std::vector<std::string> list;
  list.reserve(variables.size());
  for (const auto& [name, value] : variables) list.push_back(name + "=" + value);
  return list;
}

}  // namespace mainstay::platform
