#include "app/cli/shell/completion.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "base/text.h"

namespace mainstay::app {
namespace {

struct Place {
  /// As it is typed: `mainstay work list`.
  std::string path;
  const CommandShape* shape = nullptr;
};

void add_places(std::vector<Place>& places, const CommandShape& shape, const std::string& path) {
  places.push_back({path, &shape});
  for (const CommandShape& command : shape.commands) {
    add_places(places, command, path + " " + command.name);
  }
}

// The root first.
std::vector<Place> places_of(const CommandShape& root) {
  std::vector<Place> places;
  add_places(places, root, root.name);
  return places;
}

bool is_settings(const OptionShape& option) {
  return std::find(option.names.begin(), option.names.end(), kSettingsOption) != option.names.end();
}

// Its own, and those of the root that it takes.
std::vector<OptionShape> options_at(const CommandShape& root, const CommandShape& command) {
  std::vector<OptionShape> options;
  std::vector<std::string> known;
  for (const CommandShape* from : {&command, &root}) {
    for (const OptionShape& option : from->options) {
      const bool again = !option.names.empty() &&
                         std::find(known.begin(), known.end(), option.names[0]) != known.end();
      if (option.hidden || option.names.empty() || again) continue;
      if (is_settings(option) && &command != &root && !command.takes_settings) continue;
      known.push_back(option.names[0]);
      options.push_back(option);
    }
    if (&command == &root) break;
  }
  return options;
}

std::vector<std::string> names_at(const CommandShape& root, const CommandShape& command) {
  std::vector<std::string> names;
  for (const OptionShape& option : options_at(root, command)) {
    names.insert(names.end(), option.names.begin(), option.names.end());
  }
  return names;
}

// What may stand where no option does.
std::vector<std::string> words_at(const CommandShape& command) {
  std::vector<std::string> words;
  for (const CommandShape& one : command.commands) words.push_back(one.name);
  for (const ArgumentShape& argument : command.arguments) {
    words.insert(words.end(), argument.choices.begin(), argument.choices.end());
  }
  return words;
}

std::string quoted(const std::string& text) {
  std::string out = "'";
  for (const char c : text) c == '\'' ? out += "'\\''" : out += c;
  return out + "'";
}

// Alternatives of a `case` in sh: the option behind its command; those of the root behind any.
std::string patterns_of(const Place& place, const CommandShape& root, const OptionShape& option) {
  std::vector<std::string> out;
  for (const std::string& name : option.names) {
    out.push_back(place.shape == &root ? "*" + quoted(" " + name)
                                       : quoted(place.path + " " + name));
  }
  return base::join(out, " | ");
}

// `takes(place, option)` is the line for each option that has a value.
template <class Take>
std::string for_values(const std::vector<Place>& places, const Take& take) {
  std::string out;
  for (const Place& place : places) {
    for (const OptionShape& option : place.shape->options) {
      if (option.takes_value && !option.hidden && !option.names.empty()) out += take(place, option);
    }
  }
  return out;
}

std::string command_patterns(const std::vector<Place>& places) {
  std::vector<std::string> paths;
  for (std::size_t i = 1; i < places.size(); ++i) paths.push_back(quoted(places[i].path));
  return base::join(paths, " | \\\n      ");
}

std::string value_patterns(const std::vector<Place>& places, const CommandShape& root) {
  std::vector<std::string> all;
  for_values(places, [&](const Place& place, const OptionShape& option) {
    all.push_back(patterns_of(place, root, option));
    return std::string();
  });
  return base::join(all, " | \\\n      ");
}

// {0} commands, {1} options with values, {2} values, {3} words and options.
constexpr const char* kBash = R"(# bash completion of mainstay: made by `mainstay completion bash`.
_mainstay() {{
  local cur=${{COMP_WORDS[COMP_CWORD]}} prev=${{COMP_WORDS[COMP_CWORD-1]}}
  local command=mainstay word i
  COMPREPLY=()
  # `--output=json` comes as three words.
  if [[ $cur == '=' ]]; then
    cur=
  elif [[ $prev == '=' ]]; then
    prev=${{COMP_WORDS[COMP_CWORD-2]}}
  fi
  for ((i = 1; i < COMP_CWORD; i++)); do
    word=${{COMP_WORDS[i]}}
    case "$command $word" in
      {0})
        command="$command $word" ;;
      {1})
        i=$((i + 1))
        if [[ ${{COMP_WORDS[i]}} == '=' ]]; then i=$((i + 1)); fi ;;
    esac
  done
  case "$command $prev" in
{2}  esac
  local words= options=
  case "$command" in
{3}  esac
  if [[ $cur == -* ]]; then words=$options; fi
  COMPREPLY=($(compgen -W "$words" -- "$cur"))
}}
complete -F _mainstay mainstay
)";

std::string bash_script(const CommandShape& root) {
  const auto places = places_of(root);
  const std::string values = for_values(places, [&](const Place& place, const OptionShape& option) {
    std::string reply;
    if (!option.choices.empty()) {
      reply = fmt::format("COMPREPLY=($(compgen -W {} -- \"$cur\")); ",
                          quoted(base::join(option.choices, " ")));
    } else if (option.value == "DIR") {
      reply = "COMPREPLY=($(compgen -d -- \"$cur\")); ";
    }
    return fmt::format("    {}) {}return ;;\n", patterns_of(place, root, option), reply);
  });
  std::string words;
  for (const Place& place : places) {
    words += fmt::format("    {}) words={} options={} ;;\n", quoted(place.path),
                         quoted(base::join(words_at(*place.shape), " ")),
                         quoted(base::join(names_at(root, *place.shape), " ")));
  }
  return fmt::format(kBash, command_patterns(places), value_patterns(places, root), values, words);
}

// The same places as in kBash; zsh counts words from 1 and keeps `--output=json` as one.
constexpr const char* kZsh = R"(#compdef mainstay
# zsh completion of mainstay: made by `mainstay completion zsh`.
_mainstay() {{
  local command=mainstay prev=${{words[CURRENT-1]}} word
  local -a entries options
  local -i i
  for ((i = 2; i < CURRENT; i++)); do
    word=${{words[i]}}
    case "$command $word" in
      {0})
        command="$command $word" ;;
      {1})
        i=$((i + 1)) ;;
    esac
  done
  if [[ ${{words[CURRENT]}} == --*=* ]]; then
    prev=${{words[CURRENT]%%=*}}
    compset -P '*='
  fi
  case "$command $prev" in
{2}  esac
  case "$command" in
{3}  esac
  if [[ $PREFIX == -* ]]; then
    _describe option options
  else
    _describe command entries
  fi
}}
if [[ ${{funcstack[1]}} == _mainstay ]]; then
  _mainstay "$@"
else
  compdef _mainstay mainstay
fi
)";

// `_describe` takes `word:what it is`.
std::string described(const std::string& word, const std::string& help) {
  std::string out;
  for (const char c : word) {
    if (c == ':' || c == '\\') out += '\\';
    out += c;
  }
  return quoted(help.empty() ? out : out + ":" + help);
}

std::string zsh_script(const CommandShape& root) {
  const auto places = places_of(root);
  const std::string values = for_values(places, [&](const Place& place, const OptionShape& option) {
    const std::string offer = !option.choices.empty()
                                  ? "compadd -- " + base::join(option.choices, " ") + "; "
                              : option.value == "DIR" ? "_files -/; "
                                                      : "";
    return fmt::format("    {}) {}return ;;\n", patterns_of(place, root, option), offer);
  });
  std::string words;
  for (const Place& place : places) {
    std::string entries;
    std::string options;
    for (const CommandShape& one : place.shape->commands) {
      entries += " " + described(one.name, one.help);
    }
    for (const ArgumentShape& argument : place.shape->arguments) {
      for (const std::string& choice : argument.choices) entries += " " + described(choice, "");
    }
    for (const OptionShape& option : options_at(root, *place.shape)) {
      for (const std::string& name : option.names) options += " " + described(name, option.help);
    }
    words += fmt::format("    {}) entries=({}) options=({}) ;;\n", quoted(place.path),
                         entries.empty() ? "" : entries.substr(1),
                         options.empty() ? "" : options.substr(1));
  }
  return fmt::format(kZsh, command_patterns(places), value_patterns(places, root), values, words);
}

// {0} commands, {1} options with values, {2} the completions.
constexpr const char* kFish = R"(# fish completion of mainstay: made by `mainstay completion fish`.
function __mainstay_at
    set -l command mainstay
    set -l given (commandline -opc)
    set -e given[1]
    set -l is_value 0
    for word in $given
        if test $is_value = 1
            set is_value 0
            continue
        end
        switch "$command $word"
            case {0}
                set command "$command $word"
            case {1}
                set is_value 1
        end
    end
    test "$command" = "$argv[1]"
end
complete -c mainstay -f
{2})";

// Like quoted(), in which fish knows \' and \\.
std::string fish_quoted(const std::string& text) {
  std::string out = "'";
  for (const char c : text) {
    if (c == '\'' || c == '\\') out += '\\';
    out += c;
  }
  return out + "'";
}

std::string fish_option(const std::string& lead, const OptionShape& option) {
  std::string line = lead;
  for (const std::string& name : option.names) {
    line += name.starts_with("--") ? " -l " + name.substr(2) : " -s " + name.substr(1);
  }
  if (option.takes_value) line += " -x";
  if (!option.choices.empty()) line += " -a " + fish_quoted(base::join(option.choices, " "));
  if (option.value == "DIR") line += " -a '(__fish_complete_directories)'";
  return line + (option.help.empty() ? "" : " -d " + fish_quoted(option.help)) + "\n";
}

std::string fish_script(const CommandShape& root) {
  const auto places = places_of(root);
  std::string paths;
  std::string lines;
  std::string values;
  for (const Place& place : places) {
    if (place.shape != &root) paths += " " + fish_quoted(place.path);
    const std::string at =
        fmt::format("complete -c mainstay -n \"__mainstay_at '{}'\"", place.path);
    for (const CommandShape& one : place.shape->commands) {
      lines += fmt::format("{} -a {} -d {}\n", at, one.name, fish_quoted(one.help));
    }
    for (const ArgumentShape& argument : place.shape->arguments) {
      if (argument.choices.empty()) continue;
      lines += fmt::format("{} -a {}\n", at, fish_quoted(base::join(argument.choices, " ")));
    }
    for (const OptionShape& option : options_at(root, *place.shape)) {
      lines += fish_option(at, option);
    }
  }
  for_values(places, [&](const Place& place, const OptionShape& option) {
    for (const std::string& name : option.names) {
      values += " " + fish_quoted((place.shape == &root ? "*" : place.path) + " " + name);
    }
    return std::string();
  });
  return fmt::format(kFish, paths.substr(1), values.empty() ? "''" : values.substr(1), lines);
}

}  // namespace

std::string completion_script(const CommandShape& root, const std::string& shell) {
  if (shell == "zsh") return zsh_script(root);
  return shell == "fish" ? fish_script(root) : bash_script(root);
}

}  // namespace mainstay::app
