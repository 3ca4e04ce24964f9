#include "app/cli/commands/config_commands.h"

#include <fmt/format.h>

#include <cstdio>

#include "app/cli/commands.h"
#include "base/printable.h"
#include "base/text.h"
#include "config/settings_reference.h"
#include "platform/json/json.h"

namespace mainstay::app {
namespace {

using config::Assignment;
using config::SettingDecl;
using platform::Json;
using platform::JsonArray;
using platform::JsonObject;

int print(const ConfigAnswer& answer) {
  std::fputs(base::printable_lines(answer.err).c_str(), stderr);
  std::fwrite(answer.out.data(), 1, answer.out.size(), stdout);
  return answer.exit_code;
}

/// The text of a value that was checked when it was made.
Json json_value(const SettingDecl& decl, const config::SettingValue& value) {
  auto json = platform::parse_json(config::value_to_json(decl, value));
  MS_ASSERT(json.has_value(), "a setting's JSON text is not JSON");
  return *std::move(json);
}

/// Errors elsewhere do not hide the value asked for, but are told and change the exit code.
void add_problems(const ProjectConfig& config, ConfigAnswer& answer) {
  if (config.problems.ok()) return;
  answer.err = config.problems.to_text();
  answer.exit_code = kExitUsage;
}

ConfigAnswer unknown_key(const std::string& key) {
  std::string text = fmt::format("mainstay: there is no setting {}", config::quote(key));
  if (const auto* unserved = config::find_unserved(config::unserved_settings(), key)) {
    text = fmt::format("mainstay: {}: {}", key, config::unserved_text(*unserved));
  } else if (const auto near = base::nearest(key, config::setting_keys())) {
    text += fmt::format("; did you mean {}?", config::quote(*near));
  } else {
    text += "; `mainstay config show` lists them";
  }
  return {kExitNotFound, "", text + "\n"};
}

/// Values without the quotes and brackets that only YAML needs, so that scripts can use them.
std::string plain_value(const SettingDecl& decl, const config::SettingValue& value) {
  if (const auto* text = std::get_if<std::string>(&value)) return *text;
  if (const auto* names = std::get_if<std::vector<std::string>>(&value)) {
    return base::join(*names, ",");
  }
  return config::value_to_text(decl, value);
}

std::size_t count_agents(const model::FleetSpec& fleet) {
  std::size_t count = 0;
  for (const auto& agent : fleet.agents) count += static_cast<std::size_t>(agent->replicas);
  return count;
}

std::string counted(std::size_t count, std::string_view what) {
  return fmt::format("{} {}{}", count, what, count == 1 ? "" : "s");
}

template <class Answer>
int with_project(const GlobalOptions& global, Answer answer) {
  const auto project = find_project(global.project);
  if (!project) return report(project.error());
  return print(answer(load_project_config(*project, global.sets)));
}

}  // namespace

ConfigAnswer answer_check(const ProjectConfig& config, OutputForm form) {
  ConfigAnswer answer;
  answer.exit_code = config.problems.ok() ? kExitDone : kExitUsage;
  std::string table = config.problems.to_text();
  if (config.problems.ok() && config.fleet) {
    table += fmt::format("ok: environment {}, {}, {}{}\n", to_text(config.settings.environment()),
                         counted(count_agents(*config.fleet), "agent"),
                         counted(config.fleet->pipelines.size(), "pipeline"),
                         config.has_fleet_file ? "" : " (there is no fleet.yaml)");
  } else {
    answer.err = fmt::format("mainstay: {}\n", counted(config.problems.error_count(), "error"));
  }
  const auto json = platform::parse_json(config.problems.to_json());
  MS_ASSERT(json.has_value(), "the list of problems is not JSON");
  answer.out = render(form, *json, table);
  return answer;
}

ConfigAnswer answer_get(const ProjectConfig& config, const std::string& key, OutputForm form) {
  const SettingDecl* decl = config::find_setting(key);
  if (decl == nullptr) return unknown_key(key);
  const Assignment& said = config.settings.effective(*decl);
  ConfigAnswer answer;
  add_problems(config, answer);
  answer.out = render(form,
                      JsonObject{{"key", key},
                                 {"value", json_value(*decl, said.value)},
                                 {"origin", said.origin.to_text()}},
                      plain_value(*decl, said.value) + "\n");
  return answer;
}

ConfigAnswer answer_show(const ProjectConfig& config, bool origin, OutputForm form) {
  ConfigAnswer answer;
  add_problems(config, answer);
  std::vector<std::string> head{"SETTING", "VALUE"};
  if (origin) head.emplace_back("ORIGIN");
  Table table(std::move(head));
  JsonObject settings;
  for (const SettingDecl* decl : config::all_settings()) {
    const Assignment& said = config.settings.effective(*decl);
    std::vector<std::string> cells{std::string(decl->key),
                                   config::value_to_text(*decl, said.value)};
    JsonObject entry{{"value", json_value(*decl, said.value)}};
    if (origin) {
      cells.push_back(said.origin.to_text());
      entry["origin"] = said.origin.to_text();
    }
    table.row(std::move(cells));
    settings[decl->key] = std::move(entry);
  }
  answer.out = render(form,
                      JsonObject{{"environment", to_text(config.settings.environment())},
                                 {"settings", std::move(settings)}},
                      table.to_text());
  return answer;
}

ConfigAnswer answer_why(const ProjectConfig& config, const std::string& key, OutputForm form) {
  const SettingDecl* decl = config::find_setting(key);
  if (decl == nullptr) return unknown_key(key);
  ConfigAnswer answer;
  add_problems(config, answer);
  const auto& history = config.settings.history(*decl);
  std::string text =
      fmt::format("{}: {}\n", key, config::value_to_text(*decl, history.back().value));
  JsonArray layers;
  for (auto said = history.rbegin(); said != history.rend(); ++said) {
    const bool in_force = said == history.rbegin();
    text += fmt::format("  {} {}: {}\n", in_force ? "from" : "over", said->origin.to_text(),
                        config::value_to_text(*decl, said->value));
    layers.push_back(JsonObject{{"layer", to_text(said->origin.layer)},
                                {"origin", said->origin.to_text()},
                                {"value", json_value(*decl, said->value)},
                                {"in_force", in_force}});
  }
  text += fmt::format("  {}\n  to set it: mainstay.yaml, {} or --set {}=VALUE\n", decl->doc,
                      config::environment_name(key), key);
  answer.out = render(form,
                      JsonObject{{"key", key},
                                 {"value", json_value(*decl, history.back().value)},
                                 {"variable", config::environment_name(key)},
                                 {"layers", std::move(layers)}},
                      text);
  return answer;
}

int config_check(const GlobalOptions& global) {
  return with_project(
      global, [&](const ProjectConfig& config) { return answer_check(config, global.output); });
}

int config_get(const GlobalOptions& global, const ConfigOptions& options) {
  return with_project(global, [&](const ProjectConfig& config) {
    return answer_get(config, options.key, global.output);
  });
}

int config_show(const GlobalOptions& global, const ConfigOptions& options) {
  return with_project(global, [&](const ProjectConfig& config) {
    return answer_show(config, options.origin, global.output);
  });
}

int config_why(const GlobalOptions& global, const ConfigOptions& options) {
  return with_project(global, [&](const ProjectConfig& config) {
    return answer_why(config, options.key, global.output);
  });
}

int config_reference(const GlobalOptions& /*global*/) {
  return print({kExitDone, config::settings_page(), ""});
}

int config_schema(const GlobalOptions& /*global*/) {
  return print({kExitDone, config::settings_schema(), ""});
}

}  // namespace mainstay::app
