#include "app/views/output.h"

#include <algorithm>
#include <utility>

#include "base/printable.h"
#include "base/text.h"
#include "platform/json/json_layout.h"
#include "platform/json/json_scan.h"

namespace mainstay::app {
namespace {

using platform::Json;
using platform::JsonScanner;

// Plain scalars are kept to what no YAML reader could take for anything but a string.
bool is_plain(std::string_view text) {
  if (text.empty() || text.size() > 200) return false;
  const auto is_letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); };
  if (!is_letter(text.front()) && text.front() != '/') return false;
  for (const char c : text) {
    if (!is_letter(c) && (c < '0' || c > '9') && c != '_' && c != '-' && c != '.' && c != '/' &&
        c != ' ') {
      return false;
    }
  }
  if (text.back() == ' ') return false;
  std::string lower(text);
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  static constexpr std::string_view kWords[] = {"true", "false", "yes", "no", "on",
                                                "off",  "null",  "y",   "n"};
  return std::find(std::begin(kWords), std::end(kWords), lower) == std::end(kWords);
}

void scalar(std::string& out, std::string_view json) {
  const auto text = json.starts_with('"') ? platform::parse_json(json) : Result<Json>(Json());
  if (text && text->is_string() && is_plain(std::string_view(text->get_string()))) {
    out += std::string_view(text->get_string());
  } else {
    out += json.starts_with('"') && text ? platform::to_text(*text) : std::string(json);
  }
}

// Whether it is an object or array with something in it.
bool is_nested(std::string_view json) {
  if (!json.starts_with('{') && !json.starts_with('[')) return false;
  JsonScanner inside(json);
  inside.advance();
  return inside.peek() != '}' && inside.peek() != ']';
}

// What has nothing in it may have been written with a space.
void leaf(std::string& out, std::string_view json) {
  if (json.starts_with('{')) {
    out += "{}";
  } else if (json.starts_with('[')) {
    out += "[]";
  } else {
    scalar(out, json);
  }
  out += '\n';
}

void block(std::string& out, std::string_view json, std::size_t indent);

void member(std::string& out, std::string_view json, std::size_t indent) {
  out += is_nested(json) ? '\n' : ' ';
  is_nested(json) ? block(out, json, indent + 2) : leaf(out, json);
}

void element(std::string& out, std::string_view json, std::size_t indent) {
  const std::size_t at = out.size();
  if (json.starts_with('{') && is_nested(json)) {
    block(out, json, indent + 2);
    out[at + indent] = '-';  // its first member stands behind the dash
    return;
  }
  out.append(indent, ' ');
  out += '-';
  member(out, json, indent);
}

// From the text, so that numbers keep all of their digits.
void block(std::string& out, std::string_view json, std::size_t indent) {
  if (!is_nested(json)) {
    out.append(indent, ' ');
    return leaf(out, json);
  }
  const bool is_object = json.starts_with('{');
  JsonScanner scan(json);
  scan.advance();
  for (char c = scan.peek(); c != '}' && c != ']' && c != '\0'; c = scan.peek()) {
    if (is_object) {
      out.append(indent, ' ');
      scalar(out, scan.take_string());
      out += ':';
      scan.peek();
      scan.advance();  // the colon
      member(out, scan.take_value(), indent);
    } else {
      element(out, scan.take_value(), indent);
    }
    if (scan.peek() == ',') scan.advance();
  }
}

}  // namespace

std::size_t display_width(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xc0U) != 0x80U;
  }));
}

Table::Table(std::vector<std::string> head) { rows_.push_back(std::move(head)); }

void Table::row(std::vector<std::string> cells) {
  for (std::string& cell : cells) cell = base::printable(cell);
  rows_.push_back(std::move(cells));
}

std::string Table::to_text() const {
  std::vector<std::size_t> widths(rows_.front().size(), 0);
  for (const auto& row : rows_) {
    for (std::size_t i = 0; i < row.size() && i < widths.size(); ++i) {
      widths[i] = std::max(widths[i], display_width(row[i]));
    }
  }
  std::string out;
  for (const auto& row : rows_) {
    for (std::size_t i = 0; i < row.size(); ++i) {
      out += row[i];
      if (i + 1 < row.size()) out.append(widths[i] - display_width(row[i]) + 2, ' ');
    }
    out += '\n';
  }
  return out;
}

std::string to_yaml(std::string_view json) {
  std::string out;
  block(out, base::trim(json), 0);
  return out;
}

std::string render(OutputForm form, std::string_view json, const std::string& table) {
  switch (form) {
    case OutputForm::json:
      return platform::pretty_json_text(json) + "\n";
    case OutputForm::yaml:
      return to_yaml(json);
    case OutputForm::table:
      break;
  }
  return base::printable_lines(table);
}

std::string render(OutputForm form, const Json& value, const std::string& table) {
  return render(form, std::string_view(platform::to_text(value)), table);
}

std::string with_member(std::string_view object, std::string_view key, std::string_view json) {
  std::string out(base::trim(object));
  out.pop_back();
  if (is_nested(object)) out += ',';
  platform::append_json_string(out, key);
  return out.append(":").append(json).append("}");
}

}  // namespace mainstay::app
