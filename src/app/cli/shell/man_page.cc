#include "app/cli/shell/man_page.h"

#include <fmt/format.h>

#include <cstdint>
#include <vector>

#include "app/cli/commands.h"
#include "base/text.h"

namespace mainstay::app {
namespace {

struct Entry {
  const char* name;
  const char* meaning;
};

constexpr Entry kFiles[] = {
    {"fleet.yaml", "The fleet: its agents and pipelines."},
    {"mainstay.yaml", "Settings; mainstay.ENVIRONMENT.yaml is laid over it."},
    {"runs/PIPELINE/ID/", "All about a run: logs, summary, metrics and archive."},
    {".mainstay/", "The daemon's own: database, tokens and logs (mode 0700)."},
    {".mainstay/daemon.json", "Where the running daemon is found."},
    {".mainstay/operator.token", "The token that commands show it."},
    {".mainstay/logs/daemon.log", "What the daemon says."}};

constexpr Entry kEnvironment[] = {
    {"MAINSTAY_PROJECT", "The project folder, where --project names none."},
    {"MAINSTAY_URL",
     "The daemon to ask, such as http://127.0.0.1:7000, instead of that of the project folder."},
    {"MAINSTAY_TOKEN", "The token to show it, instead of that of the project folder."},
    {"MAINSTAY_ENV", "The environment: which mainstay.ENVIRONMENT.yaml and defaults hold."},
    {"MAINSTAY_SETTING",
     "Any setting, in capitals with _ for the dots: MAINSTAY_WORK_TIMEOUT is work.timeout."},
    {"NO_COLOR", "Set: no colours."},
    {"TERM", "dumb or unset: no live view, plain lines."}};

// Text as roff shows it: a backslash, a hyphen and a quote are letters; beyond ASCII by number, so
// that the page is the same under every locale.
std::string shown(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size();) {
    const auto first = static_cast<unsigned char>(text[i]);
    const std::size_t size = first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
    if (size > 1) {
      std::uint32_t code = first & (0x7fU >> size);
      for (std::size_t k = 1; k < size && i + k < text.size(); ++k) {
        code = code << 6U | (static_cast<unsigned char>(text[i + k]) & 0x3fU);
      }
      out += fmt::format("\\[u{:04X}]", code);
    } else if (first == '\\') {
      out += "\\e";
    } else if (first == '-') {
      out += "\\-";
    } else if (first == '\'') {
      out += "\\(aq";
    } else if (first == '`') {
      out += "\\(ga";
    } else if (first == '"') {
      out += "\\(dq";
    } else {
      out += text[i];
    }
    i += size;
  }
  return out;
}

// A line of text: a dot at its beginning is no request.
std::string line(std::string_view text) {
  return (text.starts_with('.') ? "\\&" : "") + shown(text) + "\n";
}

std::string section(std::string_view title) { return fmt::format(".SH {}\n", title); }

std::string option_entry(const OptionShape& option) {
  std::vector<std::string> names;
  for (const std::string& name : option.names) names.push_back("\\fB" + shown(name) + "\\fR");
  std::string head = base::join(names, ", ");
  if (option.takes_value) head += " \\fI" + shown(option.value) + "\\fR";
  return ".TP\n" + head + "\n" + line(option.help);
}

std::string options_text(const CommandShape& command) {
  std::string out;
  for (const OptionShape& option : command.options) {
    const bool is_help = !option.names.empty() && option.names[0] == "--help";
    if (!option.hidden && !is_help) out += option_entry(option);
  }
  return out;
}

std::string synopsis(const CommandShape& command, const std::string& path) {
  std::string out = "\\fB" + shown(path) + "\\fR";
  if (!options_text(command).empty()) out += " [\\fIOPTION\\fR]...";
  for (const ArgumentShape& argument : command.arguments) {
    const std::string name = "\\fI" + shown(argument.name) + "\\fR";
    out += argument.required ? " " + name : " [" + name + "]";
  }
  return out + "\n";
}

// A section for each verb; a noun alone does nothing.
std::string verbs_text(const CommandShape& command, const std::string& path) {
  std::string out;
  for (const CommandShape& one : command.commands) {
    const std::string at = path + " " + one.name;
    if (!one.commands.empty()) {
      out += verbs_text(one, at);
      continue;
    }
    out += ".SS \"" + shown(at) + "\"\n" + synopsis(one, at) + ".PP\n" + line(one.help + ".");
    for (const ArgumentShape& argument : one.arguments) {
      if (argument.help.empty() && argument.choices.empty()) continue;
      out += ".TP\n\\fI" + shown(argument.name) + "\\fR\n" +
             line(argument.help +
                  (argument.choices.empty() ? "" : ": " + base::join(argument.choices, ", ")));
    }
    out += options_text(one);
  }
  return out;
}

template <class Entries>
std::string entries_text(const Entries& entries) {
  std::string out;
  for (const Entry& entry : entries) {
    out += ".TP\n\\fB" + shown(entry.name) + "\\fR\n" + line(entry.meaning);
  }
  return out;
}

std::string exit_codes_text() {
  std::string out;
  for (const ExitCode& known : kExitCodes) {
    out += fmt::format(".TP\n\\fB{}\\fR\n{}", known.code, line(known.meaning));
  }
  return out;
}

}  // namespace

std::string manual_page(const CommandShape& root, std::string_view version) {
  std::string out = ".\\\" Made by `mainstay man`.\n";
  out += fmt::format(".TH MAINSTAY 1 \"\" \"mainstay {}\" \"Mainstay\"\n", shown(version));
  out += section("NAME") + "mainstay \\- the operations backbone for fleets of AI agents\n";
  out += section("SYNOPSIS") +
         "\\fBmainstay\\fR [\\fIOPTION\\fR]... \\fICOMMAND\\fR [\\fIARGUMENT\\fR]...\n";
  out +=
      section("DESCRIPTION") +
      line(
          "Mainstay starts and supervises the agents that fleet.yaml names, gives them work that "
          "survives any crash once it is accepted, and keeps what happened in plain files. "
          "Data goes to standard output, words for people to standard error.");
  out += section("OPTIONS") + line("Every command takes these; --set those that read settings:") +
         line("up, doctor and config. --help tells more of any command.") + options_text(root);
  out += section("COMMANDS") + verbs_text(root, root.name);
  out += section("EXIT STATUS") + exit_codes_text();
  out += section("FILES") + line("In the project folder:") + entries_text(kFiles);
  out += section("ENVIRONMENT") + entries_text(kEnvironment);
  out += section("SEE ALSO") +
         line(
             "The pages in share/doc/mainstay, which `mainstay config reference` and "
             "`mainstay doctor` complete.");
  return out;
}

}  // namespace mainstay::app
