// What the CLI prints on stdout: the same data as a table, as JSON or as YAML (USE-2).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/enum_text.h"
#include "platform/json/json.h"

MS_ENUM_TEXT(app, OutputForm, table, json, yaml)

namespace mainstay::app {

/// Columns are padded to their widest cell; the last one is not. Control characters in cells are
/// made visible.
class Table {
 public:
  explicit Table(std::vector<std::string> head);
  void row(std::vector<std::string> cells);
  std::string to_text() const;
  bool empty() const { return rows_.size() == 1; }

 private:
  std::vector<std::vector<std::string>> rows_;
};

/// JSON text as block YAML; strings that YAML would read as something else are quoted, numbers stay
/// as they were written.
std::string to_yaml(std::string_view json);

/// The value in the form asked for; `table` is what to print for tables, made printable.
std::string render(OutputForm form, const platform::Json& value, const std::string& table);
/// The same from JSON text, whose numbers keep all of their digits.
std::string render(OutputForm form, std::string_view json, const std::string& table);

/// The text of an object with one more member, which it does not have yet.
std::string with_member(std::string_view object, std::string_view key, std::string_view json);

/// Number of columns that a terminal shows this text in (UTF-8; each character counts one).
std::size_t display_width(std::string_view text);

}  // namespace mainstay::app
