// A reference of a pipeline, `SOURCE#POINTER`: which strings are one, and what they name. The
// grammar is in model/pipeline.h.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace mainstay::model {

struct Reference {
  /// `run`, `item`, `index` or a stage.
  std::string_view source;
  /// RFC 6901; empty names the whole value.
  std::string_view pointer;
};

/// What comes before the first '#', when it has the form of a source: `scan` of `scan#files`. Empty
/// for other text.
inline std::string_view source_of(std::string_view text) {
  const std::size_t mark = text.find('#');
  if (mark == std::string_view::npos) return {};
  const std::string_view source = text.substr(0, mark);
  for (const char c : source) {
    const bool letter = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
    if (!letter && c != '_' && c != '-' && c != '.') return {};
  }
  return source;
}

/// The reference that `text` spells, as views into it; nullopt when it has not that form. Whether
/// the source exists is for the caller to say.
inline std::optional<Reference> parse_reference(std::string_view text) {
  const std::string_view source = source_of(text);
  if (source.empty()) return std::nullopt;
  const std::string_view pointer = text.substr(source.size() + 1);
  if (!pointer.empty() && pointer.front() != '/') return std::nullopt;
  for (std::size_t i = 0; i < pointer.size(); ++i) {
    // RFC 6901, section 3: '~' is only written as "~0" or "~1".
    if (pointer[i] != '~') continue;
    if (i + 1 >= pointer.size() || (pointer[i + 1] != '0' && pointer[i + 1] != '1')) {
      return std::nullopt;
    }
  }
  return Reference{source, pointer};
}

}  // namespace mainstay::model
