#include <cstdio>
#include <string>

#include "app/commands.h"

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

int report(const Error& error) {
  std::string text = "mainstay: " + error.message();
  for (const Error* cause = error.cause(); cause != nullptr; cause = cause->cause()) {
    text += "\n  because: " + cause->message();
  }
  if (!error.hint().empty()) text += "\n  " + std::string(error.hint());
  std::fprintf(stderr, "%s\n", text.c_str());
  return exit_code_of(error);
}

}  // namespace mainstay::app
