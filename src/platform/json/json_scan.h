// Walks text that is known to be valid JSON without building values: finds members and elements as
// they were written, and counts object members. Views live as long as the text.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace mainstay::platform {

class JsonScanner {
 public:
  explicit JsonScanner(std::string_view text) : text_(text) {}

  std::size_t position() const { return at_; }
  /// After white space; '\0' at the end.
  char peek();
  void advance() { ++at_; }
  /// A string with its quotes, as written.
  std::string_view take_string();
  /// The next value, whole, as written.
  std::string_view take_value();

 private:
  void skip_string();

  std::string_view text_;
  std::size_t at_ = 0;
};

/// Members of all objects in the text: one per colon outside of strings.
std::size_t count_members(std::string_view text);

/// Where the first key comes that its object already has, and which it is.
struct DuplicateKey {
  std::size_t offset = 0;
  std::string key;
};
DuplicateKey find_duplicate_key(std::string_view text);

}  // namespace mainstay::platform
