// Which process is meant: a PID alone is reused within minutes (faults A9), so every process is
// named by PID, start time and boot, and is only ever signalled through a pidfd that was checked
// against that name (invariant 6).
//
// Also the reading of /proc that this rests on. Any thread.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "platform/files/fd.h"

namespace mainstay::platform {

struct ProcessIdentity {
  pid_t pid = 0;
  /// Field 22 of /proc/PID/stat: clock ticks after boot (proc(5)).
  std::uint64_t start_ticks = 0;
  /// /proc/sys/kernel/random/boot_id.
  std::string boot_id;

  bool operator==(const ProcessIdentity&) const = default;
};

/// A line of the process table: fields 1, 3 to 6, 20 and 22 of /proc/PID/stat.
struct ProcEntry {
  pid_t pid = 0;
  char state = '?';
  pid_t parent = 0;
  pid_t group = 0;
  pid_t session = 0;
  /// A zombie counts as one of its own.
  std::uint64_t threads = 0;
  std::uint64_t start_ticks = 0;

  /// A zombie is gone: it runs nothing and holds nothing but its number. Unless only the first
  /// thread of it ended: the state is that thread's, and the others run on with all that it held.
  bool alive() const { return (state != 'Z' && state != 'X' && state != 'x') || threads > 1; }
};

/// The id of this boot of the machine; read once.
const std::string& boot_id();

/// nullopt when there is no such process.
std::optional<ProcEntry> read_proc_entry(pid_t pid);
/// The fields of one /proc/PID/stat text; nullopt when it is not one.
std::optional<ProcEntry> parse_proc_stat(std::string_view text);
/// Every process that is there now, zombies included; not an atomic picture.
std::vector<ProcEntry> list_processes();

/// The value of a variable in the environment that the process was started with; nullopt when it
/// has none, or may not be read, or the process is gone.
std::optional<std::string> environment_value(pid_t pid, std::string_view name);
/// Does that environment hold exactly `NAME=value`?
bool environment_has(pid_t pid, std::string_view assignment);

/// The identity of a process that is there now (a zombie counts).
std::optional<ProcessIdentity> identify(pid_t pid);
/// Is exactly this process there, and not a zombie?
bool is_alive(const ProcessIdentity& process);

}  // namespace mainstay::platform
