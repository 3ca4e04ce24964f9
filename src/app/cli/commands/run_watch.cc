#include "app/cli/commands/run_watch.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <map>
#include <string_view>
#include <utility>

#include "app/cli/client/patient_client.h"
#include "app/cli/interrupt.h"
#include "app/views/run_view.h"
#include "base/text.h"
#include "platform/clock.h"

namespace mainstay::app {
namespace {

constexpr auto kLookInterval = std::chrono::milliseconds(150);

// A line that is wider than it seems (some characters take two columns) is cut by the terminal
// instead of wrapped: the frame stays as many rows as it has lines.
constexpr const char* kNoWrap = "\x1b[?7l";
constexpr const char* kWrap = "\x1b[?7h";
constexpr const char* kClearBelow = "\x1b[J";

ViewStyle terminal_style() {
  winsize size{};
  const bool known = ::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0;
  return {known && size.ws_col > 0 ? size.ws_col : 80, std::getenv("NO_COLOR") == nullptr,
          known && size.ws_row > 0 ? size.ws_row : 24};
}

// Whether the live view can be drawn over itself.
bool is_terminal() {
  const char* kind = std::getenv("TERM");
  return kind != nullptr && *kind != '\0' && std::string_view(kind) != "dumb" &&
         ::isatty(STDERR_FILENO) == 1;
}

// Draws the live view over itself on a terminal, or says plain lines elsewhere.
class Watcher {
 public:
  explicit Watcher(bool plain) : live_(!plain && is_terminal()) {}

  void show(const RunView& run) {
    live_ ? redraw(run) : say(run);
    before_ = run;
    looked_at_ = platform::mono_now();
  }

  /// A line that stays; the live view goes on below it.
  void note(const std::string& line) {
    std::fprintf(stderr, "%s\n", line.c_str());
    drawn_ = 0;
  }

 private:
  void say(const RunView& run) {
    for (const std::string& line : changes(before_, run)) {
      std::fprintf(stderr, "%s\n", line.c_str());
    }
  }

  void redraw(const RunView& run) {
    std::map<std::string, double> rates;
    const double seconds = std::chrono::duration<double>(platform::mono_now() - looked_at_).count();
    for (std::size_t i = 0; i < run.steps.size() && i < before_.steps.size(); ++i) {
      const auto done = static_cast<double>(run.steps[i].done - before_.steps[i].done);
      double& rate = smooth_[run.steps[i].stage];
      // A moving average: the last look alone jumps too much to be read.
      rate = rate == 0 ? done / seconds : 0.8 * rate + 0.2 * done / seconds;
      rates[run.steps[i].stage] = rate;
    }
    std::string out;
    if (drawn_ > 0) out += fmt::format("\x1b[{}A", drawn_);
    ViewStyle style = terminal_style();
    if (run.finished()) style.rows = 0;  // nothing is drawn over it, so it may scroll
    const auto lines = draw(run, rates, style);
    out += kNoWrap;
    for (const std::string& line : lines) out += "\x1b[2K" + line + "\n";
    out.append(kWrap).append(kClearBelow);
    drawn_ = lines.size();
    std::fputs(out.c_str(), stderr);
  }

  bool live_;
  RunView before_;
  Mono looked_at_{};
  std::size_t drawn_ = 0;
  std::map<std::string, double> smooth_;
};

}  // namespace

Result<Answer> watch_run(DaemonClient daemon, const std::string& id, const WatchOptions& options) {
  Watcher watcher(options.plain);
  PatientClient client(std::move(daemon), options.project, options.reconnect, interrupted_within,
                       [&](const std::string& line) { watcher.note(line); });
  while (true) {
    auto run = client.get("/v1/runs/" + id);
    if (!run) return run;
    auto view = run_view_of(run->json, base::wall_to_text(platform::wall_now()));
    if (!view) return std::move(view).error();
    watcher.show(*view);
    if (view->finished()) return run;
    if (interrupted_within(kLookInterval)) return Error(Code::cancelled, "interrupted");
  }
}

}  // namespace mainstay::app
