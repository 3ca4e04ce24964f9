#include "app/cli/input_json.h"

#include <fmt/format.h>

#include <utility>

#include "base/text.h"
#include "platform/files/files.h"

namespace mainstay::app {
namespace {

using platform::Json;
using platform::JsonObject;

Result<std::pair<std::string, std::string>> key_and_value(const std::string& text,
                                                          std::string_view option) {
  const std::size_t equals = text.find('=');
  if (equals == std::string::npos || equals == 0) {
    return Error(Code::invalid_argument, fmt::format("{}: expected KEY=VALUE, got \"{}\"", option,
                                                     base::excerpt(text, 80)));
  }
  return std::pair(text.substr(0, equals), text.substr(equals + 1));
}

Result<Json> whole_value(const std::string& whole) {
  if (whole.empty()) return Json(JsonObject{});
  std::string text = whole;
  if (whole == "-" || whole.front() == '@') {
    auto read = whole == "-" ? platform::read_fd(0, std::size_t{64} << 20, "standard input")
                             : platform::read_file(whole.substr(1));
    if (!read) {
      return Error(Code::invalid_argument, "--input-json: " + read.error().message());
    }
    text = std::move(*read);
  }
  auto value = platform::parse_json(text);
  if (!value) {
    return Error(Code::invalid_argument, "--input-json: " + value.error().message());
  }
  return value;
}

}  // namespace

Result<Json> read_input(const std::vector<std::string>& members, const std::string& whole) {
  auto value = whole_value(whole);
  if (!value || members.empty()) return value;
  if (!value->is_object()) {
    return Error(
        Code::invalid_argument,
        fmt::format("--input-json: expected an object, to put the members of --input into; "
                    "got {}",
                    platform::kind_for_people(*value)));
  }
  for (const std::string& member : members) {
    auto pair = key_and_value(member, "--input");
    if (!pair) return std::move(pair).error();
    auto parsed = platform::parse_json(pair->second);
    value->get_object()[pair->first] = parsed ? std::move(*parsed) : Json(pair->second);
  }
  return value;
}

Result<JsonObject> read_labels(const std::vector<std::string>& labels) {
  JsonObject object;
  for (const std::string& label : labels) {
    auto pair = key_and_value(label, "--label");
    if (!pair) return std::move(pair).error();
    object[pair->first] = pair->second;
  }
  return object;
}

}  // namespace mainstay::app
