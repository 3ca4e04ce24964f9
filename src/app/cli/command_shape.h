// The grammar of the command line as data, read from the parser's own, so that what explains it
// (usage errors, completion, the manual page) cannot say anything else.
#pragma once

#include <string>
#include <vector>

namespace mainstay::app {

struct OptionShape {
  /// With their dashes: `-o`, `--output`.
  std::vector<std::string> names;
  bool takes_value = false;
  std::string help{};
  /// What its value is: `DIR`, `0..9`, `table|json|yaml`.
  std::string value{};
  /// Its values, where they are a fixed list.
  std::vector<std::string> choices{};
  /// For Mainstay itself: not to be told.
  bool hidden = false;
};

struct ArgumentShape {
  std::string name;
  bool required = true;
  std::string help{};
  std::vector<std::string> choices{};
};

/// What a command takes; options of the root are taken everywhere.
struct CommandShape {
  std::string name;
  std::vector<OptionShape> options{};
  std::vector<ArgumentShape> arguments{};
  std::vector<CommandShape> commands{};
  std::string help{};
  /// It reads the settings itself, so that `--set` means something to it.
  bool takes_settings = false;
};

/// The option of the root that only commands with takes_settings take.
constexpr const char* kSettingsOption = "--set";

}  // namespace mainstay::app
