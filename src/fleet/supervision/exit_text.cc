#include "fleet/supervision/exit_text.h"

#include <fmt/format.h>

#include <array>
#include <csignal>
#include <string_view>
#include <utility>

namespace mainstay::fleet {

std::string signal_name(int signal) {
  constexpr std::array<std::pair<int, std::string_view>, 18> kNames = {{{SIGHUP, "SIGHUP"},
                                                                        {SIGINT, "SIGINT"},
                                                                        {SIGQUIT, "SIGQUIT"},
                                                                        {SIGILL, "SIGILL"},
                                                                        {SIGTRAP, "SIGTRAP"},
                                                                        {SIGABRT, "SIGABRT"},
                                                                        {SIGBUS, "SIGBUS"},
                                                                        {SIGFPE, "SIGFPE"},
                                                                        {SIGKILL, "SIGKILL"},
                                                                        {SIGUSR1, "SIGUSR1"},
                                                                        {SIGSEGV, "SIGSEGV"},
                                                                        {SIGUSR2, "SIGUSR2"},
                                                                        {SIGPIPE, "SIGPIPE"},
                                                                        {SIGALRM, "SIGALRM"},
                                                                        {SIGTERM, "SIGTERM"},
                                                                        {SIGXCPU, "SIGXCPU"},
                                                                        {SIGXFSZ, "SIGXFSZ"},
                                                                        {SIGSYS, "SIGSYS"}}};
  for (const auto& [number, name] : kNames) {
    if (number == signal) return std::string(name);
  }
  return fmt::format("signal {}", signal);
}

std::string exit_text(const model::ExitStatus& status) {
  std::string text = "gone";
  if (status.code) text = fmt::format("exit {}", *status.code);
  if (status.signal) text = "killed by " + signal_name(*status.signal);
  if (status.out_of_memory) text += " (out of memory)";
  if (status.core_dumped) text += " (core dumped)";
  return text;
}

}  // namespace mainstay::fleet
