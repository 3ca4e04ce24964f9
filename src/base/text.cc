#include "base/text.h"

#include <algorithm>
#include <array>
#include <limits>
#include <utility>

namespace mainstay::base {
namespace {

constexpr std::uint64_t kMaxU64 = std::numeric_limits<std::uint64_t>::max();
/// Names longer than this are not compared; nobody mistypes one word of that length.
constexpr std::size_t kNearestLimit = 128;

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_space(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\v' || c == '\f';
}
char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

std::string lowered(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = lower(c);
  return out;
}

/// Takes the digits at the front of `text`; nullopt when there are none or they overflow.
std::optional<std::uint64_t> take_number(std::string_view& text) {
  std::uint64_t value = 0;
  std::size_t n = 0;
  for (; n < text.size() && is_digit(text[n]); ++n) {
    const auto digit = static_cast<std::uint64_t>(text[n] - '0');
    if (value > (kMaxU64 - digit) / 10) return std::nullopt;
    value = value * 10 + digit;
  }
  if (n == 0) return std::nullopt;
  text.remove_prefix(n);
  return value;
}

struct Unit {
  std::string_view name;
  std::uint64_t factor;
};

// Largest first. `ms` stands before `m` so that it is recognised as a whole.
constexpr std::array<Unit, 6> kDurationUnits{{{"d", 86'400'000'000'000},
                                              {"h", 3'600'000'000'000},
                                              {"m", 60'000'000'000},
                                              {"s", 1'000'000'000},
                                              {"ms", 1'000'000},
                                              {"us", 1'000}}};

constexpr std::array<Unit, 9> kSizeUnits{{{"B", 1},
                                          {"KiB", 1ULL << 10U},
                                          {"MiB", 1ULL << 20U},
                                          {"GiB", 1ULL << 30U},
                                          {"TiB", 1ULL << 40U},
                                          {"KB", 1'000},
                                          {"MB", 1'000'000},
                                          {"GB", 1'000'000'000},
                                          {"TB", 1'000'000'000'000}}};

std::string_view take_letters(std::string_view& text) {
  std::size_t n = 0;
  while (n < text.size() && !is_digit(text[n])) ++n;
  const std::string_view letters = text.substr(0, n);
  text.remove_prefix(n);
  return letters;
}

void append_padded(std::string& out, std::int64_t value, std::size_t width) {
  const std::string digits = std::to_string(value);
  if (digits.size() < width) out.append(width - digits.size(), '0');
  out += digits;
}

bool is_continuation(char c) { return (static_cast<unsigned char>(c) & 0xc0U) == 0x80U; }

/// Bytes of the UTF-8 character at the front of `text` (RFC 3629: no overlong forms, surrogates or
/// values over U+10FFFF); 0 when there is none.
std::size_t utf8_length(std::string_view text) {
  const auto at = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char first = at(0);
  if (first < 0x80) return 1;
  if (first < 0xc2 || first > 0xf4) return 0;
  const std::size_t length = first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
  if (text.size() < length) return 0;
  for (std::size_t i = 1; i < length; ++i) {
    if (!is_continuation(text[i])) return 0;
  }
  const unsigned char second = at(1);
  if (first == 0xe0 && second < 0xa0) return 0;
  if (first == 0xed && second > 0x9f) return 0;
  if (first == 0xf0 && second < 0x90) return 0;
  if (first == 0xf4 && second > 0x8f) return 0;
  return length;
}

/// Exactly `width` digits at the front, as a number; nullopt when they are not there.
std::optional<int> take_digits(std::string_view& text, std::size_t width) {
  if (text.size() < width) return std::nullopt;
  int value = 0;
  for (std::size_t i = 0; i < width; ++i) {
    if (!is_digit(text[i])) return std::nullopt;
    value = value * 10 + (text[i] - '0');
  }
  text.remove_prefix(width);
  return value;
}

bool take_char(std::string_view& text, char expected) {
  if (text.empty() || lower(text.front()) != expected) return false;
  text.remove_prefix(1);
  return true;
}

/// `YYYY-MM-DD`, a day that exists.
std::optional<std::chrono::sys_days> take_date(std::string_view& text) {
  const auto year = take_digits(text, 4);
  if (!year || !take_char(text, '-')) return std::nullopt;
  const auto month = take_digits(text, 2);
  if (!month || !take_char(text, '-')) return std::nullopt;
  const auto day = take_digits(text, 2);
  if (!day) return std::nullopt;
  const std::chrono::year_month_day date{std::chrono::year(*year),
                                         std::chrono::month(static_cast<unsigned>(*month)),
                                         std::chrono::day(static_cast<unsigned>(*day))};
  if (!date.ok()) return std::nullopt;
  return std::chrono::sys_days(date);
}

/// `HH:MM:SS` with an optional fraction, which is cut after microseconds.
std::optional<std::chrono::microseconds> take_time(std::string_view& text) {
  const auto hour = take_digits(text, 2);
  if (!hour || *hour > 23 || !take_char(text, ':')) return std::nullopt;
  const auto minute = take_digits(text, 2);
  if (!minute || *minute > 59 || !take_char(text, ':')) return std::nullopt;
  const auto second = take_digits(text, 2);
  if (!second || *second > 60) return std::nullopt;
  std::int64_t micros = 0;
  if (take_char(text, '.')) {
    std::size_t digits = 0;
    for (; !text.empty() && is_digit(text.front()); text.remove_prefix(1), ++digits) {
      if (digits < 6) micros = micros * 10 + (text.front() - '0');
    }
    if (digits == 0) return std::nullopt;
    for (; digits < 6; ++digits) micros *= 10;
  }
  return std::chrono::hours(*hour) + std::chrono::minutes(*minute) + std::chrono::seconds(*second) +
         std::chrono::microseconds(micros);
}

/// `Z` or `+HH:MM` or `-HH:MM`.
std::optional<std::chrono::minutes> take_offset(std::string_view& text) {
  if (take_char(text, 'z')) return std::chrono::minutes(0);
  if (text.empty() || (text.front() != '+' && text.front() != '-')) return std::nullopt;
  const int sign = text.front() == '-' ? -1 : 1;
  text.remove_prefix(1);
  const auto hour = take_digits(text, 2);
  if (!hour || *hour > 23 || !take_char(text, ':')) return std::nullopt;
  const auto minute = take_digits(text, 2);
  if (!minute || *minute > 59) return std::nullopt;
  return std::chrono::minutes(sign * (*hour * 60 + *minute));
}

}  // namespace

std::optional<Duration> parse_duration(std::string_view text) {
  constexpr auto kMax = static_cast<std::uint64_t>(Duration::max().count());
  if (text == "0") return Duration(0);
  if (text.empty()) return std::nullopt;
  std::uint64_t total = 0;
  std::size_t next_unit = 0;
  while (!text.empty()) {
    const auto count = take_number(text);
    if (!count) return std::nullopt;
    const std::string_view name = take_letters(text);
    while (next_unit < kDurationUnits.size() && kDurationUnits[next_unit].name != name) ++next_unit;
    if (next_unit == kDurationUnits.size()) return std::nullopt;
    const std::uint64_t factor = kDurationUnits[next_unit++].factor;
    if (*count > (kMax - total) / factor) return std::nullopt;
    total += *count * factor;
  }
  return Duration(static_cast<std::int64_t>(total));
}

std::string duration_to_text(Duration d) {
  std::string out;
  // The magnitude as unsigned, so that the smallest value has one.
  auto rest = static_cast<std::uint64_t>(d.count());
  if (d.count() < 0) rest = 0 - rest;
  for (const Unit& unit : kDurationUnits) {
    if (const std::uint64_t count = rest / unit.factor; count > 0) {
      out.append(std::to_string(count)).append(unit.name);
    }
    rest %= unit.factor;
  }
  if (out.empty()) return "0s";
  return d.count() < 0 ? "-" + out : out;
}

std::string duration_for_people(Duration d) {
  if (d.count() < 0) return "-" + duration_for_people(d == Duration::min() ? Duration::max() : -d);
  const std::int64_t ns = d.count();
  if (ns == 0) return "0s";
  if (ns < 100'000'000) {
    const std::int64_t ms = (ns + 500'000) / 1'000'000;
    return ms == 0 ? "<1ms" : std::to_string(ms) + "ms";
  }
  const std::int64_t tenths = ns / 100'000'000 + (ns % 100'000'000 >= 50'000'000 ? 1 : 0);
  std::string out;
  if (tenths < 100) {
    return out.append(std::to_string(tenths / 10)).append(".").append(std::to_string(tenths % 10)) +
           "s";
  }
  const std::int64_t seconds = ns / 1'000'000'000 + (ns % 1'000'000'000 >= 500'000'000 ? 1 : 0);
  if (seconds < 60) return std::to_string(seconds) + "s";
  const auto two_parts = [&](std::int64_t big, const char* unit, std::int64_t small,
                             const char* small_unit) {
    out.append(std::to_string(big)).append(unit).append(" ");
    append_padded(out, small, 2);
    return out + small_unit;
  };
  if (seconds < 3600) return two_parts(seconds / 60, "m", seconds % 60, "s");
  if (seconds < 86400) return two_parts(seconds / 3600, "h", seconds / 60 % 60, "m");
  return two_parts(seconds / 86400, "d", seconds / 3600 % 24, "h");
}

std::optional<std::uint64_t> parse_size(std::string_view text) {
  const auto count = take_number(text);
  if (!count) return std::nullopt;
  if (text.empty()) return count;
  const auto* unit = std::find_if(kSizeUnits.begin(), kSizeUnits.end(),
                                  [&](const Unit& u) { return u.name == text; });
  if (unit == kSizeUnits.end() || *count > kMaxU64 / unit->factor) return std::nullopt;
  return *count * unit->factor;
}

std::size_t edit_distance(std::string_view a, std::string_view b) {
  // Optimal string alignment: three rows of the table of prefixes, O(|a| * |b|).
  std::vector<std::size_t> before(b.size() + 1);
  std::vector<std::size_t> last(b.size() + 1);
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    before.swap(last);
    last.swap(row);
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t replace = last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      row[j] = std::min({replace, last[j] + 1, row[j - 1] + 1});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        row[j] = std::min(row[j], before[j - 2] + 1);
      }
    }
  }
  return row[b.size()];
}

std::optional<std::string> nearest(std::string_view name, const std::vector<std::string>& names) {
  if (name.empty() || name.size() > kNearestLimit) return std::nullopt;
  const std::string wanted = lowered(name);
  const std::string* best = nullptr;
  std::size_t best_distance = 0;
  for (const std::string& candidate : names) {
    if (candidate.size() > kNearestLimit) continue;
    // A third of the letters may be wrong, three at most; one always may in three letters or more.
    const std::size_t allowed =
        std::min<std::size_t>(3, std::max(name.size(), candidate.size()) / 3);
    const std::size_t distance = edit_distance(wanted, lowered(candidate));
    if (distance > allowed || (best != nullptr && distance >= best_distance)) continue;
    best = &candidate;
    best_distance = distance;
  }
  if (best == nullptr) return std::nullopt;
  return *best;
}

bool is_valid_utf8(std::string_view text) {
  while (!text.empty()) {
    const std::size_t length = utf8_length(text);
    if (length == 0) return false;
    text.remove_prefix(length);
  }
  return true;
}

std::string excerpt(std::string_view text, std::size_t max_bytes) {
  constexpr std::string_view kMark = "…";
  if (text.size() <= max_bytes) return std::string(text);
  const bool marked = max_bytes >= kMark.size();
  std::size_t cut = marked ? max_bytes - kMark.size() : max_bytes;
  // A character has at most three continuation bytes; more of them are not text anyway.
  for (int i = 0; i < 3 && cut > 0 && is_continuation(text[cut]); ++i) --cut;
  return std::string(text.substr(0, cut)).append(marked ? kMark : std::string_view());
}

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  while (true) {
    const std::size_t at = text.find(separator);
    parts.push_back(text.substr(0, at));
    if (at == std::string_view::npos) return parts;
    text.remove_prefix(at + 1);
  }
}

std::string_view trim(std::string_view text) {
  while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
  return text;
}

std::string join(const std::vector<std::string>& parts, std::string_view separator) {
  std::string out;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    if (i > 0) out += separator;
    out += parts[i];
  }
  return out;
}

std::string wall_to_text(Wall wall) {
  const auto day = std::chrono::floor<std::chrono::days>(wall);
  const std::chrono::year_month_day date{day};
  const std::int64_t micros = (wall - day).count();
  const std::int64_t seconds = micros / 1'000'000;
  std::string out;
  out.reserve(27);
  append_padded(out, static_cast<int>(date.year()), 4);
  append_padded(out += '-', static_cast<unsigned>(date.month()), 2);
  append_padded(out += '-', static_cast<unsigned>(date.day()), 2);
  append_padded(out += 'T', seconds / 3600, 2);
  append_padded(out += ':', seconds / 60 % 60, 2);
  append_padded(out += ':', seconds % 60, 2);
  append_padded(out += '.', micros % 1'000'000, 6);
  return out += 'Z';
}

std::optional<Wall> wall_from_text(std::string_view text) {
  const bool leap = text.size() > 19 && text.substr(17, 2) == "60";
  const auto day = take_date(text);
  if (!day || !take_char(text, 't')) return std::nullopt;
  const auto time = take_time(text);
  if (!time) return std::nullopt;
  const auto offset = take_offset(text);
  if (!offset || !text.empty()) return std::nullopt;
  const Wall wall = Wall(*day) + *time - *offset;
  // Second 60 is a leap second, which only the last minute of a UTC day has; it is taken as the
  // first second of the next day.
  const auto since_midnight = wall - std::chrono::floor<std::chrono::days>(wall);
  if (leap && since_midnight >= std::chrono::seconds(1)) return std::nullopt;
  return wall;
}

std::string to_hex(std::string_view bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string out;
  out.reserve(bytes.size() * 2);
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    out += kDigits[byte >> 4U];
    out += kDigits[byte & 0x0fU];
  }
  return out;
}

bool is_valid_name(std::string_view name) {
  constexpr std::size_t kMaxName = 63;
  const auto is_alnum = [](char c) { return is_digit(c) || (c >= 'a' && c <= 'z'); };
  if (name.empty() || name.size() > kMaxName) return false;
  if (!is_alnum(name.front()) || !is_alnum(name.back())) return false;
  return std::all_of(name.begin(), name.end(),
                     [&](char c) { return is_alnum(c) || c == '_' || c == '.' || c == '-'; });
}

}  // namespace mainstay::base
