// Completion scripts for shells, made of the grammar: commands, options, and values that are a
// fixed list. Pure.
#pragma once

#include <string>

#include "app/cli/command_shape.h"

namespace mainstay::app {

/// shell: bash, zsh or fish.
std::string completion_script(const CommandShape& root, const std::string& shell);

}  // namespace mainstay::app
