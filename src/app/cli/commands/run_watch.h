// Watching a run until its end: a live view on a terminal, plain lines elsewhere. On stderr, since
// stdout is for data.
#pragma once

#include <string>

#include "app/cli/client/daemon_client.h"
#include "base/time.h"

namespace mainstay::app {

struct WatchOptions {
  /// What the daemon was found by: --project.
  std::string project;
  /// Never draw the live view.
  bool plain = false;
  /// How long to look for a daemon that went away.
  Duration reconnect{};
};

/// The run as the API tells of it, finished. cancelled on Ctrl-C: the run goes on; not_running when
/// the daemon stays away.
Result<Answer> watch_run(DaemonClient daemon, const std::string& id, const WatchOptions& options);

}  // namespace mainstay::app
