// JSON: strict reading and plain writing. Bytes from outside become a value or an Error that says
// where they are wrong; nothing is guessed, merged or dropped.
//
// Strict (RFC 8259, and I-JSON's rule on keys): duplicate keys, invalid UTF-8, lone surrogates,
// numbers beyond a double, comments, trailing data and deep nesting are refused.
// Threads: free functions without state. Fails: Code::invalid_argument with the byte offset.
#pragma once

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "platform/json/json_text.h"

namespace mainstay::platform {

using Json = boost::json::value;
using JsonObject = boost::json::object;
using JsonArray = boost::json::array;

struct JsonLimits {
  /// Arrays and objects inside each other.
  std::size_t max_depth = 64;
  std::size_t max_bytes = 64UL * 1024 * 1024;
};

/// One JSON value and nothing behind it (white space may surround it).
Result<Json> parse_json(std::string_view text, JsonLimits limits = {});
/// The same, and the value must be an object.
Result<JsonObject> parse_json_object(std::string_view text, JsonLimits limits = {});

/// Compact; object members in their order; numbers in their shortest form that reads back equal.
std::string to_text(const Json& value);
std::string to_text(const JsonObject& value);
void append_json(std::string& out, const Json& value);
/// Two spaces a level, for people.
std::string to_pretty_text(const Json& value);

/// The value at an RFC 6901 pointer ("" is the whole); nullptr when there is none, or the pointer
/// is not one. Lives as long as `root`.
const Json* at_pointer(const Json& root, std::string_view pointer);

/// The text of member `key` of an object whose text is known to be valid JSON, exactly as it was
/// written; nullopt when there is none. For payloads that go on untouched.
std::optional<std::string_view> member_text(std::string_view object_text, std::string_view key);
/// The texts of the elements of an array whose text is known to be valid JSON.
std::vector<std::string_view> element_texts(std::string_view array_text);

/// One spelling of a value, to compare or hash it by: members sorted by key, no white space,
/// strings with the least of escapes, numbers as they were written. The text is known to be valid
/// JSON.
std::string canonical_json(std::string_view text);

/// `an object`, `a string`, …: for messages about a value of the wrong type.
std::string_view kind_for_people(const Json& value);

}  // namespace mainstay::platform
