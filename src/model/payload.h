// The JSON that a work item carries in or out, as text that nobody parses without need.
//
// In memory the text is shared, never copied. In rows, text over kInlineLimit is kept as the
// SHA-256 of a content-addressed blob, which is on disk before the row that names it is committed.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

namespace mainstay::model {

struct Payload {
  static constexpr std::size_t kInlineLimit = 64 * 1024;

  /// Never null for a payload in use; null means "none".
  std::shared_ptr<const std::string> text;
  /// Lower-case hex SHA-256 when the text is kept as a blob; else empty.
  std::string blob;

  static Payload of(std::string json) {
    return {std::make_shared<const std::string>(std::move(json)), {}};
  }
  bool has_value() const { return text != nullptr; }
  std::string_view view() const { return text ? std::string_view(*text) : std::string_view(); }
};

}  // namespace mainstay::model
