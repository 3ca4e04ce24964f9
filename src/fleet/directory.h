// What work may see of the fleet and touch: who offers a capability, who is free, and the slots.
//
// Owned by Fleet, which alone changes who is assignable; work takes and gives back slots. Lives as
// long as its Fleet; one caller at a time. Pointers to views stay valid until the agent's name is
// removed from the directory. Nothing fails: an unknown name is ignored.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "model/fleet.h"
#include "model/ids.h"

namespace mainstay::fleet {

/// What a start of an agent said of itself, for errors. Never changes.
struct AgentReport {
  model::AgentKind kind = model::AgentKind::link;
  /// `python 0.1.0 (3.11.2)`; empty for commands, which use none.
  std::string sdk;
  /// Capabilities that it serves.
  std::vector<std::string> skills;
  int slots = 0;
};

struct AgentView {
  model::AgentName name;
  /// Its live link; 0 for exec agents and while there is none.
  model::LinkId link = 0;
  model::Incarnation incarnation = 0;
  model::AgentKind kind = model::AgentKind::link;
  std::shared_ptr<const model::AgentSpec> spec;
  /// Null before its hello.
  std::shared_ptr<const AgentReport> report;
  int slots = 0;
  /// May be over `slots`: attempts that outlived a narrower hello are counted too.
  int busy = 0;
  /// Counts the signs of life of its attempts: begun, told progress, ended.
  std::uint64_t signs = 0;
  /// May be given work now (a free slot set aside).
  bool assignable = false;
  /// It was asked to stop: attempts that it gives up from here on are not to be blamed on items.
  bool stopping = false;
};

class Directory {
 public:
  Directory() = default;
  Directory(const Directory&) = delete;
  Directory& operator=(const Directory&) = delete;

  /// Whether some agent that can ever be assigned work (link and exec kinds) offers it, up or not.
  bool offered(std::string_view capability) const;
  const AgentView* find(const model::AgentName& name) const;
  /// An assignable agent with a free slot: of the least busy share, ties in turn; nullptr if none.
  /// O(agents of the capability).
  const AgentView* pick(std::string_view capability);
  /// O(log capabilities).
  bool has_free(std::string_view capability) const;

  void take(const model::AgentName& name);
  /// Of an earlier incarnation: ignored, its slots went with it.
  void release(const model::AgentName& name, model::Incarnation incarnation);
  /// An attempt that it holds told progress.
  void note_progress(const model::AgentName& name);

  // ---- for Fleet ------------------------------------------------------------------------------

  /// An agent of the fleet file, not assignable yet.
  void add(const model::AgentName& name, std::shared_ptr<const model::AgentSpec> spec);
  void remove(const model::AgentName& name);
  /// A new start: no slot is in use, no link, everything of the spec is served.
  void begin_incarnation(const model::AgentName& name, model::Incarnation incarnation);
  /// What the agent's hello said. `serves` is a subset of the spec's; others are ignored, empty
  /// means all of them.
  void set_link(const model::AgentName& name, model::LinkId link, int slots,
                const std::vector<std::string>& serves);
  /// After set_link(): what it runs on.
  void set_sdk(const model::AgentName& name, const std::string& sdk);
  void clear_link(const model::AgentName& name);
  void set_assignable(const model::AgentName& name, bool assignable);
  /// Until the next incarnation.
  void set_stopping(const model::AgentName& name);

 private:
  struct Group;
  struct Entry {
    AgentView view;
    bool counted_free = false;
    std::vector<Group*> groups;  // those it serves
  };
  struct Group {
    int offering = 0;             // agents whose spec names it
    int free = 0;                 // members with counted_free
    std::size_t next = 0;         // where the next search begins
    std::vector<Entry*> members;  // in the order they came
  };

  Entry* entry(const model::AgentName& name);
  static void report(Entry& entry, std::string sdk, std::vector<std::string> skills);
  void serve(Entry& entry, const std::vector<std::string>& capabilities);
  void unserve(Entry& entry);
  static void recount(Entry& entry);

  std::map<model::AgentName, Entry, std::less<>> entries_;
  std::map<std::string, Group, std::less<>> groups_;
};

}  // namespace mainstay::fleet
