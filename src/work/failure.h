// Why an attempt, an item or a stage failed, with the context of WRK-10: which item (phase, id and
// an excerpt of its description), which agent and attempt, a stable code and what to do about it.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "fleet/directory.h"
#include "model/work.h"
#include "work/items/item.h"

namespace mainstay::work {

/// A failure that Mainstay itself saw. `item.attempt` is the attempt meant, if it had any; `agent`
/// its agent as it is now, nullptr when that is gone.
model::WorkError failure(model::FailureKind kind, Code code, std::string message, const Item& item,
                         const fleet::AgentView* agent = nullptr);

/// A failure that the agent reported: bounded, given a code if it has none, and put in context. The
/// agent's own context goes into the member `reported`.
model::WorkError reported_failure(model::WorkError reported, const Item& item);

/// A failure of a stage or run before there was any item.
model::WorkError stage_failure(const Error& error, const model::RunId& run,
                               std::string_view pipeline, std::string_view stage);

/// The output that stands for a failed fail-soft stage or item (WRK-8).
std::string stage_error_output(std::string_view stage, const model::WorkError& error);

}  // namespace mainstay::work
