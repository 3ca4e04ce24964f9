// Who may talk to the API at all, looked at before a body is read: the Host that was called, the
// Origin of a web page, and the token.
//
// A web page cannot drive a local daemon (fault J3): a name that was re-bound to 127.0.0.1 is not
// an allowed Host, a page of another site has another Origin, no answer carries CORS headers, and
// no credential is ambient. Any thread.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "platform/http/message.h"
#include "security/tokens.h"

namespace mainstay::api {

class Gate {
 public:
  /// `hosts` are allowed besides localhost, 127.0.0.1 and [::1]; without ports.
  Gate(std::string_view operator_token, std::vector<std::string> hosts);

  /// `forbidden` or `unauthenticated`; nullopt: come in.
  std::optional<base::Error> refuse(const platform::HttpRequest& request) const;

 private:
  bool host_is_allowed(std::string_view host) const;

  security::TokenCheck operator_;
  std::vector<std::string> hosts_;
};

}  // namespace mainstay::api
