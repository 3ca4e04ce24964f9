#include "base/error.h"

namespace mainstay::base {

std::string Error::to_text() const {
  std::string text = message_;
  text.append(" (").append(code_name()).append(")");
  for (const Error* cause = cause_.get(); cause != nullptr; cause = cause->cause_.get()) {
    text.append("; because ").append(cause->message_);
  }
  return text;
}

}  // namespace mainstay::base
