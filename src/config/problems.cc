#include "config/problems.h"

#include <algorithm>
#include <utility>

#include "base/printable.h"
#include "base/text.h"
#include "platform/json/json_text.h"

namespace mainstay::config {
namespace {

constexpr std::size_t kQuotedBytes = 60;
constexpr std::size_t kKeyBytes = 300;

/// Keys come from files as well: one that is no plain word is shown as it would be quoted.
std::string shown_key(std::string_view key) {
  const bool plain = key.size() <= kKeyBytes && std::all_of(key.begin(), key.end(), [](char c) {
                       return static_cast<unsigned char>(c) > 0x20 && c != 0x7f;
                     });
  if (plain) return std::string(key);
  std::string out;
  platform::append_json_string(out, base::excerpt(key, kKeyBytes));
  return out;
}

void append_problem(platform::JsonWriter& json, const Problem& problem) {
  json.begin_object()
      .member("severity", to_text(problem.severity))
      .member("file", problem.source)
      .member("line", problem.at.line)
      .member("column", problem.at.column)
      .member("key", problem.key)
      .member("message", problem.message);
  if (!problem.suggestion.empty()) json.member("suggestion", problem.suggestion);
  json.end_object();
}

}  // namespace

std::string name_expectation() {
  return "expected a name of 1 to 63 of a-z, 0-9, '_', '-' and '.', with a letter or digit at both "
         "ends";
}

std::string quote(std::string_view text) {
  std::string out;
  platform::append_json_string(out, base::excerpt(text, kQuotedBytes));
  return out;
}

std::string Problem::to_text() const {
  std::string out = source;
  if (at.line > 0) {
    out.append(":").append(std::to_string(at.line));
    out.append(":").append(std::to_string(at.column));
  }
  out += ": ";
  if (severity == Severity::warning) out += "warning: ";
  if (!key.empty()) out.append(shown_key(key)).append(": ");
  out += message;
  if (!suggestion.empty()) out.append("; did you mean ").append(quote(suggestion)).append("?");
  return base::printable(out);
}

std::string_view Problem::section() const {
  if (key.empty()) return "file";
  return std::string_view(key).substr(0, key.find_first_of(".["));
}

Problem* Problems::unreadable_at(const Problem& other) {
  if (other.at.line == 0 || other.key.empty()) return nullptr;
  const auto found = std::find_if(problems_.begin(), problems_.end(), [&](const Problem& problem) {
    return problem.key.empty() && problem.at == other.at && problem.source == other.source;
  });
  return found == problems_.end() ? nullptr : &*found;
}

void Problems::add(Problem problem) {
  if (Problem* first = unreadable_at(problem)) {
    first->key = std::move(problem.key);
    return;
  }
  ++(problem.severity == Severity::error ? errors_ : warnings_);
  if (problems_.size() < kLimit) problems_.push_back(std::move(problem));
}

void Problems::error(std::string_view source, Position at, std::string_view key,
                     std::string message, std::string suggestion) {
  add({Severity::error, std::string(source), at, std::string(key), std::move(message),
       std::move(suggestion)});
}

void Problems::warning(std::string_view source, Position at, std::string_view key,
                       std::string message) {
  add({Severity::warning, std::string(source), at, std::string(key), std::move(message), {}});
}

bool Problems::has_error(std::string_view key) const {
  return std::any_of(problems_.begin(), problems_.end(), [&](const Problem& problem) {
    return problem.severity == Severity::error && problem.key == key;
  });
}

std::vector<Problem> Problems::sorted() const {
  std::vector<std::string> sources;
  for (const Problem& problem : problems_) {
    if (std::find(sources.begin(), sources.end(), problem.source) == sources.end()) {
      sources.push_back(problem.source);
    }
  }
  const auto rank = [&](const Problem& problem) {
    return std::find(sources.begin(), sources.end(), problem.source) - sources.begin();
  };
  std::vector<Problem> out = problems_;
  std::stable_sort(out.begin(), out.end(), [&](const Problem& a, const Problem& b) {
    return std::pair(rank(a), a.at) < std::pair(rank(b), b.at);
  });
  return out;
}

std::string Problems::to_text() const {
  std::string out;
  for (const Problem& problem : sorted()) out.append(problem.to_text()).append("\n");
  if (const std::size_t all = errors_ + warnings_; all > problems_.size()) {
    out.append("and ").append(std::to_string(all - problems_.size())).append(" more\n");
  }
  return out;
}

std::string Problems::to_json() const {
  std::vector<Problem> all = sorted();
  std::stable_sort(all.begin(), all.end(),
                   [](const Problem& a, const Problem& b) { return a.section() < b.section(); });
  std::string out;
  platform::JsonWriter json(out);
  json.begin_object().member("ok", ok());
  json.member("error_count", errors_).member("warning_count", warnings_);
  json.key("sections").begin_object();
  for (std::size_t i = 0; i < all.size();) {
    const std::string section(all[i].section());
    json.key(section).begin_array();
    for (; i < all.size() && all[i].section() == section; ++i) append_problem(json, all[i]);
    json.end_array();
  }
  json.end_object().end_object();
  return out;
}

Error Problems::to_error() const {
  for (const Problem& problem : sorted()) {
    if (problem.severity != Severity::error) continue;
    std::string message = problem.to_text();
    if (errors_ > 1) message.append(" (and ").append(std::to_string(errors_ - 1)).append(" more)");
    return Error(Code::config_invalid, std::move(message))
        .with("error_count", std::to_string(errors_));
  }
  return {Code::config_invalid, "the configuration has errors"};
}

}  // namespace mainstay::config
