#include "app/cli/input/short_id.h"

#include <fmt/format.h>

#include "app/views/json_fields.h"
#include "base/text.h"
#include "base/uuid.h"
#include "platform/http/message.h"

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

Result<std::string> checked_id(std::string_view list, const std::string& given,
                               std::string_view what) {
  if (base::uuid_from_text(given)) return given;
  const std::string_view thing = list == "runs" ? "run" : "work item";
  const std::string words =
      given.empty()
          ? fmt::format("{}: expected the id of a {}, got \"\"", what, thing)
          : fmt::format("{}: there is no {} \"{}\"", what, thing, base::excerpt(given, 80));
  return Error(Code::not_found, words + "; an id looks like 0192f3c8-7b1a-7cc3-98c4-dc0c0c07398f")
      .with_hint(fmt::format("`mainstay {} list` shows them", list));
}

Result<std::string> whole_id(DaemonClient& daemon, std::string_view list, const std::string& given,
                             std::string_view what) {
  const auto last = last_id_like(given);
  if (!last) return checked_id(list, given, what);
  auto page = daemon.get(fmt::format("/v1/{}?limit=2&cursor={}", list, *last));
  if (!page) return std::move(page).error();
  std::vector<std::string> ids;
  // A page begins after its cursor, which may itself be the id: one that ends in f.
  if (daemon.get(fmt::format("/v1/{}/{}", list, *last))) ids.push_back(*last);
  for (const platform::Json& entry : list_of(page->json, list)) ids.push_back(text_of(entry, "id"));
  const auto only = only_id_like(given, ids);
  return only ? checked_id(list, *only, what) : only;
}

Result<std::string> agent_target(const std::string& name) {
  if (!name.empty()) return "/v1/agents/" + platform::percent_encode(name);
  return Error(Code::not_found, "NAME: expected the name of an agent, got \"\"")
      .with_hint("`mainstay agents list` shows them");
}

}  // namespace mainstay::app
