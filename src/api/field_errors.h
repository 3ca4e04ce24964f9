// Reads the members of a request's body and collects everything that is wrong with it, so that the
// caller learns all of it at once (WRK-1): which field, which value, what would be right.
//
// Pure; one request, one thread.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "platform/json/json.h"

namespace mainstay::api {

class FieldErrors {
 public:
  void add(std::string field, std::string message) {
    errors_.emplace_back(std::move(field), std::move(message));
  }
  bool empty() const { return errors_.empty(); }
  /// The error's message has all of them; its fields are field → message.
  Error to_error(Code code, std::string_view what) const;

 private:
  std::vector<std::pair<std::string, std::string>> errors_;
};

/// `"text"` cut to a readable length, `12`, `an array`: a value in a message.
std::string shown(const platform::Json& value);

/// The members of one object. Every method that finds its member wrong adds an error and returns
/// nothing; null counts as absent.
class FieldReader {
 public:
  /// `prefix` comes before the field names in messages, such as `work[3].`.
  FieldReader(const platform::JsonObject& object, FieldErrors& errors, std::string prefix = "");

  std::optional<std::string> text(std::string_view name, std::size_t max_bytes);
  std::optional<std::int64_t> integer(std::string_view name, std::int64_t min, std::int64_t max);
  std::optional<bool> boolean(std::string_view name);
  /// A positive duration such as `30s`.
  std::optional<Duration> duration(std::string_view name, Duration max);
  std::optional<Wall> moment(std::string_view name);
  std::optional<std::map<std::string, std::string>> labels(std::string_view name);
  std::optional<std::vector<std::string>> texts(std::string_view name, std::size_t max_count,
                                                std::size_t max_bytes);
  const platform::JsonObject* object(std::string_view name);
  /// Marks a member as known that is read otherwise.
  const platform::Json* any(std::string_view name);
  /// A member that a later version will serve.
  void not_served(std::string_view name, std::string_view what);
  /// Adds an error for each member that nothing asked for.
  void refuse_unknown();

  void wrong(std::string_view name, std::string message);

 private:
  /// The member; nullptr when absent or null.
  const platform::Json* find(std::string_view name);

  const platform::JsonObject& object_;
  FieldErrors& errors_;
  const std::string prefix_;
  std::vector<std::string> known_;
};

}  // namespace mainstay::api
