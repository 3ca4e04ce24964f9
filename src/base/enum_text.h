// Enumerators that are wire strings: one table per enum gives both directions.
//
//   MS_ENUM_TEXT(model, WorkState, queued, running, succeeded)   // at global scope
// defines enum class model::WorkState, to_text(WorkState), and parse_enum<WorkState>("queued").
#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <string_view>

namespace mainstay::base {

template <class E>
struct EnumNames;  // specialised by MS_ENUM_TEXT

/// The comma-separated names of an enum's list, split at compile time; a trailing '_' (used where
/// a name would be a C++ keyword) is dropped.
template <std::size_t N>
constexpr std::array<std::string_view, N> split_names(std::string_view list) {
  std::array<std::string_view, N> names{};
  std::size_t at = 0;
  for (std::size_t i = 0; i < N; ++i) {
    while (at < list.size() && (list[at] == ' ' || list[at] == ',')) ++at;
    std::size_t end = at;
    while (end < list.size() && list[end] != ',' && list[end] != ' ') ++end;
    std::size_t stop = end;
    if (stop > at && list[stop - 1] == '_') --stop;
    names[i] = list.substr(at, stop - at);
    at = end;
  }
  return names;
}

constexpr std::size_t count_names(std::string_view list) {
  std::size_t n = 1;
  for (char c : list) n += c == ',' ? 1U : 0U;
  return n;
}

/// The enumerator with this wire string; nullopt when there is none.
template <class E>
std::optional<E> parse_enum(std::string_view text) {
  constexpr const auto& names = EnumNames<E>::kNames;
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (names[i] == text) return static_cast<E>(i);
  }
  return std::nullopt;
}

/// All wire strings of an enum, in order; for "expected one of …" messages.
template <class E>
constexpr const auto& enum_names() {
  return EnumNames<E>::kNames;
}

}  // namespace mainstay::base

/// Use at global scope: NS is the folder (`model`), E the type, then the enumerators.
#define MS_ENUM_TEXT(NS, E, ...)                                                \
  namespace mainstay::NS {                                                      \
  enum class E { __VA_ARGS__ };                                                 \
  }                                                                             \
  template <>                                                                   \
  struct mainstay::base::EnumNames<mainstay::NS::E> {                           \
    static constexpr std::string_view kList = #__VA_ARGS__;                     \
    static constexpr auto kNames =                                              \
        mainstay::base::split_names<mainstay::base::count_names(kList)>(kList); \
  };                                                                            \
  namespace mainstay::NS {                                                      \
  inline std::string_view to_text(E e) {                                        \
    return ::mainstay::base::EnumNames<E>::kNames[static_cast<std::size_t>(e)]; \
  }                                                                             \
  }
