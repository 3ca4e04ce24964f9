#include "app/views/run_view.h"

#include <fmt/format.h>

#include <algorithm>

#include "app/views/json_fields.h"
#include "app/views/output.h"
#include "base/printable.h"
#include "base/text.h"
#include "base/time.h"

namespace mainstay::app {
namespace {

using platform::Json;

constexpr int kBarCells = 12;

std::string words_of(const Json& object, std::string_view key) {
  return base::printable(text_of(object, key));
}

std::string message_of(const Json& object) { return words_of(field(object, "error"), "message"); }

std::string hint_of(const Json& object) {
  return words_of(field(field(object, "error"), "context"), "hint");
}

double seconds_between(const std::string& from, const std::string& to) {
  const auto begin = base::wall_from_text(from);
  const auto end = base::wall_from_text(to);
  return begin && end ? std::max(0.0, std::chrono::duration<double>(*end - *begin).count()) : 0;
}

std::string seconds_text(double seconds) {
  return base::duration_for_people(
      std::chrono::duration_cast<Duration>(std::chrono::duration<double>(seconds)));
}

// Eighths of a cell, so that a slow stage still moves.
std::string bar(std::int64_t done, std::int64_t total) {
  static constexpr const char* kEighths[] = {"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
  const std::int64_t eighths = total <= 0 ? 0 : std::min(done, total) * kBarCells * 8 / total;
  std::string out;
  for (std::int64_t i = 0; i < eighths / 8; ++i) out += "█";
  out += kEighths[eighths % 8];
  const auto width = static_cast<std::int64_t>(display_width(out));
  for (std::int64_t i = width; i < kBarCells; ++i) out += ' ';
  return out;
}

const char* paint(const std::string& state) {
  if (state == "succeeded") return "\x1b[32m";
  if (state == "degraded") return "\x1b[33m";
  if (state == "failed" || state == "cancelled" || state == "timed_out") return "\x1b[31m";
  if (state == "running") return "\x1b[1m";
  return "\x1b[2m";
}

std::string step_text(const StepView& step, double rate) {
  if (step.state == "waiting") return "·";
  if (step.state == "skipped") return "– skipped";
  if (step.state == "running") {
    if (step.total <= 1) return fmt::format("… {}", seconds_text(step.seconds));
    std::string text =
        fmt::format("{} {:>5}/{}", bar(step.done, step.total), step.done, step.total);
    if (rate > 0) text += fmt::format("  {:.0f}/s", rate);
    if (step.retries > 0) text += fmt::format("  {} retries", step.retries);
    return text;
  }
  const char* mark = step.state == "succeeded" ? "✓" : step.state == "degraded" ? "⚠" : "✗";
  std::string text = fmt::format("{} {}", mark, seconds_text(step.seconds));
  if (step.total > 1) text += fmt::format("  {} items", step.total);
  if (step.retries > 0) text += fmt::format("  {} retries", step.retries);
  if (step.state != "succeeded") text += "  " + step.state;
  if (!step.error.empty()) text += ": " + step.error;
  return text;
}

bool went_wrong(const StepView& step) {
  return step.state == "failed" || step.state == "cancelled" || step.state == "timed_out";
}

bool is_done(const StepView& step) {
  return step.state == "succeeded" || step.state == "degraded" || step.state == "skipped";
}

// What must be seen longest comes first.
int rank_of(const StepView& step) {
  if (went_wrong(step)) return 0;
  if (step.state == "running") return 1;
  return step.state == "degraded" ? 2 : 3;
}

// Which stages have a line of their own when there is room for so many, in their order.
std::vector<bool> shown_steps(const std::vector<StepView>& steps, std::size_t room) {
  std::vector<bool> shown(steps.size(), false);
  for (int rank = 0; rank <= 3; ++rank) {
    for (std::size_t i = 0; i < steps.size() && room > 0; ++i) {
      if (rank_of(steps[i]) != rank) continue;
      shown[i] = true;
      --room;
    }
  }
  return shown;
}

// `… 12 stages done, 9 waiting`: those without a line.
std::string count_hidden(const std::vector<StepView>& steps, const std::vector<bool>& shown) {
  std::size_t all = 0;
  std::size_t done = 0;
  std::size_t wrong = 0;
  std::size_t running = 0;
  for (std::size_t i = 0; i < steps.size(); ++i) {
    if (shown[i]) continue;
    ++all;
    if (is_done(steps[i])) ++done;
    if (went_wrong(steps[i])) ++wrong;
    if (steps[i].state == "running") ++running;
  }
  std::vector<std::string> parts;
  const auto add = [&](std::size_t count, const char* what) {
    if (count == 0) return;
    const char* noun = !parts.empty() ? "" : count == 1 ? " stage" : " stages";
    parts.push_back(fmt::format("{}{} {}", count, noun, what));
  };
  add(wrong, "failed");
  add(running, "running");
  add(done, "done");
  add(all - wrong - running - done, "waiting");
  return parts.empty() ? "" : "   … " + base::join(parts, ", ");
}

// Lines for stages in a terminal of so many rows: without the run's own, the hint, the line that
// counts the rest and the one that the cursor stands on.
std::size_t room_for_steps(const RunView& run, int rows) {
  const std::size_t steps = run.steps.size();
  if (rows <= 0) return steps;
  const int room = rows - 2 - (run.hint.empty() ? 0 : 1);
  if (room >= static_cast<int>(steps)) return steps;
  return static_cast<std::size_t>(std::max(0, room - 1));
}

// Cuts by characters, not bytes.
std::string fit(const std::string& text, int columns) {
  if (display_width(text) <= static_cast<std::size_t>(columns)) return text;
  std::string out;
  int width = 0;
  for (std::size_t i = 0; i < text.size() && width < columns - 1; ++width) {
    do {
      out += text[i++];
    } while (i < text.size() && (static_cast<unsigned char>(text[i]) & 0xc0U) == 0x80U);
  }
  return out + "…";
}

}  // namespace

Result<RunView> run_view_of(const Json& json, const std::string& now_text) {
  if (!json.is_object()) return Error(Code::internal, "the daemon's answer is not an object");
  RunView run;
  run.id = words_of(json, "id");
  run.pipeline = words_of(json, "pipeline");
  run.state = words_of(json, "state");
  run.error = message_of(json);
  run.hint = hint_of(json);
  const std::string finished = text_of(json, "finished_at");
  run.seconds =
      seconds_between(text_of(json, "created_at"), finished.empty() ? now_text : finished);
  for (const Json& from : list_of(json, "steps")) {
    StepView step;
    step.stage = words_of(from, "stage");
    step.state = words_of(from, "state");
    step.total = number_of(from, "items_total");
    step.done = number_of(from, "items_done");
    step.failed = number_of(from, "items_failed");
    step.retries = number_of(from, "retries");
    step.error = message_of(from);
    const std::string end = text_of(from, "finished_at");
    step.seconds = seconds_between(text_of(from, "started_at"), end.empty() ? now_text : end);
    const Json& usage = field(from, "usage");
    run.tokens += number_of(usage, "prompt_tokens") + number_of(usage, "completion_tokens");
    run.steps.push_back(std::move(step));
  }
  return run;
}

std::vector<std::string> draw(const RunView& run, const std::map<std::string, double>& rates,
                              ViewStyle style) {
  std::size_t widest = 0;
  std::int64_t retries = 0;
  for (const StepView& step : run.steps) {
    widest = std::max(widest, display_width(step.stage));
    retries += step.retries;
  }
  const auto painted = [&](const std::string& state, const std::string& text) {
    const std::string fitted = fit(text, style.columns);
    return style.colour ? paint(state) + fitted + "\x1b[0m" : fitted;
  };
  std::vector<std::string> lines;
  lines.push_back(painted(run.state, fmt::format(" {} {}  {}  {}  {} retries  {} tokens",
                                                 run.pipeline, run.id.substr(0, 8), run.state,
                                                 seconds_text(run.seconds), retries, run.tokens)));
  const auto shown = shown_steps(run.steps, room_for_steps(run, style.rows));
  for (std::size_t i = 0; i < run.steps.size(); ++i) {
    if (!shown[i]) continue;
    const StepView& step = run.steps[i];
    const auto rate = rates.find(step.stage);
    const std::string pad(widest - display_width(step.stage) + 2, ' ');
    lines.push_back(painted(
        step.state,
        "   " + step.stage + pad + step_text(step, rate == rates.end() ? 0 : rate->second)));
  }
  if (const std::string rest = count_hidden(run.steps, shown); !rest.empty()) {
    lines.push_back(painted("waiting", rest));
  }
  if (!run.hint.empty()) lines.push_back(fit("   hint: " + run.hint, style.columns));
  return lines;
}

std::vector<std::string> changes(const RunView& before, const RunView& now) {
  std::vector<std::string> lines;
  for (const StepView& step : now.steps) {
    const auto old = std::find_if(before.steps.begin(), before.steps.end(),
                                  [&](const StepView& s) { return s.stage == step.stage; });
    const bool known = old != before.steps.end();
    if (step.state == "waiting" || (known && old->state == step.state)) continue;
    if (step.state == "running") {
      lines.push_back(fmt::format("{}: started", step.stage));
    } else {
      lines.push_back(fmt::format("{}: {}", step.stage, step_text(step, 0)));
    }
  }
  if (now.finished() && before.state != now.state) {
    lines.push_back(fmt::format("run {} {} in {}", now.id, now.state, seconds_text(now.seconds)));
    if (!now.hint.empty()) lines.push_back("hint: " + now.hint);
  }
  return lines;
}

}  // namespace mainstay::app
