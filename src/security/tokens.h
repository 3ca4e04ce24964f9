// Tokens that open the daemon's interfaces. In this version there is one principal, the operator,
// whose token lies in the data folder, readable by its user only (0600).
//
// The token is compared by its SHA-256 in constant time, so neither its bytes nor its length can
// be measured (fault J5). Any thread may check.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace mainstay::security {

inline constexpr std::string_view kOperatorTokenFile = "operator.token";
inline constexpr std::string_view kOperatorPrefix = "ms_op_";

/// The token of data_folder/operator.token, made there (256 bits of the system's generator) when
/// there is none. `environment_invalid` when the file is empty, holds something else, or others
/// may read it.
Result<std::string> load_or_make_operator_token(const std::string& data_folder);
/// For clients: the token that the daemon made; `not_running` when there is none.
Result<std::string> read_operator_token(const std::string& data_folder);

/// The token of `Authorization: Bearer TOKEN`; nullopt when the header is not of that form.
std::optional<std::string_view> bearer_token(std::string_view authorization);

class TokenCheck {
 public:
  /// Keeps the hash only.
  explicit TokenCheck(std::string_view token);
  bool matches(std::string_view token) const;

 private:
  std::string sha256_;
};

}  // namespace mainstay::security
