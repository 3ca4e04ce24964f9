#include "mainstay/work.h"

#include <utility>

#include "mainstay/v1/link.pb.h"
#include "text.h"

namespace mainstay {

Item::Item(std::shared_ptr<const v1::Assignment> assignment) : assignment_(std::move(assignment)) {}

std::string Item::id() const { return agent_internal::uuid_text(assignment_->work_id()); }
const std::string& Item::capability() const { return assignment_->capability(); }
const std::string& Item::description() const { return assignment_->description(); }
const std::string& Item::input() const { return assignment_->input_json(); }
int Item::attempt() const { return assignment_->attempt(); }
std::int64_t Item::epoch() const { return assignment_->epoch(); }
int Item::priority() const { return assignment_->priority(); }
const std::string& Item::phase() const { return assignment_->phase(); }
const std::string& Item::run_id() const { return assignment_->run_id(); }
const std::string& Item::pipeline() const { return assignment_->pipeline(); }
const std::string& Item::stage() const { return assignment_->stage(); }
int Item::step() const { return assignment_->step(); }
const std::string& Item::trace_parent() const { return assignment_->trace_parent(); }
std::map<std::string, std::string> Item::labels() const {
  return {assignment_->labels().begin(), assignment_->labels().end()};
}

Outcome Outcome::success(std::string json) {
  Outcome outcome;
  outcome.output = std::move(json);
  return outcome;
}

Outcome Outcome::failure(std::string code, std::string message, bool permanent) {
  Outcome outcome;
  outcome.code = std::move(code);
  outcome.message = std::move(message);
  outcome.permanent = permanent;
  return outcome;
}

}  // namespace mainstay
