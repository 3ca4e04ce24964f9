#include "app/cli/input/usage_slip.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstddef>

#include "base/printable.h"
#include "base/text.h"

namespace mainstay::app {
namespace {

std::string quoted(const std::string& word) {
  return "\"" + base::printable(base::excerpt(word, 80)) + "\"";
}

std::string meant(const std::string& word, const std::vector<std::string>& names) {
  const auto near = base::nearest(word, names);
  return near ? "; did you mean `" + *near + "`?" : "";
}

class Reader {
 public:
  explicit Reader(const CommandShape& root) : root_(root), at_(&root), command_(root.name) {}

  UsageSlip read(const std::vector<std::string>& words) {
    for (std::size_t i = 0; i < words.size() && message_.empty(); ++i) {
      const std::string& word = words[i];
      if (word == "--") break;
      if (word.size() > 1 && word.front() == '-') {
        option(word, i + 1 < words.size(), i);
      } else if (!at_->commands.empty()) {
        command(word);
      } else if (++arguments_ > at_->arguments.size()) {
        message_ = fmt::format("`{}` takes no argument {}", command_, quoted(word));
      }
    }
    if (!message_.empty()) return {message_, false, command_};
    message_ = missing();
    return {message_, !message_.empty(), command_};
  }

 private:
  // Long: up to '='. Short: one letter, perhaps with its value behind it.
  void option(const std::string& word, bool has_next, std::size_t& index) {
    const bool is_long = word[1] == '-';
    const std::string name = is_long ? word.substr(0, word.find('=')) : word.substr(0, 2);
    std::vector<std::string> long_names;
    for (const CommandShape* shape : {at_, &root_}) {
      for (const OptionShape& known : shape->options) {
        for (const std::string& one : known.names) {
          if (one.size() > 2) long_names.push_back(one);
        }
        if (std::find(known.names.begin(), known.names.end(), name) == known.names.end()) continue;
        if (!known.takes_value || name.size() < word.size()) return;
        if (!has_next) message_ = name + " needs a value";
        ++index;
        return;
      }
    }
    message_ = fmt::format("`{}` has no option {}{}", command_, quoted(name),
                           meant(name, is_long ? long_names : std::vector<std::string>{}));
  }

  void command(const std::string& word) {
    const auto found = std::find_if(at_->commands.begin(), at_->commands.end(),
                                    [&](const CommandShape& one) { return one.name == word; });
    if (found != at_->commands.end()) {
      at_ = &*found;
      command_ += " " + word;
      return;
    }
    message_ = fmt::format("{} is not a command of `{}`{}", quoted(word), command_,
                           meant(word, command_names()));
  }

  std::string missing() const {
    if (!at_->commands.empty() && at_ != &root_) {
      return fmt::format("`{}` needs a command: {}", command_, base::join(command_names(), ", "));
    }
    if (arguments_ >= at_->arguments.size() || !at_->arguments[arguments_].required) return "";
    return fmt::format("`{}` needs {}", command_, at_->arguments[arguments_].name);
  }

  std::vector<std::string> command_names() const {
    std::vector<std::string> names;
    for (const CommandShape& one : at_->commands) names.push_back(one.name);
    return names;
  }

  const CommandShape& root_;
  const CommandShape* at_;
  std::string command_;
  std::size_t arguments_ = 0;
  std::string message_;
};

}  // namespace

UsageSlip find_slip(const CommandShape& root, const std::vector<std::string>& words) {
  return Reader(root).read(words);
}

std::string not_one_of(const std::string& text, const std::vector<std::string>& words) {
  if (std::find(words.begin(), words.end(), text) != words.end()) return "";
  return fmt::format("expected one of {}, got {}{}", base::join(words, ", "), quoted(text),
                     meant(text, words));
}

std::string not_between(const std::string& text, std::int64_t least, std::int64_t most) {
  std::int64_t number = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, failed] = std::from_chars(text.data(), end, number);
  if (failed == std::errc() && stop == end && number >= least && number <= most) return "";
  return fmt::format("expected a whole number from {} to {}, got {}", least, most, quoted(text));
}

}  // namespace mainstay::app
