#include "security/tokens.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/text.h"
#include "platform/crypto.h"
#include "platform/files/files.h"

namespace mainstay::security {
namespace {

constexpr std::size_t kMaxTokenFile = 4096;
constexpr std::size_t kSecretCharacters = 43;

std::string token_path(const std::string& data_folder) {
  return data_folder + "/" + std::string(kOperatorTokenFile);
}

bool is_operator_token(std::string_view text) {
  return text.starts_with(kOperatorPrefix) &&
         text.size() == kOperatorPrefix.size() + kSecretCharacters &&
         platform::base64url_decode(text.substr(kOperatorPrefix.size())).has_value();
}

Error bad_token_file(const std::string& path, const std::string& why) {
  return Error(Code::environment_invalid, path + ": " + why)
      .with("path", path)
      .with_hint("delete the file and start the daemon again; it makes a new token");
}

Result<std::string> read_token(const std::string& path) {
  auto file = platform::open_file(path, O_RDONLY | O_NOFOLLOW);
  if (!file) return std::move(file).error();
  struct stat info {};
  if (::fstat(file->get(), &info) != 0) return platform::io_error("cannot stat", path, errno);
  if ((info.st_mode & 077U) != 0 || info.st_uid != ::geteuid()) {
    return bad_token_file(path, "others than its user may read it, or it belongs to another user");
  }
  auto content = platform::read_fd(file->get(), kMaxTokenFile, path);
  if (!content) return std::move(content).error();
  std::string token(base::trim(*content));
  if (!is_operator_token(token)) return bad_token_file(path, "does not hold an operator token");
  return token;
}

}  // namespace

Result<std::string> load_or_make_operator_token(const std::string& data_folder) {
  const std::string path = token_path(data_folder);
  auto known = read_token(path);
  if (known || known.error().code() != Code::not_found) return known;
  auto token = platform::make_token(kOperatorPrefix);
  if (!token) return token;
  if (auto written = platform::write_file_atomic(path, *token + "\n", 0600); !written) {
    return std::move(written).error();
  }
  return token;
}

Result<std::string> read_operator_token(const std::string& data_folder) {
  auto token = read_token(token_path(data_folder));
  if (token || token.error().code() != Code::not_found) return token;
  return Error(Code::not_running, "no daemon has made its token in " + data_folder + " yet");
}

std::optional<std::string_view> bearer_token(std::string_view authorization) {
  constexpr std::string_view kScheme = "bearer ";
  if (authorization.size() <= kScheme.size()) return std::nullopt;
  for (std::size_t i = 0; i < kScheme.size(); ++i) {
    const char c = authorization[i];
    const char lower = c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
    if (lower != kScheme[i]) return std::nullopt;
  }
  return base::trim(authorization.substr(kScheme.size()));
}

TokenCheck::TokenCheck(std::string_view token) : sha256_(platform::sha256_hex(token)) {}

bool TokenCheck::matches(std::string_view token) const {
  return platform::constant_time_equal(platform::sha256_hex(token), sha256_);
}

}  // namespace mainstay::security
