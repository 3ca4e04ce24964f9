#include "platform/json/json_layout.h"

#include <cstddef>

#include "platform/json/json_scan.h"

namespace mainstay::platform {
namespace {

class Layout {
 public:
  Layout(std::string_view json, bool pretty) : scan_(json), pretty_(pretty) {}

  std::string take() {
    for (char c = scan_.peek(); c != '\0'; c = scan_.peek()) {
      if (c == '{' || c == '[') {
        open(c);
      } else if (c == '}' || c == ']') {
        close(c);
      } else if (c == ',' || c == ':') {
        scan_.advance();
        out_ += c;
        if (c == ',') new_line();
        if (c == ':' && pretty_) out_ += ' ';
      } else {
        out_ += scan_.take_value();
      }
    }
    return std::move(out_);
  }

 private:
  void open(char bracket) {
    scan_.advance();
    out_ += bracket;
    ++depth_;
    const char next = scan_.peek();
    if (next != '}' && next != ']') return new_line();
    scan_.advance();
    --depth_;
    out_ += next;
  }
  void close(char bracket) {
    scan_.advance();
    --depth_;
    new_line();
    out_ += bracket;
  }
  void new_line() {
    if (!pretty_) return;
    out_ += '\n';
    out_.append(2 * depth_, ' ');
  }

  JsonScanner scan_;
  bool pretty_;
  std::size_t depth_ = 0;
  std::string out_;
};

}  // namespace

std::string pretty_json_text(std::string_view json) { return Layout(json, true).take(); }

std::string compact_json_text(std::string_view json) { return Layout(json, false).take(); }

}  // namespace mainstay::platform
