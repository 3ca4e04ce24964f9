#include "work/tables/pipeline_codec.h"

#include <utility>

#include "platform/json/json.h"

namespace mainstay::work {
namespace {

using platform::Json;
using platform::JsonArray;
using platform::JsonObject;
using platform::JsonWriter;

void write_stage(JsonWriter& json, const model::StageSpec& stage) {
  json.begin_object()
      .member("name", stage.name)
      .member("capability", stage.capability)
      .key("needs")
      .begin_array();
  for (const std::string& need : stage.needs) json.value(need);
  json.end_array();
  // JSON texts go as texts, so that their bytes, and with them numbers and order, are kept.
  json.member("foreach", stage.foreach_reference)
      .member("max_parallel", stage.max_parallel)
      .member("input", stage.input_json)
      .member("timeout_ns", stage.timeout.count())
      .member("idle_timeout_ns", stage.idle_timeout.count())
      .member("retries", stage.retries)
      .member("backoff_min_ns", stage.backoff_min.count())
      .member("backoff_max_ns", stage.backoff_max.count())
      .member("priority", stage.priority)
      .member("critical", stage.critical);
  if (stage.when) {
    json.key("when")
        .begin_object()
        .member("kind", to_text(stage.when->kind))
        .member("reference", stage.when->reference)
        .member("value", stage.when->value_json)
        .end_object();
  }
  json.end_object();
}

/// Reads members of an object; the first that is missing or of another type is remembered.
class Members {
 public:
  Members(const Json& value, std::string& wrong) : wrong_(wrong) {
    if (value.is_object())
      object_ = &value.get_object();
    else if (wrong_.empty())
      wrong_ = "not an object";
  }
  std::string text(const char* key) {
    const Json* value = find(key);
    if (value != nullptr && value->is_string()) return std::string(value->get_string());
    return bad(key), std::string();
  }
  std::int64_t integer(const char* key) {
    const Json* value = find(key);
    if (value != nullptr && value->is_int64()) return value->get_int64();
    return bad(key), 0;
  }
  bool truth(const char* key) {
    const Json* value = find(key);
    if (value != nullptr && value->is_bool()) return value->get_bool();
    return bad(key), false;
  }
  const JsonArray& array(const char* key) {
    static const JsonArray kNone;
    const Json* value = find(key);
    if (value != nullptr && value->is_array()) return value->get_array();
    return bad(key), kNone;
  }
  const Json* find(const char* key) const {
    return object_ != nullptr ? object_->if_contains(key) : nullptr;
  }
  void bad(const char* key) {
    if (wrong_.empty()) wrong_ = key;
  }

 private:
  const JsonObject* object_ = nullptr;
  std::string& wrong_;
};

model::Condition read_condition(const Json& value, std::string& wrong) {
  Members members(value, wrong);
  model::Condition condition;
  std::optional<model::ConditionKind> kind =
      base::parse_enum<model::ConditionKind>(members.text("kind"));
  if (!kind) members.bad("kind");
  condition.kind = kind.value_or(model::ConditionKind::exists);
  condition.reference = members.text("reference");
  condition.value_json = members.text("value");
  return condition;
}

model::StageSpec read_stage(const Json& value, std::string& wrong) {
  Members members(value, wrong);
  model::StageSpec stage;
  stage.name = members.text("name");
  stage.capability = members.text("capability");
  for (const Json& need : members.array("needs")) {
    if (need.is_string())
      stage.needs.emplace_back(std::string_view(need.get_string()));
    else
      members.bad("needs");
  }
  stage.foreach_reference = members.text("foreach");
  stage.max_parallel = static_cast<int>(members.integer("max_parallel"));
  stage.input_json = members.text("input");
  stage.timeout = Duration(members.integer("timeout_ns"));
  stage.idle_timeout = Duration(members.integer("idle_timeout_ns"));
  stage.retries = static_cast<int>(members.integer("retries"));
  stage.backoff_min = Duration(members.integer("backoff_min_ns"));
  stage.backoff_max = Duration(members.integer("backoff_max_ns"));
  stage.priority = static_cast<int>(members.integer("priority"));
  stage.critical = members.truth("critical");
  if (const Json* when = members.find("when")) stage.when = read_condition(*when, wrong);
  return stage;
}

}  // namespace

std::string pipeline_to_json(const model::PipelineSpec& pipeline) {
  std::string out;
  JsonWriter json(out);
  json.begin_object()
      .member("name", pipeline.name)
      .member("version", pipeline.version)
      .member("description", pipeline.description)
      .member("timeout_ns", pipeline.timeout.count())
      .key("stages")
      .begin_array();
  for (const model::StageSpec& stage : pipeline.stages) write_stage(json, stage);
  json.end_array().end_object();
  return out;
}

Result<model::PipelineSpec> pipeline_from_json(std::string_view text) {
  Result<Json> parsed = platform::parse_json(text);
  std::string wrong;
  model::PipelineSpec pipeline;
  if (parsed) {
    Members members(*parsed, wrong);
    pipeline.name = members.text("name");
    pipeline.version = static_cast<int>(members.integer("version"));
    pipeline.description = members.text("description");
    pipeline.timeout = Duration(members.integer("timeout_ns"));
    for (const Json& stage : members.array("stages")) {
      pipeline.stages.push_back(read_stage(stage, wrong));
    }
    if (wrong.empty()) return pipeline;
  } else {
    wrong = parsed.error().message();
  }
  return Error(Code::storage_corrupt, "the stored pipeline of a run cannot be read: " + wrong);
}

}  // namespace mainstay::work
