// How things look in the API: model values as JSON. The shapes are those of schemas.cc, which a
// test holds them to. Times are RFC 3339 in UTC, durations text such as `30s`; what does not apply
// is null. Pure.
#pragma once

#include <string>
#include <vector>

#include "api/backend.h"
#include "platform/json/json_text.h"

namespace mainstay::api {

/// With the reasons why it waits, as the fleet is now.
WorkView explained(WorkView work, const FleetSnapshot& fleet);
RunView explained(RunView run, const FleetSnapshot& fleet);
/// `whole`: with input and output; lists leave them out.
void write_work(platform::JsonWriter& json, const WorkView& work, bool whole);
void write_attempt(platform::JsonWriter& json, const model::AttemptRow& attempt);
/// `whole`: with input, output and steps.
void write_run(platform::JsonWriter& json, const RunView& run, bool whole);
void write_agent(platform::JsonWriter& json, const model::AgentStatus& agent);
void write_pipeline(platform::JsonWriter& json, const model::PipelineSpec& pipeline);
void write_event(platform::JsonWriter& json, const model::Event& event);
/// The fleet at a glance.
void write_fleet(platform::JsonWriter& json, const FleetSnapshot& fleet);

}  // namespace mainstay::api
