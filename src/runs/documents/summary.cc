#include "runs/documents/summary.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/printable.h"
#include "base/text.h"

namespace mainstay::runs {
namespace {

constexpr std::size_t kColumns = 80;
constexpr std::size_t kMaxSteps = 24;
constexpr std::size_t kMaxMessages = 10;
// So many lines an error may take, for what matters often stands at its end, behind a path. Those
// of many steps get one each: the summary stays at about 10 KB.
constexpr int kErrorLines = 3;
constexpr int kMessageLines = 2;
constexpr std::size_t kManySteps = 8;

const std::string& rule() {
  static const std::string kRule = std::string(kColumns, '=') + "\n";
  return kRule;
}

std::string heading(std::string_view title) { return rule() + std::string(title) + "\n" + rule(); }

// A line never passes the 80th column and is never two; what is cut is marked. Errors, stages and
// models are words of agents.
void add_line(std::string& out, const std::string& line) {
  out += base::excerpt(base::printable(line), kColumns);
  out += '\n';
}

// Where the first line of a text ends: at its last space, or where a character does.
std::size_t line_end(std::string_view text, std::size_t columns) {
  if (text.size() <= columns) return text.size();
  const std::size_t space = text.rfind(' ', columns);
  if (space != std::string_view::npos && space > columns / 2) return space;
  std::size_t end = columns;
  while (end > 1 && (static_cast<unsigned char>(text[end]) & 0xc0U) == 0x80U) --end;
  return end;
}

// The text after the lead, on as many lines as it needs and may have, below each other.
void add_wrapped(std::string& out, std::string_view lead, std::string_view words, int most_lines) {
  const std::string shown = base::printable(words);
  std::string_view text = shown;
  const std::size_t columns = kColumns - lead.size();
  std::string start(lead);
  for (int line = 1; line < most_lines && text.size() > columns; ++line) {
    const std::size_t end = line_end(text, columns);
    add_line(out, start + std::string(text.substr(0, end)));
    text.remove_prefix(end);
    text = base::trim(text);
    start.assign(lead.size(), ' ');
  }
  add_line(out, start + std::string(text));
}

std::string_view result_word(model::StepState state) {
  switch (state) {
    case model::StepState::succeeded:
      return "SUCCESS";
    case model::StepState::degraded:
      return "DEGRADED";
    case model::StepState::failed:
      return "FAILED";
    case model::StepState::skipped:
      return "SKIPPED";
    case model::StepState::cancelled:
      return "CANCELLED";
    case model::StepState::waiting:
    case model::StepState::running:
      break;
  }
  return "UNFINISHED";
}

std::string upper(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(), [](char c) {
    return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  });
  return out;
}

std::string seconds_text(Wall wall) { return base::wall_to_text(wall).substr(0, 19) + "Z"; }

void add_head(std::string& out, const RunReport& report) {
  out += heading("EXPERIMENT RUN SUMMARY");
  add_line(out, "Run:       " + report.run_id);
  add_line(out,
           fmt::format("Pipeline:  {} (version {})", report.pipeline, report.pipeline_version));
  add_line(out, "Framework: " + report.framework);
  add_line(out, "Model:     " + (report.models.empty() ? "none" : base::join(report.models, ", ")));
  add_line(out, "Start:     " + seconds_text(report.started_at));
  add_line(out, "End:       " + seconds_text(report.finished_at));
  add_line(out, "Duration:  " + base::duration_for_people(report.finished_at - report.started_at));
  add_line(out, "Result:    " + upper(to_text(report.state)));
  if (!report.error.empty()) add_wrapped(out, "Error:     ", report.error, kErrorLines);
  out += '\n';
}

void add_step(std::string& out, const StepReport& step, int error_lines) {
  if (step.number == 0) {
    add_line(out, fmt::format("Step ---: {} {}", result_word(step.state), step.stage));
    return;
  }
  add_line(out, fmt::format("Step {:03}: {} (duration: {}, retries: {})", step.number,
                            result_word(step.state), base::duration_for_people(step.duration),
                            step.retries));
  add_line(out, fmt::format("  - Stage: {}{}", step.stage,
                            step.items_total > 1 ? fmt::format(" ({} items, {} failed)",
                                                               step.items_total, step.items_failed)
                                                 : std::string()));
  const model::Usage& usage = step.usage;
  if (usage.api_calls > 0) add_line(out, fmt::format("  - API calls: {}", usage.api_calls));
  if (usage.llm_requests > 0 || usage.total_tokens() > 0) {
    add_line(out, fmt::format("  - Tokens: {} prompt, {} completion, {} total", usage.prompt_tokens,
                              usage.completion_tokens, usage.total_tokens()));
    add_line(out, fmt::format("  - LLM requests: {}", usage.llm_requests));
  } else {
    add_line(out, "  - Note: Template-based generation (no LLM calls)");
  }
  if (!step.error.empty()) add_wrapped(out, "  - Error: ", step.error, error_lines);
}

void add_messages(std::string& out, std::string_view title, std::int64_t count,
                  const std::vector<std::string>& lines) {
  add_line(out, fmt::format("{}: {}", title, count));
  const std::size_t shown = std::min(lines.size(), kMaxMessages);
  for (std::size_t i = 0; i < shown; ++i) add_wrapped(out, "  - ", lines[i], kMessageLines);
  const std::int64_t rest = count - static_cast<std::int64_t>(shown);
  if (rest > 0) add_line(out, fmt::format("  - ({} more in the logs)", rest));
}

}  // namespace

std::string render_summary(const RunReport& report) {
  std::string out;
  add_head(out, report);
  out += heading("STEP EXECUTION SUMMARY");
  const std::size_t shown = std::min(report.steps.size(), kMaxSteps);
  model::Usage total;
  for (const StepReport& step : report.steps) total.add(step.usage);
  const int error_lines = report.steps.size() > kManySteps ? 1 : kErrorLines;
  for (std::size_t i = 0; i < shown; ++i) add_step(out, report.steps[i], error_lines);
  if (report.steps.size() > shown) {
    add_line(out, fmt::format("({} more steps in metrics.json)", report.steps.size() - shown));
  }
  out += '\n';
  add_line(out, fmt::format("Total: {} API calls, {} LLM requests, {} tokens", total.api_calls,
                            total.llm_requests, total.total_tokens()));
  add_messages(out, "Errors", report.error_count, report.errors);
  add_messages(out, "Warnings", report.warning_count, report.warnings);
  add_line(out, fmt::format("Human-in-the-loop interactions: {}", report.human_interactions));
  return out;
}

std::string render_archive_section(std::string_view file, std::int64_t size_bytes,
                                   std::string_view sha256) {
  std::string out = "\n" + heading(kArchiveHeading);
  add_line(out, fmt::format("File:    {}", file));
  add_line(out, fmt::format("Size:    {} bytes", size_bytes));
  add_line(out, fmt::format("SHA-256: {}", sha256));
  return out;
}

}  // namespace mainstay::runs
