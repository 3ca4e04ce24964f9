// For tests: holds a JSON value to a JSON Schema of the API's components, as far as they use the
// language: $ref, type, enum, properties, required, additionalProperties, items, oneOf.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "platform/json/json.h"

namespace mainstay::api {

class SchemaCheck {
 public:
  /// `document` is the OpenAPI document; it outlives the check.
  explicit SchemaCheck(const platform::Json& document) : document_(document) {}

  /// What is wrong with `value`, one text each, with its place.
  std::vector<std::string> check(const platform::Json& value, std::string_view schema_name) const {
    std::vector<std::string> wrong;
    const std::string pointer = "/components/schemas/" + std::string(schema_name);
    const platform::Json* schema = platform::at_pointer(document_, pointer);
    if (schema == nullptr) return {"there is no schema " + std::string(schema_name)};
    visit(value, *schema, "", wrong);
    return wrong;
  }

 private:
  using Json = platform::Json;

  static std::string text_of(const Json& value) {
    return {value.get_string().data(), value.get_string().size()};
  }
  static bool has_type(const Json& value, const std::string& type) {
    if (type == "object") return value.is_object();
    if (type == "array") return value.is_array();
    if (type == "string") return value.is_string();
    if (type == "boolean") return value.is_bool();
    if (type == "null") return value.is_null();
    if (type == "integer") return value.is_int64() || value.is_uint64();
    return type == "number" && value.is_number();
  }

  void visit(const Json& value, const Json& schema, const std::string& at,
             std::vector<std::string>& wrong) const {
    const auto& rules = schema.get_object();
    if (const Json* ref = rules.if_contains("$ref")) {
      const Json* target = platform::at_pointer(document_, text_of(*ref).substr(1));
      if (target == nullptr) return wrong.push_back(at + ": dangling " + text_of(*ref));
      return visit(value, *target, at, wrong);
    }
    if (const Json* choices = rules.if_contains("oneOf")) {
      int fitting = 0;
      for (const Json& choice : choices->get_array()) {
        std::vector<std::string> inner;
        visit(value, choice, at, inner);
        fitting += inner.empty() ? 1 : 0;
      }
      if (fitting != 1) wrong.push_back(at + ": fits " + std::to_string(fitting) + " of oneOf");
      return;
    }
    check_type(value, rules, at, wrong);
    if (value.is_object()) check_object(value, rules, at, wrong);
    if (const Json* items = rules.if_contains("items"); items != nullptr && value.is_array()) {
      for (std::size_t i = 0; i < value.get_array().size(); ++i) {
        visit(value.get_array()[i], *items, at + "/" + std::to_string(i), wrong);
      }
    }
  }

  static void check_type(const Json& value, const platform::JsonObject& rules,
                         const std::string& at, std::vector<std::string>& wrong) {
    if (const Json* type = rules.if_contains("type")) {
      bool fits = type->is_string() && has_type(value, text_of(*type));
      if (const auto* types = type->if_array()) {
        for (const Json& each : *types) fits = fits || has_type(value, text_of(each));
      }
      if (!fits) wrong.push_back(at + ": is " + std::string(platform::kind_for_people(value)));
    }
    if (const Json* names = rules.if_contains("enum")) {
      bool known = false;
      for (const Json& name : names->get_array()) known = known || name == value;
      if (!known) wrong.push_back(at + ": not of its enum: " + platform::to_text(value));
    }
  }

  void check_object(const Json& value, const platform::JsonObject& rules, const std::string& at,
                    std::vector<std::string>& wrong) const {
    if (const Json* required = rules.if_contains("required")) {
      for (const Json& name : required->get_array()) {
        if (!value.get_object().contains(name.get_string())) {
          wrong.push_back(at + ": lacks " + text_of(name));
        }
      }
    }
    const Json* properties = rules.if_contains("properties");
    const Json* others = rules.if_contains("additionalProperties");
    for (const auto& member : value.get_object()) {
      const std::string key(member.key().data(), member.key().size());
      const Json* schema =
          properties == nullptr ? nullptr : properties->get_object().if_contains(member.key());
      if (schema != nullptr) {
        visit(member.value(), *schema, at + "/" + key, wrong);
      } else if (others != nullptr && others->is_object()) {
        visit(member.value(), *others, at + "/" + key, wrong);
      } else if (others != nullptr && !others->get_bool()) {
        wrong.push_back(at + ": has the unknown member " + key);
      }
    }
  }

  const Json& document_;
};

}  // namespace mainstay::api
