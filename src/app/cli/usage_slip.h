// What is wrong with a command line that the parser refused, in words that help: which word, of
// which command, what it may have meant. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace mainstay::app {

struct OptionShape {
  /// With their dashes: `-o`, `--output`.
  std::vector<std::string> names;
  bool takes_value = false;
};

/// What a command takes; options of the root are taken everywhere.
struct CommandShape {
  std::string name;
  std::vector<OptionShape> options;
  /// Names of the arguments that it needs.
  std::vector<std::string> arguments;
  std::vector<CommandShape> commands;
};

struct UsageSlip {
  /// Empty: every word fits, so the trouble is a value.
  std::string message;
  /// As it is typed, to be followed by `--help`: `mainstay work submit`.
  std::string command;
};

/// The first word that does not fit, or what is missing at the end.
UsageSlip find_slip(const CommandShape& root, const std::vector<std::string>& words);

/// What is wrong with a value: empty, or `expected …, got "…"`.
std::string not_one_of(const std::string& text, const std::vector<std::string>& words);
std::string not_between(const std::string& text, std::int64_t least, std::int64_t most);

}  // namespace mainstay::app
