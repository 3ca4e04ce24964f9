#include "config/yaml/yaml_document.h"
#include "platform/json/json_text.h"

namespace mainstay::config {
namespace {

void append(platform::JsonWriter& json, const YamlNode& node) {
  switch (node.kind) {
    case YamlKind::null:
      json.null();
      return;
    case YamlKind::boolean:
      json.value(node.boolean);
      return;
    case YamlKind::integer:
      json.value(node.integer);
      return;
    case YamlKind::real:
      json.value(node.real);
      return;
    case YamlKind::text:
      json.value(node.text);
      return;
    case YamlKind::list:
      json.begin_array();
      for (const YamlNode& item : node.items) append(json, item);
      json.end_array();
      return;
    case YamlKind::map:
      json.begin_object();
      for (const YamlEntry& entry : node.entries) {
        json.key(entry.key);
        append(json, entry.value);
      }
      json.end_object();
      return;
  }
}

}  // namespace

std::string yaml_to_json(const YamlNode& node) {
  std::string out;
  platform::JsonWriter json(out);
  append(json, node);
  return out;
}

}  // namespace mainstay::config
