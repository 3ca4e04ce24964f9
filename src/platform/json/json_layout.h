// JSON laid out anew without reading its values: numbers keep all of their digits and strings their
// escapes. Pure; the text must be known to be valid JSON.
#pragma once

#include <string>
#include <string_view>

namespace mainstay::platform {

/// As to_pretty_text lays values out: two spaces a level, for people.
std::string pretty_json_text(std::string_view json);
/// Without white space between the tokens.
std::string compact_json_text(std::string_view json);

}  // namespace mainstay::platform
