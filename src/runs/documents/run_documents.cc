#include "runs/documents/run_documents.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "platform/crypto.h"
#include "platform/json/json.h"

namespace mainstay::runs {
namespace {

using platform::Json;
using platform::JsonArray;
using platform::JsonObject;

Json wall_json(const std::optional<Wall>& wall) {
  if (!wall) return nullptr;
  return Json(base::wall_to_text(*wall));
}

double seconds_between(const std::optional<Wall>& from, const std::optional<Wall>& to) {
  if (!from || !to) return 0;
  return std::chrono::duration<double>(*to - *from).count();
}

JsonObject usage_json(const model::Usage& usage) {
  return {{"api_calls", usage.api_calls},         {"llm_requests", usage.llm_requests},
          {"prompt_tokens", usage.prompt_tokens}, {"completion_tokens", usage.completion_tokens},
          {"cached_tokens", usage.cached_tokens}, {"reasoning_tokens", usage.reasoning_tokens},
          {"total_tokens", usage.total_tokens()}};
}

JsonObject labels_json(const std::map<std::string, std::string>& labels) {
  JsonObject out;
  for (const auto& [key, value] : labels) out[key] = value;
  return out;
}

Json parsed_or_null(std::string_view text) {
  auto value = platform::parse_json(text);
  return value ? std::move(*value) : Json(nullptr);
}

std::vector<model::StepStatus> in_order(std::vector<model::StepStatus> steps) {
  std::stable_sort(steps.begin(), steps.end(), [](const auto& a, const auto& b) {
    // Steps that never started come last.
    const auto key = [](const model::StepStatus& s) { return s.number == 0 ? 1 << 30 : s.number; };
    return key(a) < key(b);
  });
  return steps;
}

// version-traceid-parentid-flags (W3C Trace Context, section 3.2).
struct TraceIds {
  std::string trace;
  std::string parent;
};

TraceIds ids_of(std::string_view trace_parent) {
  const auto parts = base::split(trace_parent, '-');
  if (parts.size() < 3) return {std::string(32, '0'), std::string(16, '0')};
  return {std::string(parts[1]), std::string(parts[2])};
}

model::SpanRecord stage_span(const RunDetails& run, const model::StepStatus& step,
                             const TraceIds& ids, const std::string& prefix) {
  model::SpanRecord span;
  span.trace_id = ids.trace;
  span.parent_id = ids.parent;
  span.span_id = platform::sha256_hex(run.spec->id.to_text() + "/" + step.stage).substr(0, 16);
  span.name = "stage." + step.stage;
  span.started_at = *step.started_at;
  span.finished_at = step.finished_at.value_or(*step.started_at);
  const double ms = seconds_between(step.started_at, span.finished_at) * 1000;
  span.attributes = platform::to_text(JsonObject{{prefix + ".stage", step.stage},
                                                 {prefix + ".duration_ms", ms},
                                                 {prefix + ".items", step.items_total},
                                                 {prefix + ".retries", step.retries}});
  span.failed = step.state == model::StepState::failed;
  if (step.error) span.status_message = step.error->message;
  if (step.state == model::StepState::degraded) {
    const std::string message = step.error ? step.error->message : "some items failed";
    span.events = platform::to_text(JsonArray{
        JsonObject{{"name", "stage_error"},
                   {"time", base::wall_to_text(span.finished_at)},
                   {"attributes", JsonObject{{"stage", step.stage}, {"error", message}}}}});
  }
  span.context.run_id = run.spec->id.to_text();
  span.context.pipeline = run.spec->pipeline->name;
  span.context.stage = step.stage;
  span.context.step = step.number;
  return span;
}

}  // namespace

std::string metadata_json(const RunDetails& run, const RecorderOptions& options) {
  JsonArray steps;
  for (const model::StepStatus& step : in_order(run.steps)) {
    if (step.number == 0) continue;
    steps.push_back(JsonObject{{"step", step.number},
                               {"stage", step.stage},
                               {"state", to_text(step.state)},
                               {"started_at", wall_json(step.started_at)},
                               {"finished_at", wall_json(step.finished_at)}});
  }
  const model::RunSpec& spec = *run.spec;
  return platform::to_pretty_text(
      JsonObject{{"run_id", spec.id.to_text()},
                 {"fleet", options.fleet_name},
                 {"pipeline", spec.pipeline->name},
                 {"pipeline_version", spec.pipeline->version},
                 {"framework", options.framework},
                 {"state", to_text(run.status.state)},
                 {"error", run.status.error ? Json(run.status.error->message) : Json(nullptr)},
                 {"created_at", base::wall_to_text(spec.created_at)},
                 {"finished_at", wall_json(run.status.finished_at)},
                 {"labels", labels_json(spec.labels)},
                 {"trace_parent", spec.trace_parent},
                 {"steps", std::move(steps)}});
}

std::string metrics_json(const RunReport& report, const LogCounts& logs) {
  JsonArray steps;
  model::Usage total;
  for (const StepReport& step : report.steps) {
    total.add(step.usage);
    steps.push_back(
        JsonObject{{"step", step.number},
                   {"stage", step.stage},
                   {"state", to_text(step.state)},
                   {"duration_seconds", std::chrono::duration<double>(step.duration).count()},
                   {"retries", step.retries},
                   {"items_total", step.items_total},
                   {"items_failed", step.items_failed},
                   {"usage", usage_json(step.usage)}});
  }
  return platform::to_pretty_text(
      JsonObject{{"run_id", report.run_id},
                 {"state", to_text(report.state)},
                 {"duration_seconds", seconds_between(report.started_at, report.finished_at)},
                 {"steps", std::move(steps)},
                 {"usage", usage_json(total)},
                 {"logs", JsonObject{{"lines", logs.lines},
                                     {"errors", logs.errors},
                                     {"warnings", logs.warnings},
                                     {"unreadable", logs.unreadable}}}});
}

std::string manifest_json(const RunDetails& run, const RecorderOptions& options,
                          const std::vector<std::pair<std::string, std::string>>& hashes,
                          const std::string& commit) {
  JsonObject files;
  for (const auto& [path, sha256] : hashes) files[path] = sha256;
  const model::RunSpec& spec = *run.spec;
  return platform::to_pretty_text(
      JsonObject{{"run_id", spec.id.to_text()},
                 {"created_at", base::wall_to_text(spec.created_at)},
                 {"input", parsed_or_null(spec.input.view())},
                 {"input_sha256", platform::sha256_hex(spec.input.view())},
                 {"versions", JsonObject{{"framework", options.framework},
                                         {"pipeline", spec.pipeline->name},
                                         {"pipeline_version", spec.pipeline->version},
                                         {"commit", commit}}},
                 {"files_sha256", std::move(files)}});
}

std::vector<model::SpanRecord> spans_of(const RunDetails& run, const std::string& prefix) {
  const TraceIds ids = ids_of(run.spec->trace_parent);
  std::vector<model::SpanRecord> spans;
  model::SpanRecord root;
  root.trace_id = ids.trace;
  root.span_id = ids.parent;
  root.name = "run." + run.spec->pipeline->name;
  root.started_at = run.spec->created_at;
  root.finished_at = run.status.finished_at.value_or(run.spec->created_at);
  root.failed = run.status.state != model::RunState::succeeded &&
                run.status.state != model::RunState::degraded;
  if (run.status.error) root.status_message = run.status.error->message;
  root.attributes = platform::to_text(JsonObject{
      {prefix + ".pipeline", run.spec->pipeline->name},
      {prefix + ".state", to_text(run.status.state)},
      {prefix + ".duration_ms", seconds_between(root.started_at, root.finished_at) * 1000}});
  root.context.run_id = run.spec->id.to_text();
  root.context.pipeline = run.spec->pipeline->name;
  spans.push_back(std::move(root));
  for (const model::StepStatus& step : in_order(run.steps)) {
    if (step.started_at) spans.push_back(stage_span(run, step, ids, prefix));
  }
  return spans;
}

RunReport make_report(const RunDetails& run, const RecorderOptions& options,
                      const LogCounts& logs) {
  RunReport report;
  report.run_id = run.spec->id.to_text();
  report.pipeline = run.spec->pipeline->name;
  report.pipeline_version = run.spec->pipeline->version;
  report.framework = options.framework;
  report.models = run.models;
  report.state = run.status.state;
  report.started_at = run.spec->created_at;
  report.finished_at = run.status.finished_at.value_or(run.spec->created_at);
  if (run.status.error) report.error = run.status.error->message;
  for (const model::StepStatus& step : in_order(run.steps)) {
    StepReport row;
    row.number = step.number;
    row.stage = step.stage;
    row.state = step.state;
    if (step.started_at && step.finished_at) row.duration = *step.finished_at - *step.started_at;
    row.retries = step.retries;
    row.items_total = step.items_total;
    row.items_failed = step.items_failed;
    row.usage = step.usage;
    if (step.error) row.error = step.error->message;
    report.steps.push_back(std::move(row));
  }
  report.error_count = logs.errors;
  report.warning_count = logs.warnings;
  report.errors = logs.first_errors;
  report.warnings = logs.first_warnings;
  return report;
}

}  // namespace mainstay::runs
