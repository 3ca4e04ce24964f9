// Everything that is wrong with the configuration, found in one go: the person who corrects it
// wants one list, not one error a run (CFG-3, CFG-4).
//
// A problem is one line: `mainstay.yaml:14:17: work.timeout: expected a duration such as 10s, got
// "ten"; did you mean …?`. Warnings do not stop a start. One thread; nothing here fails.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "base/enum_text.h"
#include "base/result.h"

MS_ENUM_TEXT(config, Severity, error, warning)

namespace mainstay::config {

/// Line and column in a file, both from 1; 0 when what is meant has no place (a variable, a flag).
struct Position {
  int line = 0;
  int column = 0;
  auto operator<=>(const Position&) const = default;
};

struct Problem {
  Severity severity = Severity::error;
  /// The file as the person knows it, or `environment MAINSTAY_X`, or `--set`.
  std::string source;
  Position at;
  /// Dotted path of the key, such as `agents.scout.replicas`; empty for the file as a whole.
  std::string key;
  /// What was expected and what was found.
  std::string message;
  /// The known name that was probably meant; may be empty.
  std::string suggestion;

  /// One printable line, whatever the file's keys and values hold.
  std::string to_text() const;
  /// The part of the configuration it belongs to: the key's first word, or `file`.
  std::string_view section() const;
};

class Problems {
 public:
  /// Where a file's value could not be read at all (an error without a key), a further error of
  /// that place only follows from it: the first stays, and gets the key.
  void add(Problem problem);
  void error(std::string_view source, Position at, std::string_view key, std::string message,
             std::string suggestion = {});
  void warning(std::string_view source, Position at, std::string_view key, std::string message);

  std::size_t error_count() const { return errors_; }
  std::size_t warning_count() const { return warnings_; }
  /// No errors; there may be warnings.
  bool ok() const { return errors_ == 0; }

  /// Whether an error was said of this key.
  bool has_error(std::string_view key) const;

  /// By file (in the order in which the files were first named), then by place.
  std::vector<Problem> sorted() const;
  /// One line each, as sorted; says how many were left out beyond the first kLimit.
  std::string to_text() const;
  /// {"ok": …, "error_count": …, "warning_count": …, "sections": {"work": [{…}], …}}.
  std::string to_json() const;
  /// `config_invalid`, with the first problem in the message and their number in the fields.
  Error to_error() const;

  /// More problems than this are counted but not kept.
  static constexpr std::size_t kLimit = 500;

 private:
  Problem* unreadable_at(const Problem& other);

  std::vector<Problem> problems_;
  std::size_t errors_ = 0;
  std::size_t warnings_ = 0;
};

/// `expected a name of 1 to 63 of …`: what base::is_valid_name asks for.
std::string name_expectation();

/// `text` in quotes for a message: at most 60 bytes, control characters escaped.
std::string quote(std::string_view text);

}  // namespace mainstay::config
