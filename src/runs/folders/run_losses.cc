#include "runs/folders/run_losses.h"

#include <fmt/format.h>

namespace mainstay::runs {

std::string to_text(const Losses& losses, const std::string& fleet_log) {
  if (!losses.any()) return "";
  std::string text = "this folder was not written as the run went on";
  if (!losses.reason.empty()) text += "; it could not be written: " + losses.reason;
  if (losses.vanished_files > 0) {
    text += fmt::format("; {} files were removed or replaced, and what agents said there is lost",
                        losses.vanished_files);
  }
  if (losses.restored > 0) {
    text +=
        fmt::format("; {} lines of events were written later, from the journal", losses.restored);
  }
  if (losses.elsewhere > 0) {
    text += fmt::format("; {} lines of agents are in {}", losses.elsewhere, fleet_log);
  } else if (losses.restored > 0) {
    text += fmt::format("; what agents said meanwhile is in {}, or lost", fleet_log);
  }
  if (losses.spans > 0) text += fmt::format("; {} spans are lost", losses.spans);
  if (losses.late_start) {
    text += "; manifest.json and commit.txt tell of the files at the run's end, not at its start";
  }
  return text;
}

}  // namespace mainstay::runs
