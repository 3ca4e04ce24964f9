// A setting, declared once: its type, default, bounds and documentation. Validation, the names in
// the environment, the JSON Schema and the reference page all come from the declaration (CFG-3).
//
//   inline constexpr Setting<Duration> kWorkTimeout{{.key = "work.timeout", …}};
//   settings.get(kWorkTimeout)
//
// Declarations are constants; everything here is a value. Any thread.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/enum_text.h"
#include "base/time.h"
#include "config/yaml/yaml_document.h"

MS_ENUM_TEXT(config, Environment, development, testing, staging, production)

// choice: one of fixed words. names: a list of names. address: HOST:PORT to listen on.
MS_ENUM_TEXT(config, SettingType, boolean, integer, duration, size, text, choice, names, address)

namespace mainstay::config {

inline constexpr std::size_t kEnvironments = 4;

struct SettingDecl {
  /// Dotted and nested like the file: `work.retry.max_attempts`.
  std::string_view key;
  SettingType type = SettingType::text;
  /// The default, as it would be written in the file; names separated by commas.
  std::string_view fallback;
  /// Other defaults of single environments, in the order of Environment; empty: `fallback`.
  std::array<std::string_view, kEnvironments> fallback_in{};
  /// Bounds, both included, as they would be written; empty: none. Of text: the most bytes.
  std::string_view min{};
  std::string_view max{};
  /// The words of a choice, separated by commas.
  std::string_view choices{};
  /// Text and addresses: whether "" is a value.
  bool may_be_empty = false;
  /// One or two sentences for the reference page.
  std::string_view doc;

  std::string_view default_in(Environment environment) const {
    const auto own = fallback_in[static_cast<std::size_t>(environment)];
    return own.empty() ? fallback : own;
  }
};

/// T is how the program sees it: bool, std::int64_t, Duration, std::uint64_t (sizes),
/// std::string (text, choice, address) or std::vector<std::string> (names).
template <class T>
struct Setting {
  SettingDecl decl;
};

using SettingValue = std::variant<bool, std::int64_t, Duration, std::uint64_t, std::string,
                                  std::vector<std::string>>;

/// The value that `text` spells for this setting; nullopt when it has the wrong form or is out of
/// bounds. Lists are separated by commas.
std::optional<SettingValue> parse_setting(const SettingDecl& decl, std::string_view text);
/// The same from a file, where types count as well: a duration is no number, a number no text.
std::optional<SettingValue> setting_from_yaml(const SettingDecl& decl, const YamlNode& node);

/// What would be right: `expected a duration such as 10s, from 1ms to 30d`.
std::string expectation(const SettingDecl& decl);

/// Why setting_from_yaml refuses `node`: what was expected and what was found, at the place of what
/// is wrong. One for the whole value, or one for each wrong element of a list of names.
struct ValueFault {
  Position at;
  std::string message;
};
std::vector<ValueFault> faults_in_yaml(const SettingDecl& decl, const YamlNode& node);
/// The same for what parse_setting refuses.
std::vector<std::string> faults_in_text(const SettingDecl& decl, std::string_view text);

/// As it would be written in the file.
std::string value_to_text(const SettingDecl& decl, const SettingValue& value);
/// JSON text: durations and sizes as people write them, the rest with their JSON types.
std::string value_to_json(const SettingDecl& decl, const SettingValue& value);

/// `MAINSTAY_WORK_TIMEOUT` for `work.timeout`.
std::string environment_name(std::string_view key);

/// The words of `choices`, or the names of a default.
std::vector<std::string> words_of(std::string_view comma_separated);

}  // namespace mainstay::config
