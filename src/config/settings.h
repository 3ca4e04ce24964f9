// The settings in force: a value of every declared setting, and where each came from (CFG-1).
//
// A snapshot: made once by load_settings, read by any thread, never changed.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/assert.h"
#include "config/settings_list.h"

// Lowest first: a later layer overrides an earlier one.
MS_ENUM_TEXT(config, Layer, builtin, file, environment_file, variable, flag)

namespace mainstay::config {

/// Who set a value: `built-in default`, `mainstay.yaml` with its place, `MAINSTAY_WORK_TIMEOUT`,
/// `--set`.
struct Origin {
  Layer layer = Layer::builtin;
  std::string source;
  Position at;

  /// `mainstay.yaml:3:12`.
  std::string to_text() const;
};

struct Assignment {
  Origin origin;
  SettingValue value;
};

class Settings {
 public:
  /// The built-in defaults of an environment.
  explicit Settings(Environment environment = Environment::development);

  Environment environment() const { return environment_; }

  template <class T>
  const T& get(const Setting<T>& setting) const {
    const T* value = std::get_if<T>(&effective(setting.decl).value);
    MS_ASSERT(value != nullptr, "a setting is read as another type than it was declared with");
    return *value;
  }

  /// The value in force and its origin.
  const Assignment& effective(const SettingDecl& decl) const { return history(decl).back(); }
  /// Everything that was said about it, the built-in default first, the value in force last.
  const std::vector<Assignment>& history(const SettingDecl& decl) const;

  /// Overrides what is there; layers must come lowest first.
  void assign(const SettingDecl& decl, Assignment assignment);

 private:
  Environment environment_;
  std::map<std::string_view, std::vector<Assignment>> values_;
};

}  // namespace mainstay::config
