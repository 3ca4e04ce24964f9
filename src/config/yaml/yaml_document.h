// YAML files as Mainstay reads them: a tree that knows the place of every key and value, and
// refuses what would surprise somebody.
//
// Refused, with the place: duplicate keys, merge keys (`<<`), keys that are not plain words, tags
// other than the core ones, several documents, control characters, invalid UTF-8, numbers that do
// not fit, `.inf` and `.nan`, the escape "\0", and files over the limits (size, depth, nodes: an
// alias counts as all that it stands for, so alias bombs end early). Plain scalars have the types
// of the YAML 1.2 core schema: `no`, `on` and `1:20` are text, `012` is the number 12. Any thread.
// Third-party exceptions end here.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/problems.h"

namespace mainstay::config {

enum class YamlKind { null, boolean, integer, real, text, list, map };

struct YamlEntry;

struct YamlNode {
  YamlKind kind = YamlKind::null;
  Position at;
  /// Scalars of every kind: as they are written (without quotes).
  std::string text;
  bool boolean = false;
  std::int64_t integer = 0;
  /// Finite; also set for integers.
  double real = 0;
  std::vector<YamlNode> items;
  /// In file order, keys unique.
  std::vector<YamlEntry> entries;

  bool is_scalar() const { return kind != YamlKind::list && kind != YamlKind::map; }
  /// The value of `key`; nullptr when this is no map or has no such key.
  const YamlEntry* find(std::string_view key) const;
  /// For "got …": `"ten"`, `the number 12`, `true`, `a list`, `an empty map`,
  /// `nothing`.
  std::string describe() const;
};

struct YamlEntry {
  std::string key;
  Position key_at;
  YamlNode value;
};

struct YamlLimits {
  std::size_t max_bytes = std::size_t{1} << 20U;
  std::size_t max_depth = 64;
  std::size_t max_nodes = 100'000;
};

/// The document in `text`; null for an empty file. Errors are added to `problems` under the name
/// `file`. nullopt when it could not be read to its end; after lesser errors (a key twice, a number
/// that does not fit) the rest is given, so that its other errors can be found in the same run.
std::optional<YamlNode> read_yaml(std::string_view text, const std::string& file,
                                  Problems& problems, YamlLimits limits = {});

/// The same value as JSON text; numbers as YAML's core schema reads them.
std::string yaml_to_json(const YamlNode& node);

}  // namespace mainstay::config
