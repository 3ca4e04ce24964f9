#include "app/cli/short_id.h"

#include <fmt/format.h>

#include "app/views/json_fields.h"
#include "base/uuid.h"

namespace mainstay::app {
namespace {

constexpr std::string_view kLastId = "ffffffff-ffff-7fff-bfff-ffffffffffff";
constexpr std::size_t kLeastDigits = 4;

}  // namespace

std::optional<std::string> last_id_like(std::string_view beginning) {
  if (beginning.size() < kLeastDigits || beginning.size() >= kLastId.size()) return std::nullopt;
  std::string last(beginning);
  last += kLastId.substr(beginning.size());
  if (!base::uuid_from_text(last)) return std::nullopt;
  return last;
}

Result<std::string> only_id_like(const std::string& given, const std::vector<std::string>& ids) {
  const auto begins = [&](const std::string& id) { return id.starts_with(given); };
  if (ids.empty() || !begins(ids[0])) return given;
  if (ids.size() == 1 || !begins(ids[1])) return ids[0];
  return Error(Code::invalid_argument,
               fmt::format("{} begins several ids, such as {} and {}", given, ids[0], ids[1]))
      .with_hint("give more of its digits");
}

Result<std::string> whole_id(DaemonClient& daemon, std::string_view list,
                             const std::string& given) {
  const auto last = last_id_like(given);
  if (!last) return given;
  auto page = daemon.get(fmt::format("/v1/{}?limit=2&cursor={}", list, *last));
  if (!page) return std::move(page).error();
  std::vector<std::string> ids;
  for (const platform::Json& entry : list_of(*page, list)) ids.push_back(text_of(entry, "id"));
  return only_id_like(given, ids);
}

}  // namespace mainstay::app
