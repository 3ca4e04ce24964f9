// What is wrong with a command line that the parser refused, in words that help: which word, of
// which command, what it may have meant. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "app/cli/command_shape.h"

namespace mainstay::app {

struct UsageSlip {
  /// Empty: every word fits, so the trouble is a value.
  std::string message;
  /// The message is about what should come at the end; all words that are there fit.
  bool is_missing = false;
  /// As it is typed, to be followed by `--help`: `mainstay work submit`.
  std::string command;
};

/// The first word that does not fit, or what is missing at the end.
UsageSlip find_slip(const CommandShape& root, const std::vector<std::string>& words);

/// What is wrong with a value: empty, or `expected …, got "…"`.
std::string not_one_of(const std::string& text, const std::vector<std::string>& words);
std::string not_between(const std::string& text, std::int64_t least, std::int64_t most);

}  // namespace mainstay::app
