// `mainstay work cancel` and `mainstay runs cancel`.
#include "app/cli/client/daemon_client.h"
#include "app/cli/commands.h"
#include "app/cli/input/short_id.h"
#include "platform/http/message.h"
#include "platform/json/json.h"

namespace mainstay::app {
namespace {

// list: `work` or `runs`.
int cancel(const GlobalOptions& global, const std::string& list, const std::string& id,
           const std::string& reason) {
  auto daemon = DaemonClient::connect(global.project);
  if (!daemon) return report(daemon.error());
  const auto whole = whole_id(*daemon, list, id);
  if (!whole) return report(whole.error());
  platform::JsonObject body;
  if (!reason.empty()) body["reason"] = reason;
  const std::string target = "/v1/" + list + "/" + platform::percent_encode(*whole) + ":cancel";
  auto done = daemon->post(target, platform::to_text(body));
  if (!done) return report(done.error());
  print(global, done->text, "cancelled " + *whole + "\n");
  return kExitDone;
}

}  // namespace

int work_cancel(const GlobalOptions& global, const std::string& id, const std::string& reason) {
  return cancel(global, "work", id, reason);
}

int runs_cancel(const GlobalOptions& global, const std::string& id, const std::string& reason) {
  return cancel(global, "runs", id, reason);
}

}  // namespace mainstay::app
