// Reads the fields of one map of fleet.yaml into typed values: each accessor reports a value that
// does not fit and leaves the target as it was; finish() reports the keys that nobody asked for.
#pragma once

#include <functional>
#include <limits>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/enum_text.h"
#include "base/time.h"
#include "config/problems.h"
#include "config/settings_list.h"
#include "config/yaml/yaml_document.h"

namespace mainstay::fleet {

/// What all readers of one manifest share.
struct ManifestContext {
  const std::string& file;
  config::Problems& problems;

  void error(config::Position at, std::string_view key, std::string message,
             std::string suggestion = {}) const {
    problems.error(file, at, key, std::move(message), std::move(suggestion));
  }
};

struct DurationRange {
  Duration min{0};
  Duration max = std::chrono::hours(24 * 30);
};

struct IntegerRange {
  int min = 0;
  int max = std::numeric_limits<int>::max();
};

class Fields {
 public:
  /// `entry_at` is where a missing field is reported. A node that is no map is reported; it then
  /// has no fields.
  Fields(const config::YamlNode& node, config::Position entry_at, std::string path,
         const ManifestContext& context);

  const std::string& path() const { return path_; }
  std::string path_of(std::string_view key) const;
  /// False when the node was no map.
  bool usable() const { return map_ != nullptr; }

  /// The value of a key, which is known from now on; nullptr when it is not there.
  const config::YamlNode* find(std::string_view key);
  /// The same; reports when it is not there: `expected …, got nothing`.
  const config::YamlNode* require(std::string_view key, std::string_view expected);

  void text(std::string_view key, std::string& out);
  void boolean(std::string_view key, bool& out);
  void integer(std::string_view key, int& out, IntegerRange range);
  void duration(std::string_view key, Duration& out, DurationRange range);
  /// A list of names (is_valid_name), none twice; `at` gets the place of each.
  void names(std::string_view key, std::vector<std::string>& out,
             std::vector<config::Position>* at = nullptr);
  /// A program and its words, with the place of each; all or none of them.
  void words(std::string_view key, std::vector<std::string>& out,
             std::vector<config::Position>& at);
  /// A map of texts; plain numbers and booleans are taken as they are written.
  void texts(std::string_view key, std::map<std::string, std::string>& out);
  template <class E>
  void choice(std::string_view key, E& out) {
    const auto& all = base::enum_names<E>();
    if (const int at = choice_index(key, {all.begin(), all.end()}); at >= 0) {
      out = static_cast<E>(at);
    }
  }
  /// Two durations of which `max` must not be less than `min`; what the file names is to blame.
  void backoff(Duration& min, Duration& max);
  /// The fields of a nested map; reads nothing when the key is not there.
  void section(std::string_view key, const std::function<void(Fields&)>& read);

  /// Reports unknown keys: by name those of `unserved`, the rest with a suggestion.
  void finish(std::span<const config::Unserved> unserved = {});

  void error(config::Position at, std::string_view key, std::string message,
             std::string suggestion = {}) const;

 private:
  int choice_index(std::string_view key, const std::vector<std::string_view>& names);
  bool fits_a_process(std::string_view key, const config::YamlNode& node);
  void wrong(std::string_view key, const config::YamlNode& node, const std::string& expected);

  const config::YamlNode* map_ = nullptr;
  config::Position at_;
  std::string path_;
  const ManifestContext& context_;
  std::vector<std::string> known_;
};

/// A name as users may write it; reports one that is not.
bool check_name(const std::string& name, config::Position at, std::string_view path,
                const ManifestContext& context);

}  // namespace mainstay::fleet
