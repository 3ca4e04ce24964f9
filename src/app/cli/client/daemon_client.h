// The CLI's side of the API: finds the daemon of the project and its token, and turns problem
// details back into Errors.
//
// One thread. not_running when there is no daemon.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "app/project.h"
#include "base/result.h"
#include "platform/http/client.h"
#include "platform/json/json.h"

namespace mainstay::app {

/// An answer as it came, for printing (its numbers have all of their digits), and read.
struct Answer {
  std::string text;
  platform::Json json;
};
/// invalid_argument when it is not JSON.
Result<Answer> read_answer(std::string text);

/// Whether MAINSTAY_URL names the daemon: then the project folder found here need not be its own.
bool is_named_by_url();

class DaemonClient {
 public:
  /// MAINSTAY_URL and MAINSTAY_TOKEN, else the daemon of the project folder. Sends nothing yet.
  static Result<DaemonClient> connect(const std::string& project_option);

  Result<Answer> get(const std::string& target, Duration deadline = std::chrono::seconds(70));
  /// `body`: JSON text, sent as it is; empty: none.
  Result<Answer> post(const std::string& target, std::string body,
                      const std::string& idempotency_key = "",
                      Duration deadline = std::chrono::seconds(70));
  Result<Answer> remove(const std::string& target, Duration deadline = std::chrono::seconds(70));
  /// `data:` of each event, until on_data is false or the daemon ends.
  Result<void> events(const std::string& target,
                      const std::function<bool(std::string_view data)>& on_data);
  bool is_ready();
  /// Whether anything answers at all, however it stands.
  bool answers();
  /// Whether it is this project's own daemon: found by its folder, or by a URL with the address
  /// that the daemon of the folder has.
  bool serves(const Project& project) const;

 private:
  DaemonClient(std::string address, std::string token);
  Result<Answer> exchange(platform::HttpCall call);

  std::string address_;
  platform::HttpClient http_;
  std::string token_;
};

/// An API answer that is no success, as the Error it was made of.
Error error_of_answer(const platform::HttpReply& answer);

}  // namespace mainstay::app
