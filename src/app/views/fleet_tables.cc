#include "app/views/fleet_tables.h"

#include <fmt/format.h>

#include "app/views/json_fields.h"
#include "app/views/output.h"
#include "app/views/time_text.h"
#include "base/text.h"

namespace mainstay::app {

using platform::Json;
using platform::JsonArray;

std::string capabilities_text(const Json& agent) {
  std::string out;
  for (const Json& capability : list_of(agent, "capabilities")) {
    if (!out.empty()) out += ",";
    if (capability.is_string()) out += std::string_view(capability.get_string());
  }
  return base::excerpt(out, 40);
}

std::string agents_table(const JsonArray& agents) {
  Table table(
      {"NAME", "STATE", "PID", "SLOTS", "RESTARTS", "ERRORS", "UP", "CAPABILITIES", "REASON"});
  for (const Json& agent : agents) {
    const std::int64_t pid = number_of(agent, "pid");
    table.row({text_of(agent, "name"), text_of(agent, "state"), pid > 0 ? std::to_string(pid) : "-",
               fmt::format("{}/{}", number_of(agent, "busy"), number_of(agent, "slots")),
               std::to_string(number_of(agent, "restarts")),
               std::to_string(number_of(agent, "error_count")),
               pid > 0 ? age_of(text_of(agent, "started_at")) : "-", capabilities_text(agent),
               text_of(agent, "reason")});
  }
  return table.to_text();
}

std::string agent_text(const Json& agent) {
  Table table({"FIELD", "VALUE"});
  for (const auto& [key, value] : agent.get_object()) {
    if (value.is_null()) continue;
    table.row({std::string(key),
               value.is_string() ? std::string(value.get_string()) : platform::to_text(value)});
  }
  return table.to_text();
}

std::string fleet_line(const Json& fleet) {
  const Json& agents = field(fleet, "agents");
  const Json& work = field(fleet, "work");
  const Json& storage = field(fleet, "storage");
  std::string line = fmt::format(
      "{}: {} agents ({} healthy, {} failed), {} queued, {} delayed, {} running, {} runs open",
      text_of(fleet, "fleet"), number_of(agents, "total"), number_of(agents, "healthy"),
      number_of(agents, "failed"), number_of(work, "queued"), number_of(work, "delayed"),
      number_of(work, "running"), number_of(field(fleet, "runs"), "open"));
  const Json& writable = field(storage, "writable");
  if (writable.is_bool() && !writable.get_bool()) {
    line += "\nstorage: " + text_of(storage, "reason");
  }
  const Json& recording = field(fleet, "recording");
  if (const Json& able = field(recording, "writable"); able.is_bool() && !able.get_bool()) {
    line += "\nrun folders: " + text_of(recording, "reason");
  }
  return line + "\n";
}

}  // namespace mainstay::app
