// What an agent written in C++ works on and answers with. JSON goes in and out as text: use the
// JSON library you like.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace mainstay::v1 {
class Assignment;
}

namespace mainstay {

/// Largest input or output, in bytes of JSON text.
constexpr std::size_t kMaxPayloadBytes = std::size_t{16} << 20;

/// One attempt at one work item, as it was assigned. Cheap to copy; any thread.
class Item {
 public:
  explicit Item(std::shared_ptr<const v1::Assignment> assignment);

  /// UUIDv7 in its text form.
  std::string id() const;
  const std::string& capability() const;
  const std::string& description() const;
  /// JSON text.
  const std::string& input() const;
  /// 1 for the first try.
  int attempt() const;
  /// Fencing token of the attempt: pass it to whatever you write to outside.
  std::int64_t epoch() const;
  int priority() const;
  const std::string& phase() const;
  /// Empty when the item is not part of a run.
  const std::string& run_id() const;
  const std::string& pipeline() const;
  const std::string& stage() const;
  int step() const;
  /// W3C traceparent.
  const std::string& trace_parent() const;
  std::map<std::string, std::string> labels() const;

 private:
  std::shared_ptr<const v1::Assignment> assignment_;
};

/// How an attempt ended.
struct Outcome {
  /// JSON text; set when it succeeded.
  std::optional<std::string> output;
  /// When it did not: a stable code such as `no_such_file`, and what happened.
  std::string code;
  std::string message;
  /// A retry cannot help.
  bool permanent = false;
  /// JSON object text for whoever looks into it; may be empty.
  std::string context;

  static Outcome success(std::string json);
  static Outcome failure(std::string code, std::string message, bool permanent = false);
};

/// What an attempt consumed; say only what is new since the last time.
struct ModelUsage {
  std::string provider;
  std::string model;
  std::int64_t prompt_tokens = 0;
  std::int64_t completion_tokens = 0;
  std::int64_t cached_tokens = 0;
  std::int64_t reasoning_tokens = 0;
  std::int64_t llm_requests = 0;
  std::int64_t api_calls = 0;
};

}  // namespace mainstay
