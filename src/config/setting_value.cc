#include <algorithm>
#include <charconv>
#include <system_error>

#include "base/text.h"
#include "config/listen_address.h"
#include "config/setting.h"
#include "platform/json/json_text.h"

namespace mainstay::config {
namespace {

std::optional<std::int64_t> parse_integer(std::string_view text) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

template <class T, class Parse>
std::optional<SettingValue> bounded(const SettingDecl& decl, std::optional<T> value, Parse parse) {
  if (!value) return std::nullopt;
  if (!decl.min.empty() && *value < *parse(decl.min)) return std::nullopt;
  if (!decl.max.empty() && *value > *parse(decl.max)) return std::nullopt;
  return *value;
}

std::optional<SettingValue> parse_boolean(std::string_view text) {
  if (text == "true") return true;
  if (text == "false") return false;
  return std::nullopt;
}

/// One word on one line, within its bound.
bool is_plain_text(const SettingDecl& decl, std::string_view text) {
  const auto max = decl.max.empty() ? std::nullopt : parse_integer(decl.max);
  return (!max || text.size() <= static_cast<std::size_t>(*max)) &&
         std::all_of(text.begin(), text.end(),
                     [](char c) { return static_cast<unsigned char>(c) > 0x20 && c != 0x7f; });
}

std::optional<SettingValue> parse_text(const SettingDecl& decl, std::string_view text) {
  if (text.empty()) {
    return decl.may_be_empty ? std::optional<SettingValue>(std::string()) : std::nullopt;
  }
  if (decl.type == SettingType::choice) {
    const std::vector<std::string> words = words_of(decl.choices);
    if (std::find(words.begin(), words.end(), text) == words.end()) return std::nullopt;
  }
  if (decl.type == SettingType::address && !parse_listen_address(text)) return std::nullopt;
  if (decl.type == SettingType::text && !is_plain_text(decl, text)) return std::nullopt;
  if (!base::is_valid_utf8(text)) return std::nullopt;
  return std::string(text);
}

std::string range_text(const SettingDecl& decl) {
  if (!decl.min.empty() && !decl.max.empty()) {
    return ", from " + std::string(decl.min) + " to " + std::string(decl.max);
  }
  if (!decl.min.empty()) return ", at least " + std::string(decl.min);
  if (!decl.max.empty()) return ", at most " + std::string(decl.max);
  return {};
}

std::string size_to_text(std::uint64_t bytes) {
  constexpr std::array<std::string_view, 4> kUnits{"GiB", "MiB", "KiB", ""};
  for (std::size_t i = 0; i < kUnits.size(); ++i) {
    const std::uint64_t factor = 1ULL << (30 - 10 * i);
    if (bytes >= factor && bytes % factor == 0) {
      return std::to_string(bytes / factor).append(kUnits[i]);
    }
  }
  return "0";
}

}  // namespace

std::vector<std::string> words_of(std::string_view comma_separated) {
  std::vector<std::string> words;
  if (base::trim(comma_separated).empty()) return words;
  for (const std::string_view part : base::split(comma_separated, ',')) {
    words.emplace_back(base::trim(part));
  }
  return words;
}

std::optional<SettingValue> parse_setting(const SettingDecl& decl, std::string_view text) {
  switch (decl.type) {
    case SettingType::boolean:
      return parse_boolean(text);
    case SettingType::integer:
      return bounded(decl, parse_integer(text), parse_integer);
    case SettingType::duration:
      return bounded(decl, base::parse_duration(text), base::parse_duration);
    case SettingType::size:
      return bounded(decl, base::parse_size(text), base::parse_size);
    case SettingType::names:
      if (!faults_in_text(decl, text).empty()) return std::nullopt;
      return words_of(text);
    case SettingType::text:
    case SettingType::choice:
    case SettingType::address:
      return parse_text(decl, text);
  }
  return std::nullopt;
}

std::optional<SettingValue> setting_from_yaml(const SettingDecl& decl, const YamlNode& node) {
  if (decl.type == SettingType::names) {
    if (!faults_in_yaml(decl, node).empty()) return std::nullopt;
    std::vector<std::string> names;
    for (const YamlNode& item : node.items) names.push_back(item.text);
    return names;
  }
  bool fits = node.kind == YamlKind::text;
  if (decl.type == SettingType::boolean)
    return node.kind == YamlKind::boolean ? std::optional<SettingValue>(node.boolean)
                                          : std::nullopt;
  if (decl.type == SettingType::integer) fits = node.kind == YamlKind::integer;
  // `0` and a plain number of bytes need no unit.
  if (decl.type == SettingType::duration || decl.type == SettingType::size) {
    fits = fits || node.kind == YamlKind::integer;
  }
  if (!fits) return std::nullopt;
  if (node.kind == YamlKind::integer) return parse_setting(decl, std::to_string(node.integer));
  return parse_setting(decl, node.text);
}

std::string expectation(const SettingDecl& decl) {
  switch (decl.type) {
    case SettingType::boolean:
      return "expected true or false";
    case SettingType::integer:
      return "expected a whole number" + range_text(decl);
    case SettingType::duration:
      return "expected a duration such as 10s" + range_text(decl);
    case SettingType::size:
      return "expected a size such as 64KiB" + range_text(decl);
    case SettingType::text:
      return std::string("expected text without spaces") +
             (decl.may_be_empty ? "" : ", not empty") +
             (decl.max.empty() ? "" : ", of at most " + std::string(decl.max) + " bytes");
    case SettingType::choice:
      return "expected one of " + base::join(words_of(decl.choices), ", ");
    case SettingType::names:
      return "expected a list of different names (1 to 63 of a-z, 0-9, '_', '-' and '.')";
    case SettingType::address:
      return std::string("expected an address such as 127.0.0.1:7000") +
             (decl.may_be_empty ? ", or \"\" for none" : "");
  }
  return {};
}

std::string value_to_text(const SettingDecl& decl, const SettingValue& value) {
  switch (decl.type) {
    case SettingType::boolean:
      return std::get<bool>(value) ? "true" : "false";
    case SettingType::integer:
      return std::to_string(std::get<std::int64_t>(value));
    case SettingType::duration:
      return base::duration_to_text(std::get<Duration>(value));
    case SettingType::size:
      return size_to_text(std::get<std::uint64_t>(value));
    case SettingType::names: {
      const auto& names = std::get<std::vector<std::string>>(value);
      return "[" + base::join(names, ", ") + "]";
    }
    case SettingType::text:
    case SettingType::choice:
    case SettingType::address: {
      const auto& text = std::get<std::string>(value);
      return text.empty() ? "\"\"" : text;
    }
  }
  return {};
}

std::string value_to_json(const SettingDecl& decl, const SettingValue& value) {
  std::string out;
  platform::JsonWriter json(out);
  if (const auto* names = std::get_if<std::vector<std::string>>(&value)) {
    json.begin_array();
    for (const std::string& name : *names) json.value(name);
    json.end_array();
  } else if (const auto* text = std::get_if<std::string>(&value)) {
    json.value(*text);
  } else if (decl.type == SettingType::boolean || decl.type == SettingType::integer) {
    json.raw(value_to_text(decl, value));
  } else {
    json.value(value_to_text(decl, value));
  }
  return out;
}

std::string environment_name(std::string_view key) {
  std::string name = "MAINSTAY_";
  for (const char c : key) {
    if (c == '.') {
      name += '_';
    } else {
      name += c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
    }
  }
  return name;
}

}  // namespace mainstay::config
