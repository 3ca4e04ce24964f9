// Hashes, secrets and their comparison, over OpenSSL and getrandom. Any thread.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace mainstay::platform {

/// SHA-256 (FIPS 180-4) as 64 lower-case hexadecimal digits.
std::string sha256_hex(std::string_view bytes);

/// SHA-256 of something that comes in pieces. One thread at a time.
class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(Sha256&&) noexcept;
  Sha256& operator=(Sha256&&) noexcept;

  void add(std::string_view bytes);
  /// The digest in hexadecimal; the object starts anew.
  std::string finish_hex();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// From the kernel's generator (getrandom(2)); fails only where the kernel has none.
Result<std::string> random_bytes(std::size_t count);

/// RFC 4648, section 5, without padding.
std::string base64url(std::string_view bytes);
/// Strict: no padding, no other character, no left-over bits. nullopt when it is not base64url.
std::optional<std::string> base64url_decode(std::string_view text);

/// prefix + 43 characters of base64url: 256 random bits (`ms_op_…`, `ms_ag_…`).
Result<std::string> make_token(std::string_view prefix);

/// Takes the same time wherever the first difference is (faults J5); lengths are not secret.
bool constant_time_equal(std::string_view a, std::string_view b);

}  // namespace mainstay::platform
