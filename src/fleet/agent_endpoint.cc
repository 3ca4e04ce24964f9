#include "fleet/agent_endpoint.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstdint>

#include "base/printable.h"
#include "base/text.h"

namespace mainstay::fleet {
namespace {

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool is_digit(char c) { return c >= '0' && c <= '9'; }

// Printable ASCII without spaces, quotes and angle brackets (RFC 3986 has none of them).
bool is_url_text(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) {
    return c > ' ' && c < '\x7f' && c != '"' && c != '<' && c != '>' && c != '\\';
  });
}

bool is_scheme(std::string_view text) {
  return !text.empty() && is_letter(text.front()) &&
         std::all_of(text.begin(), text.end(), [](char c) {
           return is_letter(c) || is_digit(c) || c == '+' || c == '-' || c == '.';
         });
}

bool is_port(std::string_view text) {
  std::uint16_t port = 0;
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), port);
  return failed == std::errc() && end == text.data() + text.size() && port > 0;
}

bool is_host(std::string_view text) {
  const bool bracketed = text.size() > 2 && text.front() == '[' && text.back() == ']';
  const std::string_view name = bracketed ? text.substr(1, text.size() - 2) : text;
  return !name.empty() && std::all_of(name.begin(), name.end(), [&](char c) {
    return is_letter(c) || is_digit(c) || c == '-' || c == '.' || c == '_' ||
           (bracketed && (c == ':' || c == '%'));
  });
}

// HOST or HOST:PORT; a name and a password may stand before it in a URL.
bool is_authority(std::string_view text, bool needs_port) {
  if (const std::size_t at = text.rfind('@'); !needs_port && at != std::string_view::npos) {
    text.remove_prefix(at + 1);
  }
  const std::size_t colon = text.rfind(':');
  const bool has_port =
      colon != std::string_view::npos && text.find(']', colon) == std::string_view::npos;
  if (!has_port) return !needs_port && is_host(text);
  return is_host(text.substr(0, colon)) && is_port(text.substr(colon + 1));
}

bool is_endpoint(std::string_view text) {
  if (!is_url_text(text)) return false;
  if (const std::size_t slashes = text.find("://"); slashes != std::string_view::npos) {
    const std::string_view rest = text.substr(slashes + 3);
    return is_scheme(text.substr(0, slashes)) &&
           is_authority(rest.substr(0, rest.find_first_of("/?#")), false);
  }
  if (text.starts_with("unix:")) return text.size() > 6 && text[5] == '/';
  return is_authority(text, true);
}

}  // namespace

std::string endpoint_problem(std::string_view endpoint) {
  if (endpoint.size() > kMaxEndpointBytes) {
    return fmt::format("{} bytes, the limit is {}", endpoint.size(), kMaxEndpointBytes);
  }
  if (is_endpoint(endpoint)) return "";
  return fmt::format(
      "expected a URL such as http://10.0.0.5:8000, or HOST:PORT, or unix:/PATH, got \"{}\"",
      base::printable(base::excerpt(endpoint, 80)));
}

}  // namespace mainstay::fleet
