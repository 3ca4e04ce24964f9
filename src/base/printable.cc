#include "base/printable.h"

#include <fmt/format.h>

#include <cstddef>
#include <cstdint>

#include "base/text.h"

namespace mainstay::base {
namespace {

struct Character {
  std::uint32_t code = 0;
  /// Bytes that it takes; 0: what is there is no UTF-8.
  std::size_t size = 0;
};

Character first_of(std::string_view text) {
  const auto first = static_cast<unsigned char>(text.front());
  if (first < 0x80) return {first, 1};
  const std::size_t size = first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
  if (text.size() < size || !is_valid_utf8(text.substr(0, size))) return {};
  std::uint32_t code = first & (0x7fU >> size);
  for (std::size_t i = 1; i < size; ++i) {
    code = code << 6U | (static_cast<unsigned char>(text[i]) & 0x3fU);
  }
  return {code, size};
}

bool is_control(std::uint32_t code) {
  const bool c0 = code < 0x20 || code == 0x7f;
  const bool c1 = code >= 0x80 && code <= 0x9f;
  const bool line_end = code == 0x2028 || code == 0x2029;
  // Marks, embeddings, overrides and isolates (UAX #9); the byte order mark is drawn as nothing.
  const bool bidi = code == 0x061c || code == 0x200e || code == 0x200f ||
                    (code >= 0x202a && code <= 0x202e) || (code >= 0x2066 && code <= 0x2069);
  return c0 || c1 || line_end || bidi || code == 0xfeff;
}

std::string visible(std::uint32_t code) {
  if (code == '\n') return "\\n";
  if (code == '\r') return "\\r";
  if (code == '\t') return "\\t";
  // Those that a JSON string may hold as they are become its escapes, so that JSON stays JSON.
  return code < 0x20 ? fmt::format("\\x{:02x}", code) : fmt::format("\\u{:04x}", code);
}

std::string made_visible(std::string_view text, std::string_view but) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const Character next = first_of(text);
    if (next.size == 0) {
      out += fmt::format("\\x{:02x}", static_cast<unsigned char>(text.front()));
    } else if (is_control(next.code) && but.find(text.front()) == std::string_view::npos) {
      out += visible(next.code);
    } else {
      out += text.substr(0, next.size);
    }
    text.remove_prefix(next.size == 0 ? 1 : next.size);
  }
  return out;
}

}  // namespace

std::string printable(std::string_view text) { return made_visible(text, ""); }

std::string printable_lines(std::string_view text) { return made_visible(text, "\n\t"); }

}  // namespace mainstay::base
