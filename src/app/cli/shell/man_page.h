// mainstay(1), made of the grammar. Pure.
#pragma once

#include <string>
#include <string_view>

#include "app/cli/command_shape.h"

namespace mainstay::app {

/// The whole page as roff, for `man -l`; the same for the same grammar and version.
std::string manual_page(const CommandShape& root, std::string_view version);

}  // namespace mainstay::app
