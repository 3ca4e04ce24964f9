// Errors as clients see them: RFC 9457 problem details, made of base::Error.
//
// `type` names the page of docs/errors; `code`, `retryable`, `hint` and `fields` are members of our
// own. Answers that a retry may help carry Retry-After.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/error.h"
#include "platform/http/message.h"

namespace mainstay::api {

inline constexpr std::string_view kProblemType = "application/problem+json";

/// Whether the chain of causes is told, with their fields: only where the setting `debug` is on,
/// since it tells of the daemon's inside.
enum class Causes : std::uint8_t { hidden, told };

/// The problem as a JSON object text. `status` 0: that of the error's code.
std::string problem_json(const base::Error& error, int status = 0, Causes causes = Causes::hidden);
platform::HttpResponse problem_response(const base::Error& error, int status = 0,
                                        Causes causes = Causes::hidden);
/// For what the HTTP server refuses by itself (400, 408, 413, 431, 501, 503, …).
platform::HttpResponse refusal_response(int status, std::string_view reason);

/// The other way round, for clients: the Error that a daemon's answer tells.
base::Error error_from_problem(int status, std::string_view body);

}  // namespace mainstay::api
