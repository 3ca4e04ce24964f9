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

class DaemonClient {
 public:
  /// MAINSTAY_URL and MAINSTAY_TOKEN, else the daemon of the project folder. Sends nothing yet.
  static Result<DaemonClient> connect(const std::string& project_option);

  Result<platform::Json> get(const std::string& target,
                             Duration deadline = std::chrono::seconds(70));
  Result<platform::Json> post(const std::string& target, const platform::Json& body,
                              const std::string& idempotency_key = "",
                              Duration deadline = std::chrono::seconds(70));
  Result<platform::Json> remove(const std::string& target,
                                Duration deadline = std::chrono::seconds(70));
  /// `data:` of each event, until on_data is false or the daemon ends.
  Result<void> events(const std::string& target,
                      const std::function<bool(std::string_view data)>& on_data);
  bool is_ready();

 private:
  DaemonClient(std::string address, std::string token);
  Result<platform::Json> exchange(platform::HttpCall call);

  platform::HttpClient http_;
  std::string token_;
};

/// An API answer that is no success, as the Error it was made of.
Error error_of_answer(const platform::HttpReply& answer);

}  // namespace mainstay::app
