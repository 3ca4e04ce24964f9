// What is wrong with a value that a setting refuses.
#include <algorithm>

#include "base/text.h"
#include "config/setting.h"

namespace mainstay::config {
namespace {

/// Looks at the names of a list one after the other.
class NameCheck {
 public:
  /// What is wrong with the next name; nullopt: nothing.
  std::optional<std::string> next(const std::string& name) {
    if (!base::is_valid_name(name)) return name_expectation() + ", got " + quote(name);
    const bool again = std::find(seen_.begin(), seen_.end(), name) != seen_.end();
    if (again) return "expected each name once, got " + quote(name) + " again";
    seen_.push_back(name);
    return std::nullopt;
  }

 private:
  std::vector<std::string> seen_;
};

}  // namespace

std::vector<ValueFault> faults_in_yaml(const SettingDecl& decl, const YamlNode& node) {
  if (decl.type != SettingType::names || node.kind != YamlKind::list) {
    return {{node.at, expectation(decl) + ", got " + node.describe()}};
  }
  std::vector<ValueFault> faults;
  NameCheck check;
  for (const YamlNode& item : node.items) {
    if (item.kind != YamlKind::text) {
      faults.push_back({item.at, name_expectation() + ", got " + item.describe()});
    } else if (auto wrong = check.next(item.text)) {
      faults.push_back({item.at, *std::move(wrong)});
    }
  }
  return faults;
}

std::vector<std::string> faults_in_text(const SettingDecl& decl, std::string_view text) {
  if (decl.type != SettingType::names) return {expectation(decl) + ", got " + quote(text)};
  std::vector<std::string> faults;
  NameCheck check;
  for (const std::string& name : words_of(text)) {
    if (auto wrong = check.next(name)) faults.push_back(*std::move(wrong));
  }
  return faults;
}

}  // namespace mainstay::config
