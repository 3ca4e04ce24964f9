#include "node/output/log_lines.h"

#include <algorithm>
#include <array>
#include <optional>

#include "base/text.h"
#include "base/uuid.h"
#include "platform/json/json.h"

namespace mainstay::node {
namespace {

using platform::JsonObject;

constexpr std::string_view kReplacement = "\xef\xbf\xbd";
constexpr std::size_t kTraceIdLength = 32;

/// Length of the well-formed UTF-8 character at the front; 0 when there is none (Unicode 15,
/// table 3-7).
std::size_t character_length(std::string_view text) {
  auto byte = [&](std::size_t i) {
    return i < text.size() ? static_cast<unsigned char>(text[i]) : 0U;
  };
  unsigned first = byte(0);
  if (first < 0x80) return 1;
  std::size_t length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4) return 0;
  unsigned low = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
  unsigned high = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;
  if (byte(1) < low || byte(1) > high) return 0;
  for (std::size_t i = 2; i < length; ++i) {
    if (byte(i) < 0x80 || byte(i) > 0xbf) return 0;
  }
  return length;
}

std::optional<model::LogLevel> level_of(std::string_view text) {
  static constexpr std::array<std::pair<std::string_view, model::LogLevel>, 14> kNames{{
      {"TRACE", model::LogLevel::DEBUG},
      {"DEBUG", model::LogLevel::DEBUG},
      {"INFO", model::LogLevel::INFO},
      {"INFORMATION", model::LogLevel::INFO},
      {"NOTICE", model::LogLevel::INFO},
      {"WARN", model::LogLevel::WARNING},
      {"WARNING", model::LogLevel::WARNING},
      {"ERR", model::LogLevel::ERROR},
      {"ERROR", model::LogLevel::ERROR},
      {"EXCEPTION", model::LogLevel::ERROR},
      {"CRITICAL", model::LogLevel::CRITICAL},
      {"FATAL", model::LogLevel::CRITICAL},
      {"PANIC", model::LogLevel::CRITICAL},
      {"ALERT", model::LogLevel::CRITICAL},
  }};
  auto same = [&](std::string_view name) {
    return std::equal(text.begin(), text.end(), name.begin(), name.end(), [](char a, char b) {
      return (a >= 'a' && a <= 'z' ? static_cast<char>(a - 'a' + 'A') : a) == b;
    });
  };
  for (const auto& [name, level] : kNames) {
    if (same(name)) return level;
  }
  return std::nullopt;
}

/// Takes the string member out of the object; nullopt (and nothing taken) when there is none.
std::optional<std::string> take_text(JsonObject* object, std::string_view key) {
  auto* member = object->if_contains(key);
  if (member == nullptr || !member->is_string()) return std::nullopt;
  std::string text(member->get_string());
  object->erase(key);
  return text;
}

/// The member fills a field of the context that is empty, if it is of the right form; a claim of
/// something else stays among the fields.
template <class Valid>
void merge(JsonObject* object, std::string_view key, std::string* field, Valid valid) {
  auto* member = object->if_contains(key);
  if (member == nullptr || !member->is_string() || !field->empty()) return;
  std::string_view text(member->get_string());
  if (!valid(text)) return;
  field->assign(text);
  object->erase(key);
}

void merge_context(JsonObject* object, model::LogContext* context) {
  auto is_id = [](std::string_view text) { return base::uuid_from_text(text).has_value(); };
  auto is_trace = [](std::string_view text) {
    return text.size() == kTraceIdLength &&
           text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
  };
  merge(object, "run_id", &context->run_id, is_id);
  merge(object, "work_id", &context->work_id, is_id);
  merge(object, "trace_id", &context->trace_id, is_trace);
  merge(object, "pipeline", &context->pipeline, base::is_valid_name);
  merge(object, "stage", &context->stage, base::is_valid_name);
  merge(object, "component", &context->component, base::is_valid_name);
  auto* step = object->if_contains("step");
  if (context->step == 0 && step != nullptr && step->is_int64() && step->get_int64() > 0 &&
      step->get_int64() <= std::int64_t{1} << 30) {
    context->step = static_cast<int>(step->get_int64());
    object->erase("step");
  }
}

/// Fills the record when the line is a structured one.
bool take_structured(std::string_view line, model::LogRecord* record, JsonObject* fields) {
  if (!line.starts_with('{')) return false;
  auto parsed = platform::parse_json_object(line);
  if (!parsed) return false;
  JsonObject& object = *parsed;
  std::optional<std::string> message;
  for (std::string_view key : {"message", "msg", "event"}) {
    if (!message) message = take_text(&object, key);
  }
  if (!message) return false;
  record->message = std::move(*message);
  for (std::string_view key : {"level", "severity", "levelname", "log.level"}) {
    auto* member = object.if_contains(key);
    if (member == nullptr || !member->is_string()) continue;
    auto level = level_of(std::string_view(member->get_string()));
    if (!level) continue;
    record->level = *level;
    object.erase(key);
    break;
  }
  merge_context(&object, &record->context);
  *fields = std::move(object);
  return true;
}

}  // namespace

void LineSplitter::feed(std::string_view bytes, const OnLine& on_line) {
  while (!bytes.empty()) {
    auto end = bytes.find('\n');
    std::string_view piece = bytes.substr(0, end);
    bool whole = end != std::string_view::npos;
    bytes.remove_prefix(whole ? end + 1 : bytes.size());
    if (whole && partial_.empty() && dropped_ == 0 && piece.size() <= kMaxLineBytes) {
      on_line(piece, 0);
      continue;
    }
    std::size_t taken = std::min(piece.size(), kMaxLineBytes - partial_.size());
    partial_.append(piece.substr(0, taken));
    dropped_ += piece.size() - taken;
    if (whole) finish(on_line);
  }
}

void LineSplitter::finish(const OnLine& on_line) {
  if (partial_.empty() && dropped_ == 0) return;
  on_line(partial_, dropped_);
  partial_.clear();
  dropped_ = 0;
}

std::string with_valid_utf8(std::string_view bytes) {
  if (base::is_valid_utf8(bytes)) return std::string(bytes);
  std::string text;
  text.reserve(bytes.size() + 16);
  while (!bytes.empty()) {
    std::size_t length = character_length(bytes);
    text.append(length == 0 ? kReplacement : bytes.substr(0, length));
    bytes.remove_prefix(std::max<std::size_t>(length, 1));
  }
  return text;
}

model::LogRecord record_of_line(std::string_view line, std::size_t dropped,
                                const model::LogContext& context, std::string_view stream,
                                Wall at) {
  if (line.ends_with('\r')) line.remove_suffix(1);
  model::LogRecord record;
  record.at = at;
  record.context = context;
  JsonObject fields;
  if (!take_structured(line, &record, &fields)) record.message = with_valid_utf8(line);
  if (record.context.component.empty()) record.context.component = stream;
  fields["stream"] = stream;
  if (dropped > 0) fields["truncated_bytes"] = dropped;
  record.fields = platform::to_text(fields);
  return record;
}

}  // namespace mainstay::node
