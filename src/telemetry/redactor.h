// Keeps secrets out of every log (RUN-2; faults I9): values that were registered once are replaced
// by `[redacted]`, wherever they stand, also in the forms that JSON gives them.
//
// Lifetime: as long as anything logs. Threads: any; add() publishes a new table, readers never wait
// for each other. Nothing fails; a value that is too short to be told from ordinary text is
// refused.
#pragma once

#include <array>
#include <bitset>
#include <cstddef>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "model/log_record.h"

namespace mainstay::telemetry {

class Redactor {
 public:
  static constexpr std::string_view kMark = "[redacted]";
  /// Shorter values would blank out ordinary words.
  static constexpr std::size_t kMinBytes = 6;

  Redactor();

  /// Registers a secret value, and what JSON writers make of it. False when it is too short.
  bool add(std::string_view secret);

  /// The text without the secrets; nullopt when it has none. At each place the longest secret that
  /// begins there goes.
  std::optional<std::string> redact(std::string_view text) const;
  void redact_in(std::string& text) const;
  /// JSON text, which stays valid.
  void redact_in_json(std::string& json) const;
  /// Message, fields (which stay valid JSON) and context.
  void redact_in(model::LogRecord& record) const;
  /// Name, status, attributes and events.
  void redact_in(model::SpanRecord& span) const;

 private:
  struct Table {
    /// Which pairs of bytes begin a secret: most text is passed over by this alone.
    std::bitset<65536> starts;
    /// By first byte, longest first.
    std::array<std::vector<std::string>, 256> by_first;
    bool empty = true;
  };

  std::shared_ptr<const Table> table() const;

  mutable std::mutex mutex_;  // of the two below; held for moments
  std::set<std::string, std::less<>> secrets_;
  std::shared_ptr<const Table> table_;
};

}  // namespace mainstay::telemetry
