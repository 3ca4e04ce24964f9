#include "platform/json/json_scan.h"

#include <boost/json/parse.hpp>
#include <map>
#include <set>
#include <vector>

#include "platform/json/json.h"

namespace mainstay::platform {
namespace {

bool is_space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

std::string unescape(std::string_view quoted) {
  if (quoted.find('\\') == std::string_view::npos) {
    return std::string(quoted.substr(1, quoted.size() - 2));
  }
  boost::json::error_code failed;
  const boost::json::value value =
      boost::json::parse(boost::json::string_view(quoted.data(), quoted.size()), failed);
  if (failed || !value.is_string()) return std::string(quoted);
  return std::string(value.get_string().data(), value.get_string().size());
}

void append_canonical(JsonScanner& scan, std::string& out);

void append_canonical_object(JsonScanner& scan, std::string& out) {
  std::map<std::string, std::string> members;  // no key comes twice in valid text
  scan.advance();
  while (scan.peek() == '"') {
    std::string key = unescape(scan.take_string());
    scan.peek();
    scan.advance();  // the colon
    append_canonical(scan, members[std::move(key)]);
    if (scan.peek() == ',') scan.advance();
  }
  scan.advance();
  out += '{';
  for (const auto& [key, value] : members) {
    if (out.back() != '{') out += ',';
    append_json_string(out, key);
    out += ':';
    out += value;
  }
  out += '}';
}

// Recursion is bounded by the depth that the reader allows.
void append_canonical(JsonScanner& scan, std::string& out) {
  const char first = scan.peek();
  if (first == '{') return append_canonical_object(scan, out);
  if (first == '"') return append_json_string(out, unescape(scan.take_string()));
  if (first != '[') {
    out += scan.take_value();
    return;
  }
  scan.advance();
  out += '[';
  while (scan.peek() != ']' && scan.peek() != '\0') {
    append_canonical(scan, out);
    if (scan.peek() != ',') continue;
    scan.advance();
    out += ',';
  }
  scan.advance();
  out += ']';
}

}  // namespace

char JsonScanner::peek() {
  while (at_ < text_.size() && is_space(text_[at_])) ++at_;
  return at_ < text_.size() ? text_[at_] : '\0';
}

void JsonScanner::skip_string() {
  ++at_;
  while (at_ < text_.size() && text_[at_] != '"') at_ += text_[at_] == '\\' ? 2 : 1;
  if (at_ < text_.size()) ++at_;
}

std::string_view JsonScanner::take_string() {
  peek();
  const std::size_t start = at_;
  skip_string();
  return text_.substr(start, at_ - start);
}

std::string_view JsonScanner::take_value() {
  const char first = peek();
  const std::size_t start = at_;
  if (first == '"') return take_string();
  if (first != '{' && first != '[') {
    while (at_ < text_.size() && !is_space(text_[at_]) && text_[at_] != ',' && text_[at_] != '}' &&
           text_[at_] != ']') {
      ++at_;
    }
    return text_.substr(start, at_ - start);
  }
  std::size_t depth = 0;
  while (at_ < text_.size()) {
    const char c = text_[at_];
    if (c == '"') {
      skip_string();
      continue;
    }
    ++at_;
    if (c == '{' || c == '[') ++depth;
    if ((c == '}' || c == ']') && --depth == 0) break;
  }
  return text_.substr(start, at_ - start);
}

std::size_t count_members(std::string_view text) {
  std::size_t members = 0;
  bool in_string = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '"') {
      in_string = !in_string;
    } else if (in_string) {
      if (c == '\\') ++i;
    } else if (c == ':') {
      ++members;
    }
  }
  return members;
}

std::string canonical_json(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  JsonScanner scan(text);
  append_canonical(scan, out);
  return out;
}

DuplicateKey find_duplicate_key(std::string_view text) {
  JsonScanner scan(text);
  std::vector<std::set<std::string>> open;
  std::string_view last_string;
  while (true) {
    const char c = scan.peek();
    const std::size_t at = scan.position();
    if (c == '\0') return {};
    if (c == '"') {
      last_string = scan.take_string();
      if (scan.peek() != ':') continue;
      std::string key = unescape(last_string);
      if (!open.empty() && !open.back().insert(key).second) return {at, std::move(key)};
      continue;
    }
    if (c == '{' || c == '[') open.emplace_back();
    if ((c == '}' || c == ']') && !open.empty()) open.pop_back();
    scan.advance();
  }
}

}  // namespace mainstay::platform
