#include "runs/logs/run_lines.h"

#include "telemetry/log_line.h"

namespace mainstay::runs {
namespace {

RunLine line_for(const model::LogRecord& record) {
  return {record.context.step, record.context.component, telemetry::to_json_line(record)};
}

}  // namespace

std::vector<RunLine> RunLines::of(const model::Event& event, const EventLine& line) {
  const model::LogContext& context = line.record.context;
  if (event.kind == "step.started") steps_[context.stage] = context.step;
  if (event.kind == "step.finished") steps_.erase(context.stage);
  std::vector<RunLine> lines{line_for(line.record)};
  if (line.metrics) lines.push_back(line_for(*line.metrics));
  return lines;
}

std::vector<RunLine> RunLines::of_agent(const std::string& run_id, const std::string& pipeline,
                                        const EventLine& line) const {
  std::vector<RunLine> lines;
  model::LogRecord record = line.record;
  record.context.component = "validator";
  record.context.run_id = run_id;
  record.context.pipeline = pipeline;
  for (const auto& [stage, step] : steps_) {
    record.context.stage = stage;
    record.context.step = step;
    lines.push_back(line_for(record));
  }
  return lines;
}

}  // namespace mainstay::runs
