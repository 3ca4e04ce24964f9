#include "store/database/columns.h"

#include "platform/json/json.h"

namespace mainstay::store {

using platform::JsonWriter;

// ---- binding ----------------------------------------------------------------------------------

Binder& Binder::labels(const std::map<std::string, std::string>& value) {
  if (value.empty()) return null();
  std::string& out = keep({});
  JsonWriter json(out);
  json.begin_object();
  for (const auto& [name, label] : value) json.member(name, label);
  json.end_object();
  return text(out);
}

Binder& Binder::list(const std::vector<std::string>& value) {
  if (value.empty()) return null();
  std::string& out = keep({});
  JsonWriter json(out);
  json.begin_array();
  for (const std::string& element : value) json.value(element);
  json.end_array();
  return text(out);
}

Binder& Binder::error(const std::optional<model::WorkError>& value) {
  if (!value) return null();
  std::string& out = keep({});
  JsonWriter json(out);
  json.begin_object()
      .member("kind", to_text(value->kind))
      .member("code", value->code)
      .member("message", value->message)
      .member("permanent", value->permanent);
  // As a text, so that whatever the agent said comes back exactly.
  if (!value->context_json.empty()) json.member("context", value->context_json);
  json.end_object();
  return text(out);
}

Binder& Binder::counts(const model::Usage& usage) {
  return integer(usage.prompt_tokens)
      .integer(usage.completion_tokens)
      .integer(usage.cached_tokens)
      .integer(usage.reasoning_tokens)
      .integer(usage.llm_requests)
      .integer(usage.api_calls);
}

Result<void> Binder::payload(const model::Payload& value, Blobs& blobs) {
  if (!value.blob.empty()) {
    null().text(value.blob);
    return {};
  }
  if (!value.has_value()) {
    null().null();
    return {};
  }
  if (value.text->size() <= model::Payload::kInlineLimit) {
    text(*value.text).null();
    return {};
  }
  Result<std::string> name = blobs.put(*value.text);
  if (!name) return std::move(name).error();
  null().text(keep(std::move(*name)));
  return {};
}

// ---- reading ----------------------------------------------------------------------------------

void ColumnReader::fail(std::string what) {
  if (error_) return;
  error_ = Error(Code::storage_corrupt, "a row of the work database holds " + what + " in column " +
                                            std::to_string(index_ - 1));
}

Result<void> ColumnReader::finish() {
  if (error_) return *std::move(error_);
  return {};
}

std::optional<Wall> ColumnReader::optional_wall() {
  std::optional<std::int64_t> micros = optional_integer();
  if (!micros) return std::nullopt;
  return base::wall_from_micros(*micros);
}

std::map<std::string, std::string> ColumnReader::labels() {
  std::map<std::string, std::string> labels;
  const std::string_view json = statement_.text(index_++);
  if (json.empty()) return labels;
  Result<platform::JsonObject> object = platform::parse_json_object(json);
  if (!object) return fail("labels that are not JSON"), labels;
  for (const auto& [name, value] : *object) {
    if (!value.is_string())
      fail("a label that is not a text");
    else
      labels.emplace(name, std::string_view(value.get_string()));
  }
  return labels;
}

std::vector<std::string> ColumnReader::list() {
  std::vector<std::string> list;
  const std::string_view json = statement_.text(index_++);
  if (json.empty()) return list;
  Result<platform::Json> array = platform::parse_json(json);
  if (!array || !array->is_array()) return fail("a list that is not JSON"), list;
  for (const platform::Json& value : array->get_array()) {
    if (!value.is_string())
      fail("a list's element that is not a text");
    else
      list.emplace_back(std::string_view(value.get_string()));
  }
  return list;
}

std::optional<model::WorkError> ColumnReader::error() {
  if (is_null()) return index_++, std::nullopt;
  const std::string_view json = statement_.text(index_++);
  Result<platform::JsonObject> object = platform::parse_json_object(json);
  model::WorkError error;
  if (!object) return fail("an error that is not JSON"), error;
  const auto text_of = [&object](std::string_view key) {
    const platform::Json* value = object->if_contains(key);
    return value != nullptr && value->is_string()
               ? std::string(std::string_view(value->get_string()))
               : std::string();
  };
  std::optional<model::FailureKind> kind = base::parse_enum<model::FailureKind>(text_of("kind"));
  if (!kind) fail("an error of unknown kind");
  error.kind = kind.value_or(model::FailureKind::error);
  error.code = text_of("code");
  error.message = text_of("message");
  const platform::Json* permanent = object->if_contains("permanent");
  error.permanent = permanent != nullptr && permanent->is_bool() && permanent->get_bool();
  error.context_json = text_of("context");
  return error;
}

void ColumnReader::counts(model::Usage& usage) {
  usage.prompt_tokens = integer();
  usage.completion_tokens = integer();
  usage.cached_tokens = integer();
  usage.reasoning_tokens = integer();
  usage.llm_requests = integer();
  usage.api_calls = integer();
}

model::Payload ColumnReader::payload(const Blobs* blobs) {
  model::Payload payload;
  if (!is_null()) payload.text = std::make_shared<const std::string>(statement_.text(index_));
  ++index_;
  payload.blob = std::string(statement_.text(index_++));
  if (payload.blob.empty() || blobs == nullptr) return payload;
  Result<std::string> text = blobs->get(payload.blob);
  if (text)
    payload.text = std::make_shared<const std::string>(std::move(*text));
  else if (!error_)
    error_ = std::move(text).error();
  return payload;
}

}  // namespace mainstay::store
