#include "app/python_sdk.h"

#include <filesystem>
#include <system_error>

namespace mainstay::app {

namespace fs = std::filesystem;

std::string own_path() {
  std::error_code failed;
  return fs::read_symlink("/proc/self/exe", failed).string();
}

std::string find_python_sdk() {
  std::error_code failed;
  const fs::path folder = fs::path(own_path()).parent_path();
  for (const fs::path& candidate : {folder / "../lib/mainstay/python", folder / "../../python"}) {
    if (fs::exists(candidate / "mainstay/__init__.py", failed)) {
      return fs::canonical(candidate, failed).string();
    }
  }
  return "";
}

}  // namespace mainstay::app
