#include "app/cli/input/input_json.h"

#include <fmt/format.h>

#include <cstddef>
#include <map>
#include <string_view>
#include <utility>

#include "base/text.h"
#include "platform/files/files.h"
#include "platform/json/json_scan.h"

namespace mainstay::app {
namespace {

using platform::JsonObject;
using platform::JsonScanner;
using platform::JsonWriter;

Result<std::pair<std::string, std::string>> key_and_value(const std::string& text,
                                                          std::string_view option) {
  const std::size_t equals = text.find('=');
  if (equals == std::string::npos || equals == 0) {
    return Error(Code::invalid_argument, fmt::format("{}: expected KEY=VALUE, got \"{}\"", option,
                                                     base::excerpt(text, 80)));
  }
  return std::pair(text.substr(0, equals), text.substr(equals + 1));
}

Result<std::string> whole_text(const std::string& whole) {
  if (whole != "-" && !whole.starts_with('@')) return whole;
  auto read = whole == "-" ? platform::read_fd(0, std::size_t{64} << 20, "standard input")
                           : platform::read_file(whole.substr(1));
  if (read) return read;
  return Error(Code::invalid_argument, "--input-json: " + read.error().message());
}

/// The members of an object in their order, values as they were written.
class Members {
 public:
  explicit Members(std::string_view object) {
    JsonScanner scan(object);
    scan.peek();
    scan.advance();
    while (scan.peek() == '"') {
      const auto key = platform::parse_json(scan.take_string());
      scan.peek();
      scan.advance();  // the colon
      put(std::string(std::string_view(key->get_string())), std::string(scan.take_value()));
      if (scan.peek() == ',') scan.advance();
    }
  }

  void put(const std::string& key, std::string value) {
    const auto [known, is_new] = at_.emplace(key, members_.size());
    if (is_new) {
      members_.emplace_back(key, std::move(value));
    } else {
      members_[known->second].second = std::move(value);
    }
  }

  std::string to_text() const {
    std::string out;
    JsonWriter json(out);
    json.begin_object();
    for (const auto& [key, value] : members_) json.member_raw(key, value);
    json.end_object();
    return out;
  }

 private:
  std::vector<std::pair<std::string, std::string>> members_;
  std::map<std::string, std::size_t> at_;
};

/// A value that is JSON stays as it is; anything else is a string.
std::string member_value(const std::string& text) {
  if (platform::parse_json(text)) return text;
  std::string quoted;
  platform::append_json_string(quoted, text);
  return quoted;
}

}  // namespace

Result<std::string> read_input(const std::vector<std::string>& members,
                               const std::optional<std::string>& whole) {
  auto text = whole_text(whole.value_or("{}"));
  if (!text) return text;
  const auto value = platform::parse_json(*text);
  if (!value) {
    return Error(Code::invalid_argument, "--input-json: " + value.error().message());
  }
  if (members.empty()) return text;
  if (!value->is_object()) {
    return Error(
        Code::invalid_argument,
        fmt::format("--input-json: expected an object, to put the members of --input into; "
                    "got {}",
                    platform::kind_for_people(*value)));
  }
  Members all(*text);
  for (const std::string& member : members) {
    auto pair = key_and_value(member, "--input");
    if (!pair) return std::move(pair).error();
    all.put(pair->first, member_value(pair->second));
  }
  return all.to_text();
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
