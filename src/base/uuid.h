// Strong ids over UUIDv7 (RFC 9562, section 5.7): 48 bits of Unix milliseconds, then version,
// variant and random bits, so ids sort by the time they were made. WorkId and RunId are different
// types; mixing them up does not compile.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <cstring>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/random.h"
#include "base/time.h"

namespace mainstay::base {

using UuidBytes = std::array<std::uint8_t, 16>;

/// `0192f3c8-7b1a-7cc3-98c4-dc0c0c07398f`, lower case.
std::string uuid_to_text(const UuidBytes& bytes);
/// The 36-character form only; nullopt for anything else.
std::optional<UuidBytes> uuid_from_text(std::string_view text);

/// Makes UUIDv7 values. Within a millisecond the 12 bits after the version count up, so the ids of
/// one maker are strictly increasing. Deterministic for a seed and a sequence of times.
class UuidMaker {
 public:
  explicit UuidMaker(std::uint64_t seed) : random_(seed) {}
  UuidBytes make(Wall wall);

 private:
  Random random_;
  std::uint64_t last_ms_ = 0;
  std::uint32_t count_ = 0;
};

template <class Tag>
class Id {
 public:
  Id() = default;
  explicit Id(const UuidBytes& bytes) : bytes_(bytes) {}
  static Id make(UuidMaker& maker, Wall wall) { return Id(maker.make(wall)); }
  static std::optional<Id> from_text(std::string_view text) {
    auto bytes = uuid_from_text(text);
    if (!bytes) return std::nullopt;
    return Id(*bytes);
  }
  /// 16 raw bytes, as rows and the wire keep them; nullopt when the size is not 16.
  static std::optional<Id> from_bytes(std::string_view raw) {
    if (raw.size() != 16) return std::nullopt;
    Id id;
    std::memcpy(id.bytes_.data(), raw.data(), 16);
    return id;
  }

  const UuidBytes& bytes() const { return bytes_; }
  std::string_view view() const { return {reinterpret_cast<const char*>(bytes_.data()), 16}; }
  std::string to_text() const { return uuid_to_text(bytes_); }
  bool is_nil() const { return bytes_ == UuidBytes{}; }
  auto operator<=>(const Id&) const = default;

 private:
  UuidBytes bytes_{};
};

}  // namespace mainstay::base

template <class Tag>
struct std::hash<mainstay::base::Id<Tag>> {
  std::size_t operator()(const mainstay::base::Id<Tag>& id) const noexcept {
    std::uint64_t high = 0;
    std::uint64_t low = 0;
    std::memcpy(&high, id.bytes().data(), 8);
    std::memcpy(&low, id.bytes().data() + 8, 8);
    return static_cast<std::size_t>(high * 0x9e3779b97f4a7c15ULL ^ low);
  }
};
