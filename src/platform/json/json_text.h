// Writing JSON straight into a string, for answers, events and log lines that are made often: no
// value is built. The output is always valid UTF-8.
//
//   JsonWriter json(out);
//   json.begin_object().member("id", id).member("count", 3).key("tags").begin_array() ...
//
// Threads: one writer, one thread. Nothing fails; wrong nesting is the caller's defect.
#pragma once

#include <concepts>
#include <cstdint>
#include <string>
#include <string_view>

namespace mainstay::platform {

/// `text` with its quotes. Bytes that are not UTF-8 become U+FFFD, so the output is always valid.
void append_json_string(std::string& out, std::string_view text);
/// The shortest form that reads back equal; `null` for a value that is not finite.
void append_json_number(std::string& out, double value);
void append_json_integer(std::string& out, std::int64_t value);
void append_json_integer(std::string& out, std::uint64_t value);

class JsonWriter {
 public:
  /// Appends to `out`, which must outlive the writer.
  explicit JsonWriter(std::string& out) : out_(out) {}

  JsonWriter& begin_object() { return open('{'); }
  JsonWriter& end_object() { return close('}'); }
  JsonWriter& begin_array() { return open('['); }
  JsonWriter& end_array() { return close(']'); }

  JsonWriter& key(std::string_view name) {
    separate();
    append_json_string(out_, name);
    out_ += ':';
    first_ = true;
    return *this;
  }

  JsonWriter& value(std::string_view text) {
    separate();
    append_json_string(out_, text);
    return *this;
  }
  JsonWriter& value(const char* text) { return value(std::string_view(text)); }
  JsonWriter& value(bool truth) { return raw(truth ? "true" : "false"); }
  JsonWriter& value(double number) {
    separate();
    append_json_number(out_, number);
    return *this;
  }
  template <std::integral I>
  requires(!std::same_as<I, bool>) JsonWriter& value(I number) {
    separate();
    if constexpr (std::signed_integral<I>) {
      append_json_integer(out_, static_cast<std::int64_t>(number));
    } else {
      append_json_integer(out_, static_cast<std::uint64_t>(number));
    }
    return *this;
  }
  JsonWriter& null() { return raw("null"); }
  /// `json` must be the text of one valid JSON value.
  JsonWriter& raw(std::string_view json) {
    separate();
    out_ += json;
    return *this;
  }

  template <class T>
  JsonWriter& member(std::string_view name, const T& what) {
    return key(name).value(what);
  }
  JsonWriter& member_raw(std::string_view name, std::string_view json) {
    return key(name).raw(json);
  }

 private:
  JsonWriter& open(char bracket) {
    separate();
    out_ += bracket;
    first_ = true;
    return *this;
  }
  JsonWriter& close(char bracket) {
    out_ += bracket;
    first_ = false;
    return *this;
  }
  /// A comma, unless this is the first value of its array or object, or follows its key.
  void separate() {
    if (!first_) out_ += ',';
    first_ = false;
  }

  std::string& out_;
  bool first_ = true;
};

}  // namespace mainstay::platform
