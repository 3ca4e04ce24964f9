#include "runs/folders/run_layout.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace mainstay::runs {
namespace {

// Components come from agents: one that could name another folder must not become a path.
bool is_plain(std::string_view name) {
  if (name.empty() || name.size() > 64 || name.front() == '.') return false;
  return std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-' || c == '.';
  });
}

}  // namespace

RunLayout::RunLayout(std::string root, std::string_view pipeline, std::string run_id)
    : folder_(fmt::format("{}/{}/{}", root, pipeline.empty() ? "work" : pipeline, run_id)) {}

RunLayout RunLayout::of_archive(const std::string& path) {
  return RunLayout(path.substr(0, path.rfind('/')));
}

std::string RunLayout::step_name(int step) { return fmt::format("step_{:03}", step); }

std::string RunLayout::step_log(int step, std::string_view component) const {
  return fmt::format("{}/logs/{}/{}.log", folder_, step_name(step),
                     is_plain(component) ? component : "other");
}

}  // namespace mainstay::runs
