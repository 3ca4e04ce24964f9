#include "config/yaml/yaml_scalar.h"

#include <charconv>
#include <cmath>
#include <string_view>
#include <system_error>

namespace mainstay::config {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

std::string_view without_sign(std::string_view text) {
  if (!text.empty() && (text.front() == '-' || text.front() == '+')) text.remove_prefix(1);
  return text;
}

std::size_t count_digits(std::string_view text) {
  std::size_t n = 0;
  while (n < text.size() && is_digit(text[n])) ++n;
  return n;
}

/// [-+]? ( \. [0-9]+ | [0-9]+ ( \. [0-9]* )? ) ( [eE] [-+]? [0-9]+ )?
bool is_number(std::string_view text) {
  text = without_sign(text);
  const std::size_t whole = count_digits(text);
  text.remove_prefix(whole);
  if (!text.empty() && text.front() == '.') {
    text.remove_prefix(1);
    const std::size_t fraction = count_digits(text);
    if (whole == 0 && fraction == 0) return false;
    text.remove_prefix(fraction);
  } else if (whole == 0) {
    return false;
  }
  if (text.empty()) return true;
  if (text.front() != 'e' && text.front() != 'E') return false;
  text = without_sign(text.substr(1));
  return !text.empty() && count_digits(text) == text.size();
}

bool is_infinite(std::string_view text) {
  text = without_sign(text);
  return text == ".inf" || text == ".Inf" || text == ".INF";
}

bool is_not_a_number(std::string_view text) {
  return text == ".nan" || text == ".NaN" || text == ".NAN";
}

/// The base of an integer's digits: 10, or 8 and 16 for `0o17` and `0x1f`; 0 when it is none.
int integer_base(std::string_view text) {
  if (text.size() > 2 && text[0] == '0' && (text[1] == 'o' || text[1] == 'x')) {
    const bool octal = text[1] == 'o';
    for (const char c : text.substr(2)) {
      const bool letter = (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
      if (octal ? (c < '0' || c > '7') : (!is_digit(c) && !letter)) return 0;
    }
    return octal ? 8 : 16;
  }
  const std::string_view digits = without_sign(text);
  return !digits.empty() && count_digits(digits) == digits.size() ? 10 : 0;
}

std::string resolve_integer(YamlNode& node, int base) {
  std::string_view digits = node.text;
  if (base != 10) digits.remove_prefix(2);
  if (digits.front() == '+') digits.remove_prefix(1);
  const auto [end, error] =
      std::from_chars(digits.data(), digits.data() + digits.size(), node.integer, base);
  if (error != std::errc() || end != digits.data() + digits.size()) {
    return "expected a whole number of at most 64 bits (or text in quotes)";
  }
  node.kind = YamlKind::integer;
  node.real = static_cast<double>(node.integer);
  return {};
}

std::string resolve_real(YamlNode& node) {
  std::string_view digits = node.text;
  if (digits.front() == '+') digits.remove_prefix(1);
  const auto [end, error] =
      std::from_chars(digits.data(), digits.data() + digits.size(), node.real);
  if (error != std::errc() || end != digits.data() + digits.size() || !std::isfinite(node.real)) {
    return "expected a number within the range of a double (or text in quotes)";
  }
  node.kind = YamlKind::real;
  return {};
}

}  // namespace

std::string resolve_plain_scalar(YamlNode& node) {
  const std::string_view text = node.text;
  node.kind = YamlKind::text;
  if (text.empty() || text == "~" || text == "null" || text == "Null" || text == "NULL") {
    node.kind = YamlKind::null;
  } else if (text == "true" || text == "True" || text == "TRUE") {
    node.kind = YamlKind::boolean;
    node.boolean = true;
  } else if (text == "false" || text == "False" || text == "FALSE") {
    node.kind = YamlKind::boolean;
  } else if (const int base = integer_base(text); base != 0) {
    return resolve_integer(node, base);
  } else if (is_number(text)) {
    return resolve_real(node);
  } else if (is_infinite(text) || is_not_a_number(text)) {
    return "expected a finite number (or text in quotes)";
  }
  return {};
}

}  // namespace mainstay::config
