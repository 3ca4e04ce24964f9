#include "work/pipelines/reference.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/text.h"
#include "work/validation.h"

namespace mainstay::work {
namespace {

using platform::Json;
using platform::JsonArray;
using platform::JsonObject;

constexpr std::string_view kLiteral = "$literal";

const Json kNull;

Error unresolved(const model::Reference& reference, std::string_view why) {
  return Error(Code::reference_unresolved, fmt::format("reference {}#{}: {}", reference.source,
                                                       base::excerpt(reference.pointer, 200), why))
      .with("reference", fmt::format("{}#{}", reference.source, reference.pointer));
}

/// How far the pointer leads: for the message.
std::string where_it_ends(const Json& root, std::string_view pointer) {
  std::size_t end = pointer.size();
  while (end > 0) {
    end = pointer.rfind('/', end - 1);
    const Json* last = platform::at_pointer(root, pointer.substr(0, end));
    if (last == nullptr) continue;
    return fmt::format("there is nothing at it; {} is {}",
                       end == 0 ? "the whole" : fmt::format("\"{}\"", pointer.substr(0, end)),
                       platform::kind_for_people(*last));
  }
  return "there is nothing at it";
}

bool is_literal(const Json& value) {
  const JsonObject* object = value.if_object();
  return object != nullptr && object->size() == 1 && object->begin()->key() == kLiteral;
}

Result<void> append_resolved(const Json& value, Sources& sources, std::string& out);

Result<void> append_members(const JsonObject& object, Sources& sources, std::string& out) {
  out.push_back('{');
  bool first = true;
  for (const auto& [key, member] : object) {
    if (!std::exchange(first, false)) out.push_back(',');
    platform::append_json_string(out, {key.data(), key.size()});
    out.push_back(':');
    if (auto ok = append_resolved(member, sources, out); !ok) return ok;
  }
  out.push_back('}');
  return {};
}

/// What we put together holds outputs and errors of the deepest kind that is accepted, a few levels
/// further down.
constexpr platform::JsonLimits kOwnDocument{.max_depth = 128};

// Recursion is bounded by the depth that the JSON reader allows.
Result<void> append_resolved(const Json& value, Sources& sources, std::string& out) {
  if (out.size() > kMaxInput) return {};  // refused by the caller
  if (const auto* text = value.if_string()) {
    const auto reference = sources.reference({text->data(), text->size()});
    if (reference) return sources.append(*reference, out);
  }
  if (is_literal(value)) {
    platform::append_json(out, value.get_object().begin()->value());
    return {};
  }
  if (const JsonObject* object = value.if_object()) return append_members(*object, sources, out);
  if (const JsonArray* array = value.if_array()) {
    out.push_back('[');
    for (std::size_t i = 0; i < array->size(); ++i) {
      if (i > 0) out.push_back(',');
      if (auto ok = append_resolved((*array)[i], sources, out); !ok) return ok;
    }
    out.push_back(']');
    return {};
  }
  platform::append_json(out, value);
  return {};
}

bool is_empty(const Json& value) {
  switch (value.kind()) {
    case boost::json::kind::null:
      return true;
    case boost::json::kind::bool_:
      return !value.get_bool();
    case boost::json::kind::string:
      return value.get_string().empty();
    case boost::json::kind::array:
      return value.get_array().empty();
    case boost::json::kind::object:
      return value.get_object().empty();
    default:
      return value.to_number<double>() == 0;
  }
}

bool same_value(const Json& a, const Json& b);

bool same_members(const JsonObject& a, const JsonObject& b) {
  return a.size() == b.size() && std::all_of(a.begin(), a.end(), [&b](const auto& member) {
           const Json* other = b.if_contains(member.key());
           return other != nullptr && same_value(member.value(), *other);
         });
}

/// As JSON sees it: 1 and 1.0 are the same number, the order of members does not matter.
bool same_value(const Json& a, const Json& b) {
  if (a.is_number() && b.is_number()) {
    if (a.is_double() || b.is_double()) return a.to_number<double>() == b.to_number<double>();
    return a == b;
  }
  if (a.kind() != b.kind()) return false;
  if (a.is_object()) return same_members(a.get_object(), b.get_object());
  if (!a.is_array()) return a == b;
  const JsonArray& left = a.get_array();
  const JsonArray& right = b.get_array();
  return std::equal(left.begin(), left.end(), right.begin(), right.end(), same_value);
}

Error not_a_reference(std::string_view what, std::string_view text) {
  return Error(Code::reference_unresolved,
               fmt::format("{}: \"{}\" is not a reference; expected SOURCE#POINTER, where SOURCE "
                           "is run, item, index or a stage of this pipeline",
                           what, base::excerpt(text, 200)));
}

}  // namespace

void Sources::add(std::string name, model::Payload json) {
  documents_.insert_or_assign(std::move(name), Document{std::move(json), std::nullopt, false});
}

void Sources::add_skipped(std::string name) {
  documents_.insert_or_assign(std::move(name), Document{{}, Json(), true});
}

void Sources::set_element(const Json* element, std::int64_t index) {
  element_ = element;
  index_ = index;
}

bool Sources::is_source(std::string_view name) const {
  return name == "run" || name == "item" || name == "index" ||
         std::find(stages_.begin(), stages_.end(), name) != stages_.end();
}

std::optional<model::Reference> Sources::reference(std::string_view text) const {
  auto reference = model::parse_reference(text);
  if (reference && !is_source(reference->source)) reference.reset();
  return reference;
}

Result<const Json*> Sources::root(std::string_view source) {
  const model::Reference whole{source, ""};
  if (source == "item" || source == "index") {
    if (element_ == nullptr) return unresolved(whole, "this stage has no foreach");
    return source == "item" ? element_ : &index_;
  }
  const auto found = documents_.find(source);
  if (found == documents_.end()) {
    return unresolved(whole, "the stage is not among those that this one needs");
  }
  Document& document = found->second;
  if (!document.parsed) {
    auto parsed = platform::parse_json(document.text.view(), kOwnDocument);
    if (!parsed) {
      return Error(unresolved(whole, "the output cannot be read: " + parsed.error().message()))
          .caused_by(parsed.error());
    }
    document.parsed = *std::move(parsed);
  }
  return &*document.parsed;
}

Result<const Json*> Sources::find(const model::Reference& reference) {
  auto top = root(reference.source);
  if (!top) return top;
  const auto document = documents_.find(reference.source);
  if (document != documents_.end() && document->second.skipped) return &kNull;
  const Json* value = platform::at_pointer(**top, reference.pointer);
  if (value == nullptr) return unresolved(reference, where_it_ends(**top, reference.pointer));
  return value;
}

Result<void> Sources::append(const model::Reference& reference, std::string& out) {
  const auto document = documents_.find(reference.source);
  if (reference.pointer.empty() && document != documents_.end() && !document->second.skipped) {
    out.append(document->second.text.view());
    return {};
  }
  auto value = find(reference);
  if (!value) return std::move(value).error();
  platform::append_json(out, **value);
  return {};
}

Result<std::string> resolve_input(const Json& input_template, Sources& sources) {
  std::string out;
  if (auto ok = append_resolved(input_template, sources, out); !ok) return ok.error();
  if (out.size() > kMaxInput) {
    return Error(Code::payload_too_large,
                 fmt::format("input: over the limit of {} bytes", kMaxInput));
  }
  return out;
}

Result<bool> holds(const model::Condition& condition, Sources& sources) {
  const auto reference = sources.reference(condition.reference);
  if (!reference) return not_a_reference("when", condition.reference);
  const auto found = sources.find(*reference);
  const bool exists = found && !(*found)->is_null();
  if (condition.kind == model::ConditionKind::exists) return exists;
  if (condition.kind == model::ConditionKind::not_empty) return exists && !is_empty(**found);
  auto wanted = platform::parse_json(condition.value_json);
  if (!wanted) return std::move(wanted).error();
  const bool equal = found && same_value(**found, *wanted);
  return condition.kind == model::ConditionKind::equals ? equal : !equal;
}

Result<const JsonArray*> elements_of(std::string_view foreach_reference, Sources& sources) {
  static const JsonArray kEmpty;
  const auto reference = sources.reference(foreach_reference);
  if (!reference) return not_a_reference("foreach", foreach_reference);
  auto value = sources.find(*reference);
  if (!value) return std::move(value).error();
  if (*value == &kNull) return &kEmpty;  // of a skipped stage
  const JsonArray* array = (*value)->if_array();
  if (array == nullptr) {
    return unresolved(*reference, fmt::format("foreach needs an array; this is {}",
                                              platform::kind_for_people(**value)));
  }
  return array;
}

}  // namespace mainstay::work
