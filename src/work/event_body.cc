#include "work/event_body.h"

#include <charconv>

#include "base/text.h"
#include "base/uuid.h"
#include "platform/json/json.h"
#include "work/trace_context.h"

namespace mainstay::work {
namespace {

void append_number(std::string& out, std::int64_t value) {
  char digits[24];
  const auto end = std::to_chars(digits, digits + sizeof digits, value).ptr;
  out.append(digits, end);
}

}  // namespace

void EventBody::begin(std::string_view key) {
  if (text_.size() > 1) text_.push_back(',');
  text_.push_back('"');
  text_.append(key);
  text_.append("\":");
}

EventBody& EventBody::text(std::string_view key, std::string_view value) {
  begin(key);
  platform::append_json_string(text_, value);
  return *this;
}

EventBody& EventBody::word(std::string_view key, std::string_view value) {
  begin(key);
  text_.push_back('"');
  text_.append(value);
  text_.push_back('"');
  return *this;
}

EventBody& EventBody::number(std::string_view key, std::int64_t value) {
  begin(key);
  append_number(text_, value);
  return *this;
}

EventBody& EventBody::boolean(std::string_view key, bool value) {
  return raw(key, value ? "true" : "false");
}

EventBody& EventBody::raw(std::string_view key, std::string_view json) {
  begin(key);
  text_.append(json);
  return *this;
}

EventBody& EventBody::milliseconds(std::string_view key, Duration value) {
  const std::int64_t micros = value.count() < 0 ? 0 : value.count() / 1000;
  begin(key);
  append_number(text_, micros / 1000);
  const char fraction[4] = {'.', static_cast<char>('0' + micros / 100 % 10),
                            static_cast<char>('0' + micros / 10 % 10),
                            static_cast<char>('0' + micros % 10)};
  text_.append(fraction, 4);
  return *this;
}

EventBody& EventBody::wall(std::string_view key, Wall value) {
  return word(key, base::wall_to_text(value));
}

EventBody& EventBody::id(std::string_view key, const base::UuidBytes& bytes) {
  return word(key, base::uuid_to_text(bytes));
}

EventBody& EventBody::work(const model::WorkSpec& spec, int step_number) {
  word("trace_id", trace_id_of(spec.trace_parent));
  if (!spec.step) return *this;
  id("run_id", spec.step->run.bytes());
  text("pipeline", spec.step->pipeline).text("stage", spec.step->stage);
  return number("index", spec.step->index).number("step", step_number);
}

EventBody& EventBody::error(std::string_view key, const model::WorkError& error) {
  EventBody body;
  body.word("kind", to_text(error.kind)).text("code", error.code).text("message", error.message);
  body.boolean("permanent", error.permanent);
  return raw(key, std::move(body).take());
}

EventBody& EventBody::usage(std::string_view key, const model::Usage& usage) {
  EventBody body;
  if (!usage.model.empty()) body.text("model", usage.model);
  body.number("prompt_tokens", usage.prompt_tokens);
  body.number("completion_tokens", usage.completion_tokens);
  body.number("total_tokens", usage.total_tokens());
  body.number("llm_requests", usage.llm_requests).number("api_calls", usage.api_calls);
  return raw(key, std::move(body).take());
}

std::string EventBody::take() && {
  text_.push_back('}');
  return std::move(text_);
}

}  // namespace mainstay::work
