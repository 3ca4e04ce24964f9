#include "work/trace_context.h"

#include "platform/crypto.h"

namespace mainstay::work {
namespace {

constexpr std::size_t kTraceDigits = 32;
constexpr std::size_t kSpanDigits = 16;
constexpr std::size_t kLength = 3 + kTraceDigits + 1 + kSpanDigits + 3;

bool is_hex(std::string_view text) {
  return text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}
bool is_zero(std::string_view text) {
  return text.find_first_not_of('0') == std::string_view::npos;
}

void append_hex(std::string& out, std::uint64_t value) {
  constexpr char kDigits[] = "0123456789abcdef";
  for (int shift = 60; shift >= 0; shift -= 4) out.push_back(kDigits[(value >> shift) & 0xfU]);
}

}  // namespace

std::optional<TraceParent> parse_trace_parent(std::string_view text) {
  if (text.size() != kLength || text.substr(0, 3) != "00-") return std::nullopt;
  const std::string_view trace = text.substr(3, kTraceDigits);
  const std::string_view span = text.substr(4 + kTraceDigits, kSpanDigits);
  if (text[3 + kTraceDigits] != '-' || text[kLength - 3] != '-') return std::nullopt;
  if (!is_hex(trace) || !is_hex(span) || !is_hex(text.substr(kLength - 2))) return std::nullopt;
  if (is_zero(trace) || is_zero(span)) return std::nullopt;
  return TraceParent{trace, span};
}

std::string_view trace_id_of(std::string_view trace_parent) {
  return trace_parent.size() == kLength ? trace_parent.substr(3, kTraceDigits) : std::string_view();
}

std::string make_trace_parent(std::string_view trace_id, std::string_view span_id) {
  std::string text;
  text.reserve(kLength);
  text.append("00-").append(trace_id).append("-").append(span_id).append("-01");
  return text;
}

std::string make_trace_parent(base::Random& random) {
  std::string text;
  text.reserve(kLength);
  text.append("00-");
  append_hex(text, random.next());
  append_hex(text, random.next() | 1U);  // all zero is not an id
  text.push_back('-');
  append_hex(text, random.next() | 1U);
  text.append("-01");
  return text;
}

std::string span_id_of(const model::RunId& run, std::string_view stage) {
  std::string name = run.to_text();
  name.append("/").append(stage);
  return platform::sha256_hex(name).substr(0, kSpanDigits);
}

}  // namespace mainstay::work
