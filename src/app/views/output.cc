#include "app/views/output.h"

#include <algorithm>
#include <utility>

#include "base/printable.h"

namespace mainstay::app {
namespace {

using platform::Json;

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

void scalar(std::string& out, const Json& value) {
  if (value.is_string() && is_plain(std::string_view(value.get_string()))) {
    out += std::string_view(value.get_string());
  } else {
    platform::append_json(out, value);
  }
}

void block(std::string& out, const Json& value, std::size_t indent);

void member(std::string& out, const Json& value, std::size_t indent) {
  const bool nested = (value.is_object() && !value.get_object().empty()) ||
                      (value.is_array() && !value.get_array().empty());
  if (!nested) {
    out += ' ';
    scalar(out, value);
    out += '\n';
    return;
  }
  out += '\n';
  block(out, value, indent + 2);
}

void block(std::string& out, const Json& value, std::size_t indent) {
  const std::string pad(indent, ' ');
  if (value.is_object() && !value.get_object().empty()) {
    for (const auto& [key, item] : value.get_object()) {
      out += pad;
      scalar(out, Json(key));
      out += ':';
      member(out, item, indent);
    }
  } else if (value.is_array() && !value.get_array().empty()) {
    for (const Json& item : value.get_array()) {
      const std::size_t at = out.size();
      if (item.is_object() && !item.get_object().empty()) {
        block(out, item, indent + 2);
        out[at + indent] = '-';  // its first member stands behind the dash
      } else {
        out += pad + "-";
        member(out, item, indent);
      }
    }
  } else {
    out += pad;
    scalar(out, value);
    out += '\n';
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

std::string to_yaml(const Json& value) {
  std::string out;
  block(out, value, 0);
  return out;
}

std::string render(OutputForm form, const Json& value, const std::string& table) {
  switch (form) {
    case OutputForm::json:
      return platform::to_pretty_text(value) + "\n";
    case OutputForm::yaml:
      return to_yaml(value);
    case OutputForm::table:
      break;
  }
  return base::printable_lines(table);
}

}  // namespace mainstay::app
