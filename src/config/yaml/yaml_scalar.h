// The type of a plain YAML scalar by the core schema (YAML 1.2.2, section 10.3.2).
#pragma once

#include <string>

#include "config/yaml/yaml_document.h"

namespace mainstay::config {

/// Sets kind and value of a plain (unquoted) scalar from node.text. Returns what is wrong with it:
/// empty, or a sentence such as "expected a number that fits in 64 bits".
std::string resolve_plain_scalar(YamlNode& node);

}  // namespace mainstay::config
