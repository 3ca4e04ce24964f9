// The JSON Schemas of what the API takes and gives, as the members of OpenAPI's
// `components/schemas`. A test holds the real answers to them.
#pragma once

#include <string_view>

namespace mainstay::api {

/// Members of a JSON object, without its braces: what is common, work, runs.
std::string_view work_schemas();
/// Agents, the fleet, events, pipelines, logs, health.
std::string_view fleet_schemas();

}  // namespace mainstay::api
