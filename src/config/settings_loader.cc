#include "config/settings_loader.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <system_error>

#include "base/text.h"
#include "config/settings_check.h"
#include "platform/files/files.h"

namespace mainstay::config {
namespace {

constexpr std::size_t kMaxFileBytes = std::size_t{1} << 20U;
constexpr std::string_view kPrefix = "MAINSTAY_";

/// Variables that Mainstay gives to agents or reads for itself; they are no settings.
constexpr std::array<std::string_view, 22> kOwnVariables{
    "MAINSTAY_ENV",      "MAINSTAY_PROJECT",      "MAINSTAY_AGENT",    "MAINSTAY_INCARNATION",
    "MAINSTAY_TOKEN",    "MAINSTAY_LINK",         "MAINSTAY_WORK_ID",  "MAINSTAY_START_ID",
    "MAINSTAY_RUN_ID",   "MAINSTAY_STAGE",        "MAINSTAY_ATTEMPT",  "MAINSTAY_URL",
    "MAINSTAY_KIND",     "MAINSTAY_EPOCH",        "MAINSTAY_BINARY",   "MAINSTAY_FAIL_POINT",
    "MAINSTAY_INSTANCE", "MAINSTAY_TIME_LEFT_MS", "MAINSTAY_PIPELINE", "MAINSTAY_CAPABILITY",
    "MAINSTAY_STEP",     "MAINSTAY_TRACEPARENT"};

struct FileContext {
  const std::string& file;
  Layer layer;
  Settings& settings;
  Problems& problems;
};

std::string dotted(const std::string& prefix, const std::string& key) {
  return prefix.empty() ? key : prefix + "." + key;
}

bool is_section(const std::string& path) {
  return std::any_of(all_settings().begin(), all_settings().end(), [&](const SettingDecl* decl) {
    return decl->key.size() > path.size() && decl->key.substr(0, path.size()) == path &&
           decl->key[path.size()] == '.';
  });
}

/// The nearest key on this level of the file: settings and sections under `prefix`.
std::string suggest_key(const std::string& prefix, const std::string& key) {
  std::vector<std::string> here;
  const std::string start = prefix.empty() ? "" : prefix + ".";
  for (const std::string& full : setting_keys()) {
    if (full.compare(0, start.size(), start) != 0) continue;
    const std::string rest = full.substr(start.size());
    here.push_back(rest.substr(0, rest.find('.')));
  }
  if (auto near = base::nearest(key, here)) return dotted(prefix, *near);
  // Perhaps the right word in the wrong section.
  for (const std::string& full : setting_keys()) {
    const std::size_t dot = full.rfind('.');
    if (dot != std::string::npos && full.substr(dot + 1) == key) return full;
  }
  return base::nearest(dotted(prefix, key), setting_keys()).value_or("");
}

void report_unknown(const FileContext& context, const std::string& prefix, const YamlEntry& entry) {
  const std::string path = dotted(prefix, entry.key);
  if (const Unserved* unserved = find_unserved(unserved_settings(), path)) {
    context.problems.error(context.file, entry.key_at, path, unserved_text(*unserved));
    return;
  }
  if (path == "environment" || path == "env") {
    context.problems.error(context.file, entry.key_at, path,
                           "the environment is named by the variable MAINSTAY_ENV, not by a file");
    return;
  }
  if (entry.key.find('.') != std::string::npos && find_setting(path) != nullptr) {
    context.problems.error(context.file, entry.key_at, path,
                           "expected nested keys, each part on a line of its own");
    return;
  }
  if (entry.key.empty()) {
    context.problems.error(context.file, entry.key_at, prefix,
                           "expected the name of a setting, got \"\"");
    return;
  }
  context.problems.error(context.file, entry.key_at, path, "there is no such setting",
                         suggest_key(prefix, entry.key));
}

/// The word of a choice that was probably meant; empty for other settings.
std::string nearest_choice(const SettingDecl& decl, std::string_view text) {
  if (decl.type != SettingType::choice) return {};
  return base::nearest(text, words_of(decl.choices)).value_or("");
}

/// Reports what a variable or a flag says wrongly.
void report_text(std::string_view source, const SettingDecl& decl, std::string_view text,
                 Problems& problems) {
  for (std::string& fault : faults_in_text(decl, text)) {
    problems.error(source, {}, decl.key, std::move(fault), nearest_choice(decl, text));
  }
}

void apply_map(const FileContext& context, const std::string& prefix, const YamlNode& map);

void apply_entry(const FileContext& context, const std::string& prefix, const YamlEntry& entry) {
  const std::string path = dotted(prefix, entry.key);
  const bool nested = entry.key.find('.') == std::string::npos;
  const SettingDecl* decl = nested ? find_setting(path) : nullptr;
  if (decl != nullptr) {
    auto value = setting_from_yaml(*decl, entry.value);
    if (value) {
      context.settings.assign(*decl,
                              {{context.layer, context.file, entry.value.at}, *std::move(value)});
    } else {
      for (ValueFault& fault : faults_in_yaml(*decl, entry.value)) {
        context.problems.error(context.file, fault.at, path, std::move(fault.message),
                               nearest_choice(*decl, entry.value.text));
      }
    }
    return;
  }
  if (!nested || !is_section(path)) {
    report_unknown(context, prefix, entry);
  } else if (entry.value.kind == YamlKind::map) {
    apply_map(context, path, entry.value);
  } else if (entry.value.kind != YamlKind::null) {
    context.problems.error(context.file, entry.value.at, path,
                           "expected a map of settings, got " + entry.value.describe());
  }
}

void apply_map(const FileContext& context, const std::string& prefix, const YamlNode& map) {
  for (const YamlEntry& entry : map.entries) apply_entry(context, prefix, entry);
}

void apply_variable(const std::string& name, const std::string& value, Settings& settings,
                    Problems& problems) {
  const std::string source = "environment " + name;
  std::vector<std::string> names;
  for (const SettingDecl* decl : all_settings()) {
    names.push_back(environment_name(decl->key));
    if (names.back() != name) continue;
    if (auto parsed = parse_setting(*decl, value)) {
      settings.assign(*decl, {{Layer::variable, name, {}}, *std::move(parsed)});
    } else {
      report_text(source, *decl, value, problems);
    }
    return;
  }
  for (const Unserved& unserved : unserved_settings()) {
    const std::string start = environment_name(unserved.key);
    if (name == start || name.compare(0, start.size() + 1, start + "_") == 0) {
      problems.error(source, {}, unserved.key, unserved_text(unserved));
      return;
    }
  }
  // No error: another program's variable may well begin with the same word.
  std::string message = "there is no such setting; it is ignored";
  if (auto near = base::nearest(name, names)) message += "; did you mean " + *near + "?";
  problems.warning(source, {}, {}, std::move(message));
}

void apply_flag(const std::string& flag, Settings& settings, Problems& problems) {
  constexpr std::string_view kSource = "--set";
  const std::size_t equals = flag.find('=');
  if (equals == std::string::npos || equals == 0) {
    problems.error(kSource, {}, {}, "expected KEY=VALUE, got " + quote(flag));
    return;
  }
  const std::string key = flag.substr(0, equals);
  const std::string value = flag.substr(equals + 1);
  const SettingDecl* decl = find_setting(key);
  if (decl == nullptr) {
    const Unserved* unserved = find_unserved(unserved_settings(), key);
    problems.error(kSource, {}, key,
                   unserved != nullptr ? unserved_text(*unserved) : "there is no such setting",
                   unserved != nullptr ? "" : base::nearest(key, setting_keys()).value_or(""));
    return;
  }
  if (auto parsed = parse_setting(*decl, value)) {
    settings.assign(*decl, {{Layer::flag, std::string(kSource), {}}, *std::move(parsed)});
  } else {
    report_text(kSource, *decl, value, problems);
  }
}

}  // namespace

Environment detect_environment(const std::map<std::string, std::string>& variables,
                               Problems& problems) {
  const auto found = variables.find("MAINSTAY_ENV");
  if (found == variables.end() || found->second.empty()) return Environment::development;
  if (const auto known = base::parse_enum<Environment>(found->second)) return *known;
  std::vector<std::string> names;
  for (const std::string_view name : base::enum_names<Environment>()) names.emplace_back(name);
  problems.error("environment MAINSTAY_ENV", {}, {},
                 "expected one of " + base::join(names, ", ") + ", got " + quote(found->second),
                 base::nearest(found->second, names).value_or(""));
  return Environment::development;
}

std::optional<std::string> read_config_file(const std::string& path, const std::string& shown,
                                            Problems& problems) {
  std::error_code failed;
  const auto status = std::filesystem::status(path, failed);
  if (status.type() == std::filesystem::file_type::not_found) return std::nullopt;
  if (!std::filesystem::is_regular_file(status)) {
    problems.error(shown, {}, {}, "expected a file that can be read, got something else");
    return std::nullopt;
  }
  auto text = platform::read_file(path, kMaxFileBytes);
  if (text) return *std::move(text);
  problems.error(shown, {}, {}, text.error().message());
  return std::nullopt;
}

void apply_file(std::string_view text, const std::string& file, Layer layer, Settings& settings,
                Problems& problems) {
  const auto document = read_yaml(text, file, problems);
  if (!document || document->kind == YamlKind::null) return;
  if (document->kind != YamlKind::map) {
    problems.error(file, document->at, {},
                   "expected a map of settings, got " + document->describe());
    return;
  }
  apply_map({file, layer, settings, problems}, {}, *document);
}

Settings load_settings(const SettingsRequest& request, Problems& problems) {
  const Environment environment = detect_environment(request.variables, problems);
  Settings settings(environment);
  const std::string own = "mainstay." + std::string(to_text(environment)) + ".yaml";
  const std::array<std::pair<std::string, Layer>, 2> files{
      {{"mainstay.yaml", Layer::file}, {own, Layer::environment_file}}};
  for (const auto& [file, layer] : files) {
    const auto text = read_config_file(request.project_dir + "/" + file, file, problems);
    if (text) apply_file(*text, file, layer, settings, problems);
  }
  for (const auto& [name, value] : request.variables) {
    if (name.compare(0, kPrefix.size(), kPrefix) != 0) continue;
    if (std::find(kOwnVariables.begin(), kOwnVariables.end(), name) != kOwnVariables.end()) {
      continue;
    }
    apply_variable(name, value, settings, problems);
  }
  for (const std::string& flag : request.flags) apply_flag(flag, settings, problems);
  check_settings(settings, problems);
  return settings;
}

}  // namespace mainstay::config
