#include "telemetry/redactor.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <utility>

#include "platform/json/json.h"

namespace mainstay::telemetry {
namespace {

std::size_t pair_at(std::string_view text, std::size_t at) {
  return static_cast<std::size_t>(static_cast<unsigned char>(text[at])) << 8 |
         static_cast<unsigned char>(text[at + 1]);
}

/// As our own writer puts it between quotes.
std::string json_form(std::string_view text) {
  std::string quoted;
  platform::append_json_string(quoted, text);
  return quoted.substr(1, quoted.size() - 2);
}

/// As Python's json.dumps puts it: everything beyond ASCII as \uXXXX, in UTF-16 units.
std::string ascii_json_form(std::string_view text) {
  std::string out;
  const std::string form = json_form(text);
  for (std::size_t i = 0; i < form.size();) {
    const auto lead = static_cast<unsigned char>(form[i]);
    if (lead < 0x80) {
      out += form[i++];
      continue;
    }
    const std::size_t more = lead >= 0xf0 ? 3 : lead >= 0xe0 ? 2 : 1;
    std::uint32_t code = lead & (0x3fU >> more);
    for (std::size_t k = 1; k <= more; ++k) {
      code = code << 6 | (static_cast<unsigned char>(form[i + k]) & 0x3fU);
    }
    i += more + 1;
    if (code >= 0x10000) {
      code -= 0x10000;
      out += fmt::format("\\u{:04x}\\u{:04x}", 0xd800 + (code >> 10), 0xdc00 + (code & 0x3ff));
    } else {
      out += fmt::format("\\u{:04x}", code);
    }
  }
  return out;
}

std::string with_escaped_slashes(std::string_view text) {
  std::string out;
  for (char c : text) {
    if (c == '/') out += '\\';
    out += c;
  }
  return out;
}

/// The secret itself and every form of it that is known to reach logs.
std::vector<std::string> forms_of(std::string_view secret) {
  std::vector<std::string> forms{std::string(secret), json_form(secret), ascii_json_form(secret),
                                 with_escaped_slashes(json_form(secret)),
                                 with_escaped_slashes(ascii_json_form(secret))};
  // JSON inside of JSON: agents log whole answers as one string.
  const std::size_t once = forms.size();
  for (std::size_t i = 1; i < once; ++i) forms.push_back(json_form(forms[i]));
  return forms;
}

}  // namespace

Redactor::Redactor() : table_(std::make_shared<const Table>()) {}

std::shared_ptr<const Redactor::Table> Redactor::table() const {
  const std::lock_guard lock(mutex_);
  return table_;
}

bool Redactor::add(std::string_view secret) {
  if (secret.size() < kMinBytes) return false;
  const std::lock_guard lock(mutex_);
  for (std::string& form : forms_of(secret)) secrets_.insert(std::move(form));
  auto next = std::make_shared<Table>();
  next->empty = false;
  for (const std::string& form : secrets_) {
    next->starts.set(pair_at(form, 0));
    next->by_first[static_cast<unsigned char>(form[0])].push_back(form);
  }
  for (auto& list : next->by_first) {
    std::stable_sort(list.begin(), list.end(), [](const std::string& a, const std::string& b) {
      return a.size() > b.size();
    });
  }
  table_ = std::move(next);
  return true;
}

std::optional<std::string> Redactor::redact(std::string_view text) const {
  const auto table = this->table();
  if (table->empty || text.size() < kMinBytes) return std::nullopt;
  std::string out;
  std::size_t copied = 0;
  for (std::size_t at = 0; at + 1 < text.size();) {
    if (!table->starts.test(pair_at(text, at))) {
      ++at;
      continue;
    }
    const auto& candidates = table->by_first[static_cast<unsigned char>(text[at])];
    const auto found = std::find_if(
        candidates.begin(), candidates.end(),
        [&](const std::string& secret) { return text.substr(at, secret.size()) == secret; });
    if (found == candidates.end()) {
      ++at;
      continue;
    }
    out += text.substr(copied, at - copied);
    out += kMark;
    at += found->size();
    copied = at;
  }
  if (copied == 0) return std::nullopt;
  out += text.substr(copied);
  return out;
}

void Redactor::redact_in(std::string& text) const {
  if (auto clean = redact(text)) text = *std::move(clean);
}

void Redactor::redact_in_json(std::string& json) const {
  auto clean = redact(json);
  if (!clean) return;
  // A secret of digits alone may have stood as a number.
  if (!platform::parse_json(*clean)) {
    clean = json.starts_with('[') ? R"(["[redacted]"])" : R"({"fields":"[redacted]"})";
  }
  json = *std::move(clean);
}

void Redactor::redact_in(model::SpanRecord& span) const {
  if (table()->empty) return;
  redact_in(span.name);
  redact_in(span.status_message);
  redact_in_json(span.attributes);
  redact_in_json(span.events);
}

void Redactor::redact_in(model::LogRecord& record) const {
  if (table()->empty) return;
  redact_in(record.message);
  redact_in_json(record.fields);
  model::LogContext& context = record.context;
  for (std::string* text : {&context.run_id, &context.pipeline, &context.stage, &context.component,
                            &context.agent, &context.work_id, &context.trace_id}) {
    redact_in(*text);
  }
}

}  // namespace mainstay::telemetry
