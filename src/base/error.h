// Error: what went wrong, for the operator who reads it at 3 a.m.
//
// The code comes from proto/errors.json, which also fixes the HTTP status, the gRPC status, the
// Python exception, whether a retry can help, and a hint; `docs/errors/CODE.md` explains each.
// The message names the field, the value and what would be right. Context fields are data for
// machines (`{"field", "priority"}`); the cause is the error below this one, if any.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error_codes.h"  // generated from proto/errors.json by tools/gen_errors

namespace mainstay::base {

class Error {
 public:
  using Fields = std::vector<std::pair<std::string, std::string>>;

  Error(Code code, std::string message) : code_(code), message_(std::move(message)) {}

  Code code() const { return code_; }
  const std::string& message() const { return message_; }
  const Fields& fields() const { return fields_; }
  const Error* cause() const { return cause_.get(); }

  /// The wire name of the code, such as `work_invalid`.
  std::string_view code_name() const { return code_info(code_).name; }
  bool retryable() const { return code_info(code_).retryable; }
  /// What the operator can do: the error's own hint, else that of its code.
  std::string_view hint() const { return hint_.empty() ? code_info(code_).hint : hint_; }

  Error with(std::string key, std::string value) && {
    fields_.emplace_back(std::move(key), std::move(value));
    return std::move(*this);
  }
  Error with_hint(std::string hint) && {
    hint_ = std::move(hint);
    return std::move(*this);
  }
  Error caused_by(Error cause) && {
    cause_ = std::make_shared<const Error>(std::move(cause));
    return std::move(*this);
  }

  /// One line for people: `message (code); because cause`.
  std::string to_text() const;

 private:
  Code code_;
  std::string message_;
  std::string hint_;
  Fields fields_;
  std::shared_ptr<const Error> cause_;
};

}  // namespace mainstay::base

namespace mainstay {
using base::Code;
}  // namespace mainstay
