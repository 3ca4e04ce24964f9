// What is generated from the declarations of the settings: the JSON Schema of mainstay.yaml and the
// reference page docs/settings.md (CFG-3). Pure.
#pragma once

#include <string>

namespace mainstay::config {

/// JSON Schema, draft 2020-12, indented.
std::string settings_schema();
/// Markdown.
std::string settings_page();

}  // namespace mainstay::config
