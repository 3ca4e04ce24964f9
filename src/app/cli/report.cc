// What a command says at its end: an answer on stdout, or an error on stderr and its exit code.
#include <cstdio>
#include <string>
#include <string_view>

#include "app/cli/commands.h"
#include "base/printable.h"

namespace mainstay::app {

int exit_code_of(const Error& error) {
  switch (error.code()) {
    case Code::invalid_argument:
    case Code::work_invalid:
    case Code::config_invalid:
    case Code::capability_unknown:
    case Code::not_supported:
      return kExitUsage;
    case Code::not_running:
      return kExitNoDaemon;
    case Code::not_found:
    case Code::pipeline_unknown:
      return kExitNotFound;
    default:
      return kExitFailed;
  }
}

namespace {

bool has_own_hint(const Error& error) { return error.hint() != base::code_info(error.code()).hint; }

// The nearest to the trouble that says something of its own; else what the code says. Of a wrong
// value the message says what would be right.
std::string_view hint_of(const Error& error) {
  std::string_view hint = error.code() == Code::invalid_argument ? "" : error.hint();
  for (const Error* at = &error; at != nullptr; at = at->cause()) {
    if (has_own_hint(*at)) hint = at->hint();
  }
  return hint;
}

}  // namespace

int report(const Error& error) {
  std::string text = "mainstay: " + base::printable(error.message());
  for (const Error* cause = error.cause(); cause != nullptr; cause = cause->cause()) {
    text += "\n  because: " + base::printable(cause->message());
  }
  if (const std::string_view hint = hint_of(error); !hint.empty()) {
    text.append("\n  ").append(base::printable(hint));
  }
  std::fprintf(stderr, "%s\n", text.c_str());
  return exit_code_of(error);
}

void print(const GlobalOptions& global, std::string_view json, const std::string& table) {
  std::fputs(render(global.output, json, table).c_str(), stdout);
}

}  // namespace mainstay::app
