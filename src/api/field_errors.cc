#include "api/field_errors.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "work/validation.h"

namespace mainstay::api {
namespace {

using platform::Json;
using platform::JsonObject;

constexpr std::size_t kShownBytes = 80;

std::string_view view_of(const Json& value) {
  return {value.get_string().data(), value.get_string().size()};
}

}  // namespace

std::string shown(const Json& value) {
  if (value.is_object() || value.is_array()) return std::string(platform::kind_for_people(value));
  if (!value.is_string()) return platform::to_text(value);
  return "\"" + base::excerpt(view_of(value), kShownBytes) + "\"";
}

Error FieldErrors::to_error(Code code, std::string_view what) const {
  std::string message = fmt::format("{} is not valid: ", what);
  for (std::size_t i = 0; i < errors_.size(); ++i) {
    message += fmt::format("{}{}: {}", i == 0 ? "" : "; ", errors_[i].first, errors_[i].second);
  }
  Error error(code, std::move(message));
  for (const auto& [field, text] : errors_) error = std::move(error).with(field, text);
  return error;
}

FieldReader::FieldReader(const JsonObject& object, FieldErrors& errors, std::string prefix)
    : object_(object), errors_(errors), prefix_(std::move(prefix)) {}

void FieldReader::wrong(std::string_view name, std::string message) {
  errors_.add(prefix_ + std::string(name), std::move(message));
}

const Json* FieldReader::any(std::string_view name) {
  known_.emplace_back(name);
  return object_.if_contains(boost::json::string_view(name.data(), name.size()));
}

const Json* FieldReader::find(std::string_view name) {
  const Json* value = any(name);
  return value == nullptr || value->is_null() ? nullptr : value;
}

std::optional<std::string> FieldReader::text(std::string_view name, std::size_t max_bytes) {
  const Json* value = find(name);
  if (value == nullptr) return std::nullopt;
  if (!value->is_string()) {
    wrong(name, "expected a string, got " + shown(*value));
    return std::nullopt;
  }
  if (value->get_string().size() > max_bytes) {
    wrong(name,
          fmt::format("expected at most {} bytes, got {}", max_bytes, value->get_string().size()));
    return std::nullopt;
  }
  return std::string(view_of(*value));
}

std::optional<std::int64_t> FieldReader::integer(std::string_view name, std::int64_t min,
                                                 std::int64_t max) {
  const Json* value = find(name);
  if (value == nullptr) return std::nullopt;
  const std::int64_t* number = value->if_int64();
  if (number != nullptr && *number >= min && *number <= max) return *number;
  wrong(name, fmt::format("expected an integer from {} to {}, got {}", min, max, shown(*value)));
  return std::nullopt;
}

std::optional<bool> FieldReader::boolean(std::string_view name) {
  const Json* value = find(name);
  if (value == nullptr) return std::nullopt;
  if (value->is_bool()) return value->get_bool();
  wrong(name, "expected true or false, got " + shown(*value));
  return std::nullopt;
}

std::optional<Duration> FieldReader::duration(std::string_view name, Duration max) {
  const Json* value = find(name);
  if (value == nullptr) return std::nullopt;
  const auto duration =
      value->is_string() ? base::parse_duration(view_of(*value)) : std::optional<Duration>();
  if (duration && *duration > Duration(0) && *duration <= max) return duration;
  wrong(name, fmt::format("expected a duration such as 30s or 1m30s, up to {}, got {}",
                          base::duration_to_text(max), shown(*value)));
  return std::nullopt;
}

std::optional<Wall> FieldReader::moment(std::string_view name) {
  const Json* value = find(name);
  if (value == nullptr) return std::nullopt;
  const auto moment =
      value->is_string() ? base::wall_from_text(view_of(*value)) : std::optional<Wall>();
  if (!moment) {
    wrong(name, "expected a time such as 2026-11-21T10:14:39Z, got " + shown(*value));
  }
  return moment;
}

std::optional<std::map<std::string, std::string>> FieldReader::labels(std::string_view name) {
  const Json* value = find(name);
  if (value == nullptr) return std::nullopt;
  if (!value->is_object()) {
    wrong(name, "expected an object of strings, got " + shown(*value));
    return std::nullopt;
  }
  std::map<std::string, std::string> labels;
  if (value->get_object().size() > work::kMaxLabels) {
    wrong(name,
          fmt::format("expected at most {}, got {}", work::kMaxLabels, value->get_object().size()));
    return std::nullopt;
  }
  for (const auto& member : value->get_object()) {
    const std::string_view key(member.key().data(), member.key().size());
    const std::string field = fmt::format("{}.{}", name, base::excerpt(key, kShownBytes));
    if (!base::is_valid_name(key)) {
      wrong(field,
            "expected a name of 1 to 63 of [a-z0-9_.-], with a letter or digit at both ends");
    } else if (!member.value().is_string()) {
      wrong(field, "expected a string, got " + shown(member.value()));
    } else if (member.value().get_string().size() > work::kMaxLabelValue) {
      wrong(field, fmt::format("expected at most {} bytes", work::kMaxLabelValue));
    } else {
      labels.emplace(key, view_of(member.value()));
    }
  }
  return labels;
}

std::optional<std::vector<std::string>> FieldReader::texts(std::string_view name,
                                                           std::size_t max_count,
                                                           std::size_t max_bytes) {
  const Json* value = find(name);
  if (value == nullptr) return std::nullopt;
  if (!value->is_array() || value->get_array().size() > max_count) {
    wrong(name,
          fmt::format("expected an array of at most {} strings, got {}", max_count, shown(*value)));
    return std::nullopt;
  }
  std::vector<std::string> texts;
  for (const Json& element : value->get_array()) {
    if (!element.is_string() || element.get_string().empty() ||
        element.get_string().size() > max_bytes) {
      wrong(name,
            fmt::format("expected strings of 1 to {} bytes, got {}", max_bytes, shown(element)));
      return std::nullopt;
    }
    texts.emplace_back(view_of(element));
  }
  return texts;
}

const JsonObject* FieldReader::object(std::string_view name) {
  const Json* value = find(name);
  if (value == nullptr) return nullptr;
  if (!value->is_object()) wrong(name, "expected an object, got " + shown(*value));
  return value->if_object();
}

void FieldReader::not_served(std::string_view name, std::string_view what) {
  if (any(name) == nullptr) return;
  wrong(name,
        fmt::format("not served by this version ({}); take it out, it would have no effect", what));
}

void FieldReader::refuse_unknown() {
  for (const auto& member : object_) {
    const std::string name(member.key().data(), member.key().size());
    if (std::find(known_.begin(), known_.end(), name) != known_.end()) continue;
    const auto near = base::nearest(name, known_);
    wrong(base::excerpt(name, kShownBytes),
          near ? fmt::format("there is no such field; did you mean \"{}\"?", *near)
               : "there is no such field");
  }
}

}  // namespace mainstay::api
