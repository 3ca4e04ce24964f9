#include "config/settings.h"

namespace mainstay::config {

std::string Origin::to_text() const {
  if (at.line == 0) return source;
  return source + ":" + std::to_string(at.line) + ":" + std::to_string(at.column);
}

Settings::Settings(Environment environment) : environment_(environment) {
  for (const SettingDecl* decl : all_settings()) {
    auto value = parse_setting(*decl, decl->default_in(environment));
    MS_ASSERT(value.has_value(), "a setting's built-in default is outside its own bounds");
    const bool own = !decl->fallback_in[static_cast<std::size_t>(environment)].empty();
    std::string source = "built-in default";
    if (own) source.append(" of ").append(config::to_text(environment));
    values_[decl->key].push_back({{Layer::builtin, std::move(source), {}}, *std::move(value)});
  }
}

const std::vector<Assignment>& Settings::history(const SettingDecl& decl) const {
  const auto found = values_.find(decl.key);
  MS_ASSERT(found != values_.end(), "a setting is not in the list of settings_list.cc");
  return found->second;
}

void Settings::assign(const SettingDecl& decl, Assignment assignment) {
  const auto found = values_.find(decl.key);
  MS_ASSERT(found != values_.end(), "a setting is not in the list of settings_list.cc");
  found->second.push_back(std::move(assignment));
}

}  // namespace mainstay::config
