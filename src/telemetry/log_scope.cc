#include "telemetry/log_scope.h"

#include <string>

namespace mainstay::telemetry {
namespace {

thread_local model::LogContext context_of_this_thread;

void lay_over(std::string& base, const std::string& over) {
  if (!over.empty()) base = over;
}

}  // namespace

const model::LogContext& current_log_context() { return context_of_this_thread; }

model::LogContext merged(const model::LogContext& base, const model::LogContext& over) {
  model::LogContext result = base;
  lay_over(result.run_id, over.run_id);
  lay_over(result.pipeline, over.pipeline);
  lay_over(result.stage, over.stage);
  if (over.step != 0) result.step = over.step;
  lay_over(result.component, over.component);
  lay_over(result.agent, over.agent);
  lay_over(result.work_id, over.work_id);
  lay_over(result.trace_id, over.trace_id);
  return result;
}

LogScope::LogScope(const model::LogContext& context)
    : before_(std::exchange(context_of_this_thread, merged(context_of_this_thread, context))) {}

LogScope::~LogScope() { context_of_this_thread = std::move(before_); }

}  // namespace mainstay::telemetry
