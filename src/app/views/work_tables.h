// A work item and its attempts, for people: what it is, how it stands, and why it failed (WRK-10).
#pragma once

#include <string>

#include "platform/json/json.h"

namespace mainstay::app {

/// A row for each field that has a value; of an error also what surrounded it.
std::string item_text(const platform::Json& item, std::string_view text);
/// A row for each attempt; empty when there was none.
std::string attempts_text(const platform::JsonArray& attempts);
/// What the failed code said at length: its traceback or its stderr; empty when there is none.
std::string failure_text(const platform::Json& item);

}  // namespace mainstay::app
