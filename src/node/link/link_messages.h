// Between the wire (mainstay.v1) and the model: plain functions, no state. What comes from an agent
// is a claim; here it is brought into bounds (lengths, names, valid JSON), so that what enters the
// control loop is well-formed whatever the agent sent (faults H5, H10, I4).
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "mainstay/v1/link.pb.h"
#include "model/effect.h"
#include "model/input.h"
#include "model/log_record.h"
#include "model/work.h"
#include "node/link/link.h"

namespace mainstay::node {

namespace wire = ::mainstay::v1;

/// `invalid_argument` when the id is not 16 bytes or the epoch is not positive.
Result<model::HeldAttempt> attempt_of(const std::string& work_id, std::int64_t epoch);

void fill_settings(const AgentSettings& settings, wire::Settings& out);

void fill_assignment(const model::AssignWork& effect, wire::Assignment& out);
/// About how many bytes an assignment takes on the wire.
std::size_t size_of(const model::AssignWork& effect);

/// The hello as a fact, without its link; `invalid_argument` names what is out of bounds.
Result<model::LinkOpened> link_opened_of(const wire::Hello& hello);

/// Takes the output's text out of `result`. An output that is not valid JSON, or too large, makes
/// the attempt a failure. The output is text only: over Payload::kInlineLimit the caller stores it.
model::AttemptOutcome outcome_of(wire::AttemptResult& result);

/// nullopt when there is nothing sensible in it (the caller counts it).
std::optional<model::AttemptProgress> progress_of(const wire::Progress& progress);

model::LogRecord log_record_of(const wire::LogLine& line, const model::AgentName& agent);
model::SpanRecord span_record_of(const wire::Span& span, const model::AgentName& agent);

/// `invalid_argument` or `payload_too_large` with the field's name. The input is text only.
Result<model::SubmitWork> submit_of(const wire::SubmitRequest& request);

void fill_problem(const Error& error, wire::Problem& out);
void fill_finished(model::WorkId id, model::WorkState state, const model::Payload& output,
                   const std::optional<model::WorkError>& error, wire::Finished& out);

}  // namespace mainstay::node
