// A daemon that may go away and come back, for commands that watch what it keeps: a run, an item.
//
// One thread.
#pragma once

#include <functional>
#include <string>

#include "app/cli/client/daemon_client.h"
#include "base/time.h"

namespace mainstay::app {

class PatientClient {
 public:
  /// Waits; true when the person wants no more of it.
  using Pause = std::function<bool(Duration)>;
  /// Tells the person that the daemon went away, or is back.
  using Say = std::function<void(const std::string& line)>;

  /// `project`: what `daemon` was found by. `patience` 0: as DaemonClient.
  PatientClient(DaemonClient daemon, std::string project, Duration patience, Pause pause, Say say);

  /// As DaemonClient::get; while no daemon answers it looks for one, also at another address.
  /// not_running when there was none for as long as the patience lasts; cancelled when Pause says
  /// so.
  Result<Answer> get(const std::string& target);

 private:
  Result<Answer> ask_again(const std::string& target);

  DaemonClient daemon_;
  std::string project_;
  Duration patience_;
  Pause pause_;
  Say say_;
};

}  // namespace mainstay::app
