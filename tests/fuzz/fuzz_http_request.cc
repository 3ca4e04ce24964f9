// Any bytes as HTTP requests: never a crash; the same requests, or the same refusal, however the
// bytes are cut; a request that is accepted frames its body in one way only (fault H1).
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/assert.h"
#include "platform/http/request_parser.h"

namespace {

using namespace mainstay::platform;

struct Reading {
  std::vector<std::string> requests;
  int refused = 0;

  bool operator==(const Reading&) const = default;
};

void check_framing(const HttpRequest& request) {
  const std::size_t lengths = request.count("content-length");
  const std::size_t codings = request.count("transfer-encoding");
  MS_ASSERT(lengths <= 1 && codings <= 1 && lengths + codings <= 1, "framed in two ways");
  MS_ASSERT(request.target().starts_with('/'), "a target that is not a path");
  MS_ASSERT(request.count("host") <= 1, "two hosts");
  for (const auto& field : request.fields()) {
    MS_ASSERT(field.value.find_first_of(std::string_view("\r\n\0", 3)) == std::string_view::npos,
              "a line end in a header value");
  }
}

Reading read(std::string_view text, std::size_t step) {
  RequestParser parser({.max_head_bytes = 2048, .max_body_bytes = 1024});
  Reading reading;
  std::size_t done = 0;
  std::size_t given = 0;
  auto state = RequestParser::State::head;
  while (true) {
    std::size_t consumed = 0;
    const auto before = state;
    state = parser.feed(text.substr(done, given - done), consumed);
    MS_ASSERT(consumed <= given - done, "more consumed than given");
    done += consumed;
    if (state == RequestParser::State::failed) {
      reading.refused = parser.failure().status;
      return reading;
    }
    if (state == RequestParser::State::complete) {
      const HttpRequest request = parser.take();
      check_framing(request);
      reading.requests.push_back(std::string(request.target()) + "\n" + request.body());
      state = RequestParser::State::head;
      continue;
    }
    if (consumed > 0 || state != before) continue;
    if (given == text.size()) return reading;
    given = std::min(text.size(), given + step);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const Reading whole = read(text, size + 1);
  for (const std::size_t step : {1U, 3U, 64U}) {
    MS_ASSERT(read(text, step) == whole, "the reading depends on how the bytes were cut");
  }
  return 0;
}
