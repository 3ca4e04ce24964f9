#include "telemetry/logger.h"

#include "platform/json/json_text.h"
#include "telemetry/log_scope.h"

namespace mainstay::telemetry {
namespace {

std::string begin(std::string_view key) {
  std::string text;
  platform::append_json_string(text, key);
  text += ':';
  return text;
}

void append_error(std::string& out, const Error& error) {
  platform::JsonWriter json(out);
  json.begin_object().member("code", error.code_name()).member("message", error.message());
  for (const auto& [key, value] : error.fields()) json.member(key, value);
  if (error.cause() != nullptr) json.member("cause", error.cause()->to_text());
  json.end_object();
}

}  // namespace

LogField::LogField(std::string_view key, std::string_view json, Raw) : text_(begin(key)) {
  text_ += json;
}

LogField::LogField(std::string_view key, std::string_view text) : text_(begin(key)) {
  platform::append_json_string(text_, text);
}

LogField::LogField(std::string_view key, bool truth)
    : LogField(key, truth ? "true" : "false", Raw{}) {}

LogField::LogField(std::string_view key, double number) : text_(begin(key)) {
  platform::append_json_number(text_, number);
}

LogField::LogField(std::string_view key, Duration duration)
    : LogField(key, std::chrono::duration<double, std::milli>(duration).count()) {}

LogField::LogField(std::string_view key, const Error& error) : text_(begin(key)) {
  append_error(text_, error);
}

void Logger::log(model::LogLevel level, std::string message, LogFields fields) const {
  if (!output_->takes(level)) return;
  model::LogRecord record;
  record.at = output_->now();
  record.level = level;
  record.message = std::move(message);
  record.context = current_log_context();
  if (record.context.component.empty()) record.context.component = component_;
  if (fields.size() > 0) {
    record.fields = "{";
    for (const LogField& field : fields) {
      if (record.fields.size() > 1) record.fields += ',';
      record.fields += field.text();
    }
    record.fields += '}';
  }
  output_->write(std::move(record));
}

}  // namespace mainstay::telemetry
