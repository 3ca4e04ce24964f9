// What no single setting can tell: settings that do not fit together (CFG-4).
#pragma once

#include "config/problems.h"
#include "config/settings.h"

namespace mainstay::config {

void check_settings(const Settings& settings, Problems& problems);

}  // namespace mainstay::config
