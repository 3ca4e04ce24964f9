// Ctrl-C for commands that watch: they stop watching, not the thing they watch.
#pragma once

#include <string>

#include "base/time.h"

namespace mainstay::app {

/// Waits this long, or until SIGINT or SIGTERM came (also before the call); true when it came.
/// The first call takes the signals over. One thread.
bool interrupted_within(Duration wait);

/// While it lives, SIGINT and SIGTERM end the process with 130 or 143, and these words on stderr:
/// what goes on without it, and how to see or end that. For waits that cannot look for signals
/// themselves. One at a time; a process that ignores SIGINT goes on ignoring it.
class SaidOnInterrupt {
 public:
  explicit SaidOnInterrupt(const std::string& words);
  ~SaidOnInterrupt();
  /// More is known now.
  void say(const std::string& words);
  SaidOnInterrupt(const SaidOnInterrupt&) = delete;
  SaidOnInterrupt& operator=(const SaidOnInterrupt&) = delete;
};

}  // namespace mainstay::app
