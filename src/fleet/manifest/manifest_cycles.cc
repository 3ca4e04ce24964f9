#include <algorithm>
#include <map>
#include <set>

#include "fleet/manifest/manifest_draft.h"

namespace mainstay::fleet {
namespace {

/// Depth-first, with the path that led here; an edge back into the path closes a cycle. The lists
/// are bounded by the manifest's limits, and so is the depth.
class CycleSearch {
 public:
  explicit CycleSearch(const std::vector<NamedEdges>& graph) {
    for (const NamedEdges& node : graph) nodes_.emplace(node.name, &node);
  }

  void visit(const std::string& name) {
    const auto found = nodes_.find(name);
    if (found == nodes_.end() || done_.count(name) != 0) return;
    const auto on_path = std::find(path_.begin(), path_.end(), name);
    if (on_path != path_.end()) {
      cycles.emplace_back(on_path, path_.end());
      cycles.back().push_back(name);
      return;
    }
    path_.push_back(name);
    for (const std::string& next : found->second->to) visit(next);
    path_.pop_back();
    done_.insert(name);
  }

  std::vector<std::vector<std::string>> cycles;

 private:
  std::map<std::string, const NamedEdges*> nodes_;
  std::vector<std::string> path_;
  std::set<std::string> done_;
};

}  // namespace

config::Position place_of(const std::vector<std::string>& names,
                          const std::vector<config::Position>& at, const std::string& name) {
  const auto found = std::find(names.begin(), names.end(), name);
  return found == names.end() ? config::Position{}
                              : at[static_cast<std::size_t>(found - names.begin())];
}

std::vector<std::vector<std::string>> find_cycles(const std::vector<NamedEdges>& graph) {
  CycleSearch search(graph);
  for (const NamedEdges& node : graph) search.visit(node.name);
  return std::move(search.cycles);
}

}  // namespace mainstay::fleet
