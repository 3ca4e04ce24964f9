#include "config/settings_reference.h"

#include "base/text.h"
#include "config/settings_list.h"
#include "platform/json/json.h"

namespace mainstay::config {
namespace {

using platform::Json;
using platform::JsonArray;
using platform::JsonObject;

// What base::parse_duration and base::parse_size read.
constexpr std::string_view kDurationPattern =
    "^(0|(?=.)([0-9]+d)?([0-9]+h)?([0-9]+m)?([0-9]+s)?([0-9]+ms)?([0-9]+us)?)$";
constexpr std::string_view kSizePattern = "^[0-9]+(B|KiB|MiB|GiB|TiB|KB|MB|GB|TB)?$";
constexpr std::string_view kNamePattern = "^[a-z0-9]([a-z0-9_.-]{0,61}[a-z0-9])?$";

Json parsed_default(const SettingDecl& decl) {
  const auto value = parse_setting(decl, decl.fallback);
  return *platform::parse_json(value_to_json(decl, *value));
}

JsonObject string_schema(std::string_view pattern) {
  return {{"type", "string"}, {"pattern", pattern}};
}

JsonObject type_schema(const SettingDecl& decl) {
  switch (decl.type) {
    case SettingType::boolean:
      return {{"type", "boolean"}};
    case SettingType::integer: {
      JsonObject schema{{"type", "integer"}};
      if (!decl.min.empty()) schema["minimum"] = *platform::parse_json(decl.min);
      if (!decl.max.empty()) schema["maximum"] = *platform::parse_json(decl.max);
      return schema;
    }
    case SettingType::duration:
      return {{"anyOf", JsonArray{string_schema(kDurationPattern), JsonObject{{"const", 0}}}}};
    case SettingType::size:
      return {{"anyOf", JsonArray{string_schema(kSizePattern),
                                  JsonObject{{"type", "integer"}, {"minimum", 0}}}}};
    case SettingType::choice: {
      JsonArray words;
      for (const std::string& word : words_of(decl.choices)) words.emplace_back(word);
      return {{"enum", std::move(words)}};
    }
    case SettingType::names:
      return {{"type", "array"}, {"items", string_schema(kNamePattern)}, {"uniqueItems", true}};
    case SettingType::text:
    case SettingType::address: {
      JsonObject schema{{"type", "string"}};
      if (!decl.may_be_empty) schema["minLength"] = 1;
      if (!decl.max.empty()) schema["maxLength"] = *platform::parse_json(decl.max);
      if (decl.type == SettingType::text) schema["pattern"] = "^\\S*$";
      return schema;
    }
  }
  return {};
}

/// The schema of the section that `key` (dotted) lies in, made where it is missing.
JsonObject& properties_of(JsonObject& root, std::string_view key) {
  JsonObject* properties = &root["properties"].as_object();
  std::vector<std::string_view> parts = base::split(key, '.');
  for (std::size_t i = 0; i + 1 < parts.size(); ++i) {
    Json& section = (*properties)[parts[i]];
    if (!section.is_object()) {
      section = JsonObject{{"type", JsonArray{"object", "null"}},
                           {"additionalProperties", false},
                           {"properties", JsonObject{}}};
    }
    properties = &section.as_object()["properties"].as_object();
  }
  return *properties;
}

std::string cell(std::string_view text) {
  std::string out;
  for (const char c : text) out.append(c == '|' ? "\\|" : std::string(1, c));
  return out;
}

std::string shown_default(const SettingDecl& decl, Environment environment) {
  return value_to_text(decl, *parse_setting(decl, decl.default_in(environment)));
}

std::string defaults_text(const SettingDecl& decl) {
  bool differs = false;
  for (const std::string_view own : decl.fallback_in) differs = differs || !own.empty();
  if (!differs) return "`" + shown_default(decl, Environment::development) + "`";
  std::vector<std::string> parts;
  for (std::size_t i = 0; i < kEnvironments; ++i) {
    const auto environment = static_cast<Environment>(i);
    parts.push_back(std::string(to_text(environment)) + " `" + shown_default(decl, environment) +
                    "`");
  }
  return base::join(parts, ", ");
}

void append_section(std::string& page, const SettingDecl& decl) {
  page.append("\n## `").append(decl.key).append("`\n\n").append(decl.doc).append("\n\n");
  page.append("| | |\n|---|---|\n| Type | ").append(to_text(decl.type));
  std::string what = expectation(decl).substr(std::string_view("expected ").size());
  page.append(": ").append(cell(what)).append(" |\n");
  page.append("| Default | ").append(cell(defaults_text(decl))).append(" |\n");
  page.append("| Variable | `").append(environment_name(decl.key)).append("` |\n");
}

}  // namespace

std::string settings_schema() {
  JsonObject root{{"$schema", "https://json-schema.org/draft/2020-12/schema"},
                  {"title", "mainstay.yaml"},
                  {"description", "Settings of Mainstay."},
                  {"type", JsonArray{"object", "null"}},
                  {"additionalProperties", false},
                  {"properties", JsonObject{}}};
  for (const SettingDecl* decl : all_settings()) {
    JsonObject schema = type_schema(*decl);
    schema["description"] = decl->doc;
    schema["default"] = parsed_default(*decl);
    const std::string_view name = decl->key.substr(decl->key.rfind('.') + 1);
    properties_of(root, decl->key)[name] = std::move(schema);
  }
  return platform::to_pretty_text(Json(std::move(root))) + "\n";
}

std::string settings_page() {
  std::string page =
      "# Settings\n\n"
      "Every setting of `mainstay.yaml`. This page is made by `mainstay config reference`.\n\n"
      "A value comes from the last of these that names it: the built-in default, `mainstay.yaml`,\n"
      "`mainstay.<environment>.yaml`, a `MAINSTAY_*` variable, `--set key=value`. The environment "
      "is\n`development` unless `MAINSTAY_ENV` says `testing`, `staging` or `production`. "
      "`mainstay config\nwhy KEY` tells where a value came from; `mainstay config check` finds "
      "every error at once.\n";
  for (const SettingDecl* decl : all_settings()) append_section(page, *decl);
  page += "\n## Not served by this version\n\nThese are refused by name, not ignored:\n\n";
  for (const Unserved& entry : unserved_settings()) {
    page.append("- `").append(entry.key).append("`: ").append(entry.what).append("\n");
  }
  return page;
}

}  // namespace mainstay::config
