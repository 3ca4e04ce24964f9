#include "app/cli/client/patient_client.h"

#include <fmt/format.h>

#include <utility>

#include "base/text.h"
#include "platform/clock.h"

namespace mainstay::app {
namespace {

constexpr auto kLookAgain = std::chrono::milliseconds(250);

}  // namespace

PatientClient::PatientClient(DaemonClient daemon, std::string project, Duration patience,
                             Pause pause, Say say)
    : daemon_(std::move(daemon)),
      project_(std::move(project)),
      patience_(patience),
      pause_(std::move(pause)),
      say_(std::move(say)) {}

Result<Answer> PatientClient::get(const std::string& target) {
  auto answer = daemon_.get(target);
  const bool away = !answer && answer.error().code() == Code::not_running;
  if (!away || patience_ == Duration::zero()) return answer;
  say_(fmt::format("the daemon went away; looking for it for {}",
                   base::duration_for_people(patience_)));
  const Mono until = platform::mono_now() + patience_;
  while (platform::mono_now() < until) {
    if (pause_(kLookAgain)) return Error(Code::cancelled, "interrupted");
    answer = ask_again(target);
    if (answer || answer.error().code() != Code::not_running) {
      say_("the daemon is back");
      return answer;
    }
  }
  return answer;
}

Result<Answer> PatientClient::ask_again(const std::string& target) {
  auto daemon = DaemonClient::connect(project_);
  if (!daemon) return std::move(daemon).error();
  daemon_ = std::move(*daemon);
  return daemon_.get(target);
}

}  // namespace mainstay::app
