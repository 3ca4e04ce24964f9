#include "platform/json/json.h"

#include <boost/json/parser.hpp>
#include <charconv>
#include <cmath>
#include <exception>

#include "platform/json/json_scan.h"

namespace mainstay::platform {
namespace {

Error bad_json(std::string message, std::size_t offset) {
  return Error(Code::invalid_argument,
               "not valid JSON at byte " + std::to_string(offset) + ": " + std::move(message))
      .with("offset", std::to_string(offset));
}

std::size_t members_of(const Json& value) {
  std::size_t members = 0;
  if (const auto* object = value.if_object()) {
    members = object->size();
    for (const auto& member : *object) members += members_of(member.value());
  } else if (const auto* array = value.if_array()) {
    for (const Json& element : *array) members += members_of(element);
  }
  return members;
}

bool has_double(const Json& value) {
  if (const auto* object = value.if_object()) {
    for (const auto& member : *object) {
      if (has_double(member.value())) return true;
    }
  } else if (const auto* array = value.if_array()) {
    for (const Json& element : *array) {
      if (has_double(element)) return true;
    }
  }
  return value.is_double();
}

/// Boost.JSON 1.81 rounds long numbers to a neighbour of the nearest double; here each is read from
/// its text again, exactly. Walks the value and its text side by side. false: out of range.
bool correct_doubles(Json& value, JsonScanner& scan) {
  const auto next = [&] {
    if (scan.peek() == ',') scan.advance();
  };
  scan.peek();
  if (auto* object = value.if_object()) {
    scan.advance();
    for (auto& member : *object) {
      scan.take_string();
      scan.peek();
      scan.advance();  // the colon
      if (!correct_doubles(member.value(), scan)) return false;
      next();
    }
    scan.peek();
    scan.advance();
  } else if (auto* array = value.if_array()) {
    scan.advance();
    for (Json& element : *array) {
      if (!correct_doubles(element, scan)) return false;
      next();
    }
    scan.peek();
    scan.advance();
  } else {
    const std::string_view text = scan.take_value();
    if (double* number = value.if_double()) {
      double exact = 0;
      const auto read = std::from_chars(text.data(), text.data() + text.size(), exact);
      if (read.ec == std::errc()) *number = exact;
      return std::isfinite(*number);
    }
  }
  return true;
}

Result<Json> parse_with_library(std::string_view text, JsonLimits limits) {
  try {
    boost::json::parse_options options;
    options.max_depth = limits.max_depth;
    unsigned char scratch[2048];
    boost::json::parser parser({}, options, scratch);
    boost::json::error_code failed;
    const std::size_t read = parser.write(text.data(), text.size(), failed);
    if (failed) return bad_json(failed.message(), read);
    return parser.release();
  } catch (const std::exception& broken) {
    return bad_json(broken.what(), 0);
  }
}

void append_scalar(std::string& out, const Json& value) {
  switch (value.kind()) {
    case boost::json::kind::null:
      out += "null";
      break;
    case boost::json::kind::bool_:
      out += value.get_bool() ? "true" : "false";
      break;
    case boost::json::kind::int64:
      append_json_integer(out, value.get_int64());
      break;
    case boost::json::kind::uint64:
      append_json_integer(out, value.get_uint64());
      break;
    case boost::json::kind::double_:
      append_json_number(out, value.get_double());
      break;
    case boost::json::kind::string:
      append_json_string(out, {value.get_string().data(), value.get_string().size()});
      break;
    default:
      break;
  }
}

/// indent < 0: compact.
struct Layout {
  int indent = -1;
  void line(std::string& out) const {
    if (indent < 0) return;
    out += '\n';
    out.append(static_cast<std::size_t>(indent) * 2, ' ');
  }
  Layout deeper() const { return {indent < 0 ? -1 : indent + 1}; }
};

void append_value(std::string& out, const Json& value, Layout layout);

void append_object(std::string& out, const JsonObject& object, Layout layout) {
  out += '{';
  bool first = true;
  for (const auto& member : object) {
    if (!first) out += ',';
    first = false;
    layout.deeper().line(out);
    append_json_string(out, {member.key().data(), member.key().size()});
    out += layout.indent < 0 ? ":" : ": ";
    append_value(out, member.value(), layout.deeper());
  }
  if (!first) layout.line(out);
  out += '}';
}

void append_value(std::string& out, const Json& value, Layout layout) {
  if (const auto* object = value.if_object()) {
    append_object(out, *object, layout);
  } else if (const auto* array = value.if_array()) {
    out += '[';
    bool first = true;
    for (const Json& element : *array) {
      if (!first) out += ',';
      first = false;
      layout.deeper().line(out);
      append_value(out, element, layout.deeper());
    }
    if (!first) layout.line(out);
    out += ']';
  } else {
    append_scalar(out, value);
  }
}

}  // namespace

Result<Json> parse_json(std::string_view text, JsonLimits limits) {
  if (text.size() > limits.max_bytes) {
    return Error(Code::payload_too_large, "JSON of " + std::to_string(text.size()) +
                                              " bytes is over the limit of " +
                                              std::to_string(limits.max_bytes) + " bytes");
  }
  Result<Json> value = parse_with_library(text, limits);
  if (!value) return value;
  // The library keeps the last of equal keys; every member of the text must be in the value.
  if (members_of(*value) != count_members(text)) {
    const DuplicateKey twice = find_duplicate_key(text);
    return bad_json("the key \"" + twice.key + "\" comes twice in one object", twice.offset);
  }
  JsonScanner scan(text);
  if (has_double(*value) && !correct_doubles(*value, scan)) {
    return bad_json("a number is out of range", scan.position());
  }
  return value;
}

Result<JsonObject> parse_json_object(std::string_view text, JsonLimits limits) {
  Result<Json> value = parse_json(text, limits);
  if (!value) return std::move(value).error();
  if (!value->is_object()) {
    return Error(Code::invalid_argument,
                 "expected a JSON object, got " + std::string(kind_for_people(*value)));
  }
  return std::move(value->get_object());
}

std::string to_text(const Json& value) {
  std::string out;
  append_value(out, value, {});
  return out;
}

std::string to_text(const JsonObject& value) {
  std::string out;
  append_object(out, value, {});
  return out;
}

void append_json(std::string& out, const Json& value) { append_value(out, value, {}); }

std::string to_pretty_text(const Json& value) {
  std::string out;
  append_value(out, value, {0});
  return out;
}

const Json* at_pointer(const Json& root, std::string_view pointer) {
  if (!pointer.empty() && pointer.front() != '/') return nullptr;
  boost::json::error_code failed;
  const Json* found =
      root.find_pointer(boost::json::string_view(pointer.data(), pointer.size()), failed);
  return failed ? nullptr : found;
}

std::optional<std::string_view> member_text(std::string_view object_text, std::string_view key) {
  std::string quoted;
  append_json_string(quoted, key);
  JsonScanner scan(object_text);
  if (scan.peek() != '{') return std::nullopt;
  scan.advance();
  while (scan.peek() == '"') {
    const std::string_view name = scan.take_string();
    scan.peek();
    scan.advance();  // the colon
    const std::string_view value = scan.take_value();
    if (name == quoted) return value;
    if (scan.peek() == ',') scan.advance();
  }
  return std::nullopt;
}

std::vector<std::string_view> element_texts(std::string_view array_text) {
  std::vector<std::string_view> elements;
  JsonScanner scan(array_text);
  if (scan.peek() != '[') return elements;
  scan.advance();
  while (scan.peek() != ']' && scan.peek() != '\0') {
    elements.push_back(scan.take_value());
    if (scan.peek() == ',') scan.advance();
  }
  return elements;
}

std::string_view kind_for_people(const Json& value) {
  switch (value.kind()) {
    case boost::json::kind::null:
      return "null";
    case boost::json::kind::bool_:
      return "a boolean";
    case boost::json::kind::int64:
    case boost::json::kind::uint64:
      return "an integer";
    case boost::json::kind::double_:
      return "a number";
    case boost::json::kind::string:
      return "a string";
    case boost::json::kind::array:
      return "an array";
    case boost::json::kind::object:
      return "an object";
  }
  return "a value";
}

}  // namespace mainstay::platform
