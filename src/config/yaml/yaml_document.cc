#include "config/yaml/yaml_document.h"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/mark.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <map>
#include <set>
#include <sstream>
#include <utility>

#include "base/text.h"
#include "config/yaml/yaml_scalar.h"

namespace mainstay::config {
namespace {

/// Thrown by the builder to end the parse; what is wrong was reported before.
struct Stopped {};

/// Thrown to end the parse where the rest of the file is not looked at; what was read counts.
struct Ended {};

struct Measure {
  std::size_t nodes = 1;
  std::size_t depth = 1;
};

Measure measure(const YamlNode& node) {
  Measure all;
  const auto include = [&](const YamlNode& child) {
    const Measure m = measure(child);
    all.nodes += m.nodes;
    all.depth = std::max(all.depth, m.depth + 1);
  };
  for (const YamlNode& item : node.items) include(item);
  for (const YamlEntry& entry : node.entries) include(entry.value);
  return all;
}

/// Makes 1-based lines and columns in characters of yaml-cpp's 0-based bytes.
class Places {
 public:
  explicit Places(std::string_view text) : text_(text) {
    starts_.push_back(0);
    for (std::size_t i = 0; i < text.size(); ++i) {
      if (text[i] == '\n') starts_.push_back(i + 1);
    }
  }

  Position of(const YAML::Mark& mark) const {
    if (mark.line < 0) return {};
    const auto line = std::min(static_cast<std::size_t>(mark.line), starts_.size() - 1);
    const std::string_view rest = text_.substr(starts_[line]);
    const auto bytes = std::min(static_cast<std::size_t>(std::max(mark.column, 0)), rest.size());
    int column = 1;
    for (const char c : rest.substr(0, bytes)) {
      if ((static_cast<unsigned char>(c) & 0xc0U) != 0x80U) ++column;
    }
    return {static_cast<int>(line) + 1, column};
  }

  bool tab_indents(Position at) const {
    if (at.line < 1) return false;
    std::string_view line = text_.substr(starts_[static_cast<std::size_t>(at.line) - 1]);
    const std::size_t end = std::min(line.find_first_not_of(" \t"), line.size());
    return line.substr(0, end).find('\t') != std::string_view::npos;
  }

 private:
  std::string_view text_;
  std::vector<std::size_t> starts_;
};

/// Builds the tree from the parser's events.
class Builder : public YAML::EventHandler {
 public:
  Builder(const Places& places, const std::string& file, Problems& problems, YamlLimits limits)
      : places_(places), file_(file), problems_(problems), limits_(limits) {}

  YamlNode take_root() { return std::move(root_); }

  void OnDocumentStart(const YAML::Mark& mark) override {
    if (++documents_ == 1) return;
    problems_.error(file_, places_.of(mark), {}, "expected one document, got a second one");
    throw Ended{};
  }
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    YamlNode node;
    node.at = places_.of(mark);
    place(std::move(node), anchor, false);
  }

  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    YamlNode node;
    node.at = places_.of(mark);
    node.text = value;
    const bool plain = tag == "?" || tag.empty();
    // Written as "\0"; programs and databases would see the text end there.
    if (value.find('\0') != std::string::npos) {
      problems_.error(file_, node.at, {}, "expected text without NUL, got " + quote(value));
    }
    if (takes_key()) {
      node.kind = YamlKind::text;
    } else {
      resolve(node, tag, plain);
    }
    place(std::move(node), anchor, plain);
  }

  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    const Position at = places_.of(mark);
    auto found = anchors_.find(anchor);
    if (found == anchors_.end()) stop(at, "an alias stands for something that contains it");
    const Measure m = measure(found->second);
    if (m.depth + stack_.size() > limits_.max_depth) too_deep(at);
    count(m.nodes, at);
    YamlNode copy = found->second;
    copy.at = at;
    place(std::move(copy), 0, false);
  }

  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value /*style*/) override {
    open(YamlKind::list, mark, tag, anchor);
  }
  void OnSequenceEnd() override { close(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value /*style*/) override {
    open(YamlKind::map, mark, tag, anchor);
  }
  void OnMapEnd() override { close(); }

 private:
  struct Frame {
    YamlNode node;
    YAML::anchor_t anchor = 0;
    bool has_key = false;
    bool drop_value = false;  ///< of a duplicate key
    std::string key;
    Position key_at;
    std::set<std::string, std::less<>> keys;
  };

  [[noreturn]] void stop(Position at, std::string message) {
    problems_.error(file_, at, {}, std::move(message));
    throw Stopped{};
  }
  [[noreturn]] void too_deep(Position at) {
    stop(at, "expected at most " + std::to_string(limits_.max_depth) + " levels, got more");
  }

  void count(std::size_t nodes, Position at) {
    nodes_ += nodes;
    if (nodes_ > limits_.max_nodes) {
      stop(at, "expected at most " + std::to_string(limits_.max_nodes) +
                   " values in a file (aliases count as all they stand for), got more");
    }
  }

  bool takes_key() const {
    return !stack_.empty() && stack_.back().node.kind == YamlKind::map && !stack_.back().has_key;
  }

  void resolve(YamlNode& node, const std::string& tag, bool plain) {
    constexpr std::string_view kCore = "tag:yaml.org,2002:";
    node.kind = YamlKind::text;
    if (tag == "!") return;
    if (!plain && tag.compare(0, kCore.size(), kCore) != 0) {
      problems_.error(file_, node.at, {}, "expected no tag, got " + quote(tag));
      return;
    }
    const std::string_view type = plain ? "" : std::string_view(tag).substr(kCore.size());
    if (type == "str") return;
    const std::string wrong = resolve_plain_scalar(node);
    if (!wrong.empty()) {
      problems_.error(file_, node.at, {}, wrong + ", got " + quote(node.text));
      return;
    }
    const bool fits = type.empty() || (type == "int" && node.kind == YamlKind::integer) ||
                      (type == "float" && node.kind == YamlKind::real) ||
                      (type == "bool" && node.kind == YamlKind::boolean) ||
                      (type == "null" && node.kind == YamlKind::null);
    if (!fits) {
      problems_.error(file_, node.at, {},
                      "expected a value of the type its tag says (" + quote(tag) + "), got " +
                          quote(node.text));
    }
  }

  void open(YamlKind kind, const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor) {
    const Position at = places_.of(mark);
    if (takes_key()) stop(at, "expected a plain word as key, got a list or a map");
    if (tag != "?" && tag != "!" && !tag.empty() && tag != "tag:yaml.org,2002:map" &&
        tag != "tag:yaml.org,2002:seq") {
      problems_.error(file_, at, {}, "expected no tag, got " + quote(tag));
    }
    if (stack_.size() + 1 > limits_.max_depth) too_deep(at);
    count(1, at);
    Frame frame;
    frame.node.kind = kind;
    frame.node.at = at;
    frame.anchor = anchor;
    stack_.push_back(std::move(frame));
  }

  void close() {
    Frame frame = std::move(stack_.back());
    stack_.pop_back();
    attach(std::move(frame.node), frame.anchor);
  }

  /// A scalar or an alias: a key when a map waits for one, else a value.
  void place(YamlNode node, YAML::anchor_t anchor, bool plain) {
    if (!takes_key()) {
      count(1, node.at);
      attach(std::move(node), anchor);
      return;
    }
    if (node.kind != YamlKind::text) {
      stop(node.at, "expected a plain word as key, got " + node.describe());
    }
    Frame& frame = stack_.back();
    if (plain && node.text == "<<") {
      problems_.error(file_, node.at, {},
                      "merge keys (<<) are not part of YAML 1.2: write the entries out");
      frame.drop_value = true;
    } else {
      frame.drop_value = !frame.keys.insert(node.text).second;
      if (frame.drop_value) report_duplicate(frame, node);
    }
    frame.has_key = true;
    frame.key = std::move(node.text);
    frame.key_at = node.at;
  }

  void report_duplicate(const Frame& frame, const YamlNode& key) {
    const YamlEntry* first = frame.node.find(key.text);
    problems_.error(file_, key.at, {},
                    "expected each key once, got " + quote(key.text) + " again (first in line " +
                        std::to_string(first == nullptr ? 0 : first->key_at.line) + ")");
  }

  void attach(YamlNode node, YAML::anchor_t anchor) {
    if (anchor != 0) {
      count(measure(node).nodes, node.at);
      anchors_[anchor] = node;
    }
    if (stack_.empty()) {
      root_ = std::move(node);
      return;
    }
    Frame& parent = stack_.back();
    if (parent.node.kind == YamlKind::list) {
      parent.node.items.push_back(std::move(node));
      return;
    }
    // Nothing has no place of its own: show the key that has no value.
    if (node.kind == YamlKind::null) node.at = parent.key_at;
    if (!parent.drop_value) {
      parent.node.entries.push_back({std::move(parent.key), parent.key_at, std::move(node)});
    }
    parent.has_key = false;
  }

  const Places& places_;
  const std::string& file_;
  Problems& problems_;
  const YamlLimits limits_;
  int documents_ = 0;
  std::size_t nodes_ = 0;
  std::vector<Frame> stack_;
  std::map<YAML::anchor_t, YamlNode> anchors_;
  YamlNode root_;
};

/// What is not even text; yaml-cpp would guess another encoding or stop reading there.
bool check_bytes(std::string_view text, const std::string& file, Problems& problems,
                 YamlLimits limits) {
  if (text.size() > limits.max_bytes) {
    problems.error(file, {}, {},
                   "expected at most " + std::to_string(limits.max_bytes) + " bytes, got " +
                       std::to_string(text.size()));
    return false;
  }
  Position at{0, 1};
  for (const std::string_view line : base::split(text, '\n')) {
    ++at.line;
    if (!base::is_valid_utf8(line)) {
      problems.error(file, at, {}, "expected UTF-8, got other bytes in this line");
      return false;
    }
    const auto bad = std::find_if(line.begin(), line.end(), [](char c) {
      return (static_cast<unsigned char>(c) < 0x20 && c != '\t' && c != '\r') || c == 0x7f;
    });
    if (bad == line.end()) continue;
    problems.error(file, at, {},
                   "expected text, got a control character in this line: " +
                       quote(std::string_view(&*bad, 1)));
    return false;
  }
  return true;
}

}  // namespace

const YamlEntry* YamlNode::find(std::string_view key) const {
  const auto found = std::find_if(entries.begin(), entries.end(),
                                  [&](const YamlEntry& entry) { return entry.key == key; });
  return found == entries.end() ? nullptr : &*found;
}

std::string YamlNode::describe() const {
  switch (kind) {
    case YamlKind::null:
      return "nothing";
    case YamlKind::boolean:
      return boolean ? "true" : "false";
    case YamlKind::integer:
    case YamlKind::real:
      return "the number " + base::excerpt(text, 40);
    case YamlKind::text:
      return quote(text);
    case YamlKind::list:
      return items.empty() ? "an empty list" : "a list";
    case YamlKind::map:
      return entries.empty() ? "an empty map" : "a map";
  }
  return {};
}

std::optional<YamlNode> read_yaml(std::string_view text, const std::string& file,
                                  Problems& problems, YamlLimits limits) {
  constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";
  if (text.substr(0, kByteOrderMark.size()) == kByteOrderMark) {
    text.remove_prefix(kByteOrderMark.size());
  }
  if (!check_bytes(text, file, problems, limits)) return std::nullopt;
  const Places places(text);
  Builder builder(places, file, problems, limits);
  try {
    std::istringstream stream{std::string(text)};
    YAML::Parser parser(stream);
    while (parser.HandleNextDocument(builder)) {
    }
  } catch (const Ended&) {
  } catch (const Stopped&) {
    return std::nullopt;
  } catch (const YAML::Exception& e) {
    const Position at = places.of(e.mark);
    std::string message = "not valid YAML: " + e.msg;
    if (places.tab_indents(at)) message += " (a tab cannot indent; use spaces)";
    problems.error(file, at, {}, std::move(message));
    return std::nullopt;
  } catch (const std::exception& e) {
    problems.error(file, {}, {}, std::string("not valid YAML: ") + e.what());
    return std::nullopt;
  }
  return builder.take_root();
}

}  // namespace mainstay::config
