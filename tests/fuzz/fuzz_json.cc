// Any bytes as JSON: never a crash; what is accepted is written as JSON that reads back equal, and
// its members are found as they were written (fault H2).
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/assert.h"
#include "platform/json/json.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace mainstay::platform;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  std::string quoted;
  append_json_string(quoted, text);
  MS_ASSERT(parse_json(quoted).has_value(), "any bytes are written as a valid string");

  const auto value = parse_json(text);
  if (!value) return 0;
  const std::string written = to_text(*value);
  const auto again = parse_json(written);
  MS_ASSERT(again.has_value(), "what is written is not valid");
  MS_ASSERT(to_text(*again) == written, "reading back gives something else");
  MS_ASSERT(parse_json(to_pretty_text(*value)).has_value(), "the pretty form is not valid");
  if (const auto* object = value->if_object()) {
    for (const auto& member : *object) {
      const std::string_view key(member.key().data(), member.key().size());
      const auto found = member_text(written, key);
      MS_ASSERT(found && *found == to_text(member.value()), "a member is not found as written");
    }
  }
  if (const auto* array = value->if_array()) {
    MS_ASSERT(element_texts(text).size() == array->size(), "elements are not found as written");
  }
  return 0;
}
