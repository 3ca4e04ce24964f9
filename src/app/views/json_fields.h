// Reading the API's answers: a member as what it should be, or nothing.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "platform/json/json.h"

namespace mainstay::app {

/// The member, or null when `value` is no object or has none.
inline const platform::Json& field(const platform::Json& value, std::string_view key) {
  static const platform::Json kNull;
  if (!value.is_object()) return kNull;
  const platform::Json* found = value.get_object().if_contains(key);
  return found == nullptr ? kNull : *found;
}

/// Text of a string; empty for anything else.
inline std::string text_of(const platform::Json& value, std::string_view key) {
  const platform::Json& found = field(value, key);
  return found.is_string() ? std::string(found.get_string()) : std::string();
}

/// A whole number that 64 bits hold; 0 for anything else (files and answers may be damaged).
inline std::int64_t number_of(const platform::Json& value, std::string_view key) {
  boost::system::error_code failed;
  const auto number = field(value, key).to_number<std::int64_t>(failed);
  return failed ? 0 : number;
}

/// The elements of an array member; empty for anything else.
inline const platform::JsonArray& list_of(const platform::Json& value, std::string_view key) {
  static const platform::JsonArray kNone;
  const platform::Json& found = field(value, key);
  return found.is_array() ? found.get_array() : kNone;
}

/// The members of an object member; empty for anything else.
inline const platform::JsonObject& object_of(const platform::Json& value, std::string_view key) {
  static const platform::JsonObject kNone;
  const platform::Json& found = field(value, key);
  return found.is_object() ? found.get_object() : kNone;
}

}  // namespace mainstay::app
