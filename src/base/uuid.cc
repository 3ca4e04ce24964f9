#include "base/uuid.h"

namespace mainstay::base {
namespace {

constexpr char kHex[] = "0123456789abcdef";
constexpr std::uint32_t kCountLimit = 1U << 12U;

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

bool is_dash_position(std::size_t i) { return i == 8 || i == 13 || i == 18 || i == 23; }

}  // namespace

std::string uuid_to_text(const UuidBytes& bytes) {
  std::string text;
  text.reserve(36);
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    if (is_dash_position(text.size())) text.push_back('-');
    text.push_back(kHex[bytes[i] >> 4U]);
    text.push_back(kHex[bytes[i] & 0x0fU]);
  }
  return text;
}

std::optional<UuidBytes> uuid_from_text(std::string_view text) {
  if (text.size() != 36) return std::nullopt;
  UuidBytes bytes{};
  std::size_t digit = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (is_dash_position(i)) {
      if (text[i] != '-') return std::nullopt;
      continue;
    }
    const int value = hex_value(text[i]);
    if (value < 0) return std::nullopt;
    bytes[digit / 2] = static_cast<std::uint8_t>(bytes[digit / 2] << 4U | value);
    ++digit;
  }
  return bytes;
}

UuidBytes UuidMaker::make(Wall wall) {
  const auto micros = to_micros(wall);
  std::uint64_t ms = micros < 0 ? 0 : static_cast<std::uint64_t>(micros) / 1000;
  // A wall clock that stands still or goes back must not make ids go back.
  if (ms <= last_ms_) {
    ms = last_ms_;
    if (++count_ == kCountLimit) {
      ++ms;
      count_ = 0;
    }
  } else {
    count_ = 0;
  }
  last_ms_ = ms;
  const std::uint64_t tail = random_.next();
  UuidBytes bytes{};
  for (std::size_t i = 0; i < 6; ++i) bytes[i] = static_cast<std::uint8_t>(ms >> (40 - 8 * i));
  bytes[6] = static_cast<std::uint8_t>(0x70U | (count_ >> 8U));
  bytes[7] = static_cast<std::uint8_t>(count_);
  for (std::size_t i = 0; i < 8; ++i) bytes[8 + i] = static_cast<std::uint8_t>(tail >> (8 * i));
  bytes[8] = static_cast<std::uint8_t>(0x80U | (bytes[8] & 0x3fU));
  return bytes;
}

}  // namespace mainstay::base
