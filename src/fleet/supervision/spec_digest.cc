#include "fleet/supervision/spec_digest.h"

#include <fmt/format.h>

#include <cstdint>
#include <string_view>

namespace mainstay::fleet {
namespace {

/// FNV-1a, 64 bits (Fowler, Noll, Vo). Each part goes in with its length, so that parts cannot run
/// into each other.
class Fingerprint {
 public:
  void add(std::string_view part) {
    for (int shift = 0; shift < 64; shift += 8) {
      add_byte(static_cast<std::uint8_t>(static_cast<std::uint64_t>(part.size()) >> shift));
    }
    for (char c : part) add_byte(static_cast<std::uint8_t>(c));
  }
  std::string text() const { return fmt::format("{:016x}", hash_); }

 private:
  void add_byte(std::uint8_t byte) { hash_ = (hash_ ^ byte) * 0x100000001b3ULL; }

  std::uint64_t hash_ = 0xcbf29ce484222325ULL;
};

}  // namespace

std::string spec_digest(const model::AgentSpec& spec) {
  Fingerprint print;
  print.add(to_text(spec.kind));
  print.add(std::to_string(spec.command.size()));
  for (const std::string& word : spec.command) print.add(word);
  print.add(spec.working_dir);
  print.add(std::to_string(spec.environment.size()));
  for (const auto& [name, value] : spec.environment) {
    print.add(name);
    print.add(value);
  }
  print.add(std::to_string(spec.pass_environment.size()));
  for (const std::string& name : spec.pass_environment) print.add(name);
  print.add(std::to_string(spec.capabilities.size()));
  for (const std::string& capability : spec.capabilities) print.add(capability);
  print.add(std::to_string(spec.concurrency));
  return print.text();
}

}  // namespace mainstay::fleet
