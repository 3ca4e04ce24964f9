// What the command line asked for: plain data, filled by cli.cc, used by the commands.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "app/views/output.h"
#include "base/time.h"

namespace mainstay::app {

struct GlobalOptions {
  /// --project DIR; empty: found from here upwards.
  std::string project;
  OutputForm output = OutputForm::table;
  /// --set key=value, the highest layer of the settings.
  std::vector<std::string> sets;
  /// Name that the program was called by, to start itself.
  std::string program;
};

/// Of commands that wait: how long they look for a daemon that went away.
constexpr Duration kReconnect = std::chrono::minutes(1);

struct UpOptions {
  bool detach = false;
  /// Internal: this is the child of --detach; it reports readiness on this descriptor.
  int ready_fd = -1;
};

struct RunOptions {
  std::string pipeline;
  /// `key=value` members of the input; a value that is JSON is taken as JSON, else as a string.
  std::vector<std::string> inputs;
  /// The whole input as JSON, `@FILE` or `-` for standard input.
  std::optional<std::string> input_json;
  std::vector<std::string> labels;
  std::string idempotency_key;
  /// Print the run's id and return.
  bool detach = false;
  /// Never draw the live view.
  bool plain = false;
  Duration reconnect = kReconnect;
};

struct SubmitOptions {
  std::string capability;
  std::string description;
  std::vector<std::string> inputs;
  std::optional<std::string> input_json;
  int priority = -1;
  std::string phase;
  std::string timeout;
  std::string idle_timeout;
  /// A time, or how long from now.
  std::string deadline;
  std::string start_after;
  /// Tries in all; 0: the setting's.
  int max_attempts = 0;
  std::string idempotency_key;
  std::vector<std::string> labels;
  bool wait = false;
  Duration reconnect = kReconnect;
};

struct ListOptions {
  std::vector<std::string> states;
  std::string capability;
  std::optional<std::string> run;
  std::string pipeline;
  std::int64_t limit = 50;
};

struct FindOptions {
  std::optional<std::string> name;
  std::string capability;
  /// Agent states; empty: any.
  std::vector<std::string> health;
  std::vector<std::string> labels;
};

struct RegisterOptions {
  std::string name;
  std::string endpoint;
  std::vector<std::string> capabilities;
  std::vector<std::string> labels;
  /// Empty: the daemon's default.
  std::string lease;
};

struct LogsOptions {
  /// Nothing: of the fleet.
  std::optional<std::string> run;
  std::string component;
  std::string agent;
  std::string level;
  std::int64_t lines = 20;
  bool follow = false;
};

}  // namespace mainstay::app
