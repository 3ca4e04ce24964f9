// What of the daemon's own environment its processes may see (faults A13): a short list by name,
// so that no secret of the daemon's ever leaks into an agent. Any thread.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace mainstay::platform {

/// Of this process: PATH, HOME, LANG, LC_ALL, TZ, TMPDIR, USER, as far as they are set.
std::map<std::string, std::string> passable_environment();

/// One variable of this process, by name; nullopt when it is not set.
std::optional<std::string> environment_variable(const std::string& name);

/// `NAME=value`, sorted, as spawn() takes it.
std::vector<std::string> environment_list(const std::map<std::string, std::string>& variables);

}  // namespace mainstay::platform
