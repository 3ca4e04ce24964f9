// What the API says about agents, as cells and tables.
#pragma once

#include <string>

#include "platform/json/json.h"

namespace mainstay::app {

/// Names, separated by commas; long lists are cut.
std::string capabilities_text(const platform::Json& agent);
std::string agents_table(const platform::JsonArray& agents);
/// A row for each field that has a value.
std::string agent_text(const platform::Json& agent);
/// The fleet in one line, and what is wrong with the storage.
std::string fleet_line(const platform::Json& fleet);

}  // namespace mainstay::app
