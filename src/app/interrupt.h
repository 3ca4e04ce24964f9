// Ctrl-C for commands that watch: they stop watching, not the thing they watch.
#pragma once

#include "base/time.h"

namespace mainstay::app {

/// Waits this long, or until SIGINT or SIGTERM came (also before the call); true when it came.
/// The first call takes the signals over. One thread.
bool interrupted_within(Duration wait);

}  // namespace mainstay::app
