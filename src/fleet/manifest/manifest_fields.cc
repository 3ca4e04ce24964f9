#include "fleet/manifest/manifest_fields.h"

#include <algorithm>
#include <utility>

#include "base/text.h"

namespace mainstay::fleet {

using config::name_expectation;
using config::quote;
using config::YamlEntry;
using config::YamlKind;
using config::YamlNode;

namespace {

/// The longest argument or variable that Linux hands to a program, but for its name (127 KiB of
/// the 128 that execve takes).
constexpr std::size_t kMaxProcessText = std::size_t{127} << 10U;

}  // namespace

bool check_name(const std::string& name, config::Position at, std::string_view path,
                const ManifestContext& context) {
  if (base::is_valid_name(name)) return true;
  context.error(at, path, name_expectation() + ", got " + quote(name));
  return false;
}

Fields::Fields(const YamlNode& node, config::Position entry_at, std::string path,
               const ManifestContext& context)
    : at_(entry_at), path_(std::move(path)), context_(context) {
  if (node.kind == YamlKind::map) {
    map_ = &node;
  } else {
    context_.error(node.at, path_, "expected a map, got " + node.describe());
  }
}

std::string Fields::path_of(std::string_view key) const {
  return path_.empty() ? std::string(key) : path_ + "." + std::string(key);
}

void Fields::error(config::Position at, std::string_view key, std::string message,
                   std::string suggestion) const {
  context_.error(at, path_of(key), std::move(message), std::move(suggestion));
}

void Fields::wrong(std::string_view key, const YamlNode& node, const std::string& expected) {
  error(node.at, key, expected + ", got " + node.describe());
}

const YamlNode* Fields::find(std::string_view key) {
  if (std::find(known_.begin(), known_.end(), key) == known_.end()) known_.emplace_back(key);
  if (map_ == nullptr) return nullptr;
  const YamlEntry* entry = map_->find(key);
  return entry == nullptr ? nullptr : &entry->value;
}

const YamlNode* Fields::require(std::string_view key, std::string_view expected) {
  const YamlNode* node = find(key);
  if (node == nullptr && map_ != nullptr) {
    error(at_, key, "expected " + std::string(expected) + ", got nothing");
  }
  return node;
}

void Fields::text(std::string_view key, std::string& out) {
  const YamlNode* node = find(key);
  if (node == nullptr) return;
  if (node->kind != YamlKind::text) return wrong(key, *node, "expected text");
  out = node->text;
}

void Fields::boolean(std::string_view key, bool& out) {
  const YamlNode* node = find(key);
  if (node == nullptr) return;
  if (node->kind != YamlKind::boolean) return wrong(key, *node, "expected true or false");
  out = node->boolean;
}

void Fields::integer(std::string_view key, int& out, IntegerRange range) {
  const YamlNode* node = find(key);
  if (node == nullptr) return;
  if (node->kind != YamlKind::integer || node->integer < range.min || node->integer > range.max) {
    return wrong(key, *node,
                 "expected a whole number from " + std::to_string(range.min) + " to " +
                     std::to_string(range.max));
  }
  out = static_cast<int>(node->integer);
}

void Fields::duration(std::string_view key, Duration& out, DurationRange range) {
  const YamlNode* node = find(key);
  if (node == nullptr) return;
  // A bare 0 is a number to YAML; other numbers lack their unit.
  const bool has_form = node->kind == YamlKind::text || node->kind == YamlKind::integer;
  const auto value = has_form ? base::parse_duration(node->text) : std::nullopt;
  if (!value || *value < range.min || *value > range.max) {
    return wrong(key, *node,
                 "expected a duration such as 10s, from " + base::duration_to_text(range.min) +
                     " to " + base::duration_to_text(range.max));
  }
  out = *value;
}

void Fields::names(std::string_view key, std::vector<std::string>& out,
                   std::vector<config::Position>* at) {
  const YamlNode* node = find(key);
  if (node == nullptr) return;
  if (node->kind != YamlKind::list) return wrong(key, *node, "expected a list of names");
  for (const YamlNode& item : node->items) {
    if (item.kind != YamlKind::text && item.kind != YamlKind::integer) {
      wrong(key, item, name_expectation());
    } else if (!check_name(item.text, item.at, path_of(key), context_)) {
      continue;
    } else if (std::find(out.begin(), out.end(), item.text) != out.end()) {
      error(item.at, key, "expected each name once, got " + quote(item.text) + " again");
    } else {
      out.push_back(item.text);
      if (at != nullptr) at->push_back(item.at);
    }
  }
}

void Fields::words(std::string_view key, std::vector<std::string>& out,
                   std::vector<config::Position>& at) {
  const YamlNode* node = find(key);
  if (node == nullptr) return;
  constexpr std::string_view kExpected = "expected a list of words such as [python3, agent.py]";
  if (node->kind != YamlKind::list || node->items.empty()) {
    return wrong(key, *node, std::string(kExpected));
  }
  bool right = true;
  for (const YamlNode& item : node->items) {
    if (!item.is_scalar() || item.kind == YamlKind::null) {
      wrong(key, item, std::string(kExpected));
      right = false;
    } else if (!fits_a_process(key, item)) {
      right = false;
    }
    out.push_back(item.text);
    at.push_back(item.at);
  }
  if (right && out.front().empty()) {
    wrong(key, node->items.front(), "expected the program in the first place");
    right = false;
  }
  if (right) return;
  // Checks of half a command would find errors that are none.
  out.clear();
  at.clear();
}

bool Fields::fits_a_process(std::string_view key, const YamlNode& node) {
  if (node.text.size() <= kMaxProcessText) return true;
  error(node.at, key,
        "expected at most " + std::to_string(kMaxProcessText) +
            " bytes, which is what the kernel takes, got " + std::to_string(node.text.size()));
  return false;
}

void Fields::backoff(Duration& min, Duration& max) {
  duration("backoff_min", min, {std::chrono::milliseconds(1), std::chrono::hours(1)});
  duration("backoff_max", max, {std::chrono::milliseconds(1), std::chrono::hours(24)});
  const bool read = !context_.problems.has_error(path_of("backoff_min")) &&
                    !context_.problems.has_error(path_of("backoff_max"));
  if (!read || max >= min) return;
  const std::string low = base::duration_to_text(min);
  const std::string high = base::duration_to_text(max);
  if (const YamlNode* node = find("backoff_max")) {
    const bool named = find("backoff_min") != nullptr;
    error(node->at, "backoff_max",
          "expected at least backoff_min (" + low + (named ? "" : ", its default") + "), got " +
              high);
  } else {
    error(find("backoff_min")->at, "backoff_min",
          "expected at most backoff_max (" + high + ", its default), got " + low);
  }
}

void Fields::texts(std::string_view key, std::map<std::string, std::string>& out) {
  const YamlNode* node = find(key);
  if (node == nullptr) return;
  if (node->kind != YamlKind::map) return wrong(key, *node, "expected a map of names to texts");
  for (const YamlEntry& entry : node->entries) {
    if (!entry.value.is_scalar() || entry.value.kind == YamlKind::null) {
      error(entry.value.at, std::string(key) + "." + entry.key,
            "expected text, got " + entry.value.describe());
      continue;
    }
    if (!fits_a_process(std::string(key) + "." + entry.key, entry.value)) continue;
    out[entry.key] = entry.value.text;
  }
}

int Fields::choice_index(std::string_view key, const std::vector<std::string_view>& names) {
  const YamlNode* node = find(key);
  if (node == nullptr) return -1;
  const auto found = std::find(names.begin(), names.end(), node->text);
  if (node->kind == YamlKind::text && found != names.end()) {
    return static_cast<int>(found - names.begin());
  }
  const std::vector<std::string> words(names.begin(), names.end());
  error(node->at, key, "expected one of " + base::join(words, ", ") + ", got " + node->describe(),
        base::nearest(node->text, words).value_or(""));
  return -1;
}

void Fields::section(std::string_view key, const std::function<void(Fields&)>& read) {
  const YamlNode* node = find(key);
  if (node == nullptr) return;
  Fields inner(*node, node->at, path_of(key), context_);
  if (inner.usable()) read(inner);
}

void Fields::finish(std::span<const config::Unserved> unserved) {
  if (map_ == nullptr) return;
  for (const YamlEntry& entry : map_->entries) {
    if (std::find(known_.begin(), known_.end(), entry.key) != known_.end()) continue;
    if (const config::Unserved* later = config::find_unserved(unserved, entry.key)) {
      error(entry.key_at, entry.key, config::unserved_text(*later));
      continue;
    }
    error(entry.key_at, entry.key, "there is no such field; expected " + base::join(known_, ", "),
          base::nearest(entry.key, known_).value_or(""));
  }
}

}  // namespace mainstay::fleet
