#include "runs/documents/commit_id.h"

#include <algorithm>
#include <filesystem>
#include <string_view>
#include <system_error>

#include "base/text.h"
#include "platform/files/files.h"

namespace mainstay::runs {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMaxRefFile = 16UL * 1024 * 1024;

std::optional<std::string> read_trimmed(const fs::path& path) {
  auto text = platform::read_file(path.string(), kMaxRefFile);
  if (!text) return std::nullopt;
  return std::string(base::trim(*text));
}

bool is_commit_id(std::string_view text) {
  return (text.size() == 40 || text.size() == 64) &&
         std::all_of(text.begin(), text.end(),
                     [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

// `.git` is a folder, or a file `gitdir: PATH` in a linked work tree or submodule.
std::optional<fs::path> git_folder_above(fs::path folder) {
  while (true) {
    const fs::path git = folder / ".git";
    std::error_code ignored;
    if (fs::is_directory(git, ignored)) return git;
    if (auto pointer = read_trimmed(git); pointer && pointer->starts_with("gitdir: ")) {
      return (folder / pointer->substr(8)).lexically_normal();
    }
    if (!folder.has_relative_path()) return std::nullopt;
    folder = folder.parent_path();
  }
}

std::optional<std::string> packed_ref(const fs::path& common, std::string_view ref) {
  const auto packed = read_trimmed(common / "packed-refs");
  if (!packed) return std::nullopt;
  for (const std::string_view line : base::split(*packed, '\n')) {
    const std::size_t space = line.find(' ');
    if (space != std::string_view::npos && line.substr(space + 1) == ref) {
      return std::string(line.substr(0, space));
    }
  }
  return std::nullopt;
}

}  // namespace

std::optional<std::string> commit_id_of(const std::string& folder) {
  std::error_code failed;
  const fs::path start = fs::weakly_canonical(folder, failed);
  if (failed) return std::nullopt;
  const auto git = git_folder_above(start);
  if (!git) return std::nullopt;
  auto head = read_trimmed(*git / "HEAD");
  if (!head) return std::nullopt;
  if (is_commit_id(*head)) return head;
  if (!head->starts_with("ref: ")) return std::nullopt;
  const std::string ref = head->substr(5);
  // A linked work tree keeps its branches in the common folder.
  fs::path common = *git;
  if (const auto other = read_trimmed(*git / "commondir")) common = *git / *other;
  auto id = read_trimmed(common / ref);
  if (!id) id = packed_ref(common, ref);
  if (!id || !is_commit_id(*id)) return std::nullopt;
  return id;
}

}  // namespace mainstay::runs
