#include "platform/http/chunk_decoder.h"

#include <algorithm>

namespace mainstay::platform {
namespace {

/// Of a whole message; nothing here reads extensions.
constexpr std::size_t kMaxExtensionBytes = 256;
constexpr std::size_t kMaxTrailerBytes = 8UL * 1024;
constexpr std::size_t kMaxSizeDigits = 16;

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

bool is_control(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return (byte < 0x20 && c != '\t') || byte == 0x7F;
}

}  // namespace

ChunkDecoder::State ChunkDecoder::bad(std::string_view reason) {
  reason_ = reason;
  return State::bad;
}

ChunkDecoder::State ChunkDecoder::decode(std::string_view input, std::size_t& consumed,
                                         std::string& out) {
  consumed = 0;
  while (consumed < input.size() && at_ != At::done) {
    if (at_ == At::data) {
      const std::size_t taken = std::min(size_, input.size() - consumed);
      out.append(input, consumed, taken);
      consumed += taken;
      size_ -= taken;
      if (size_ == 0) at_ = At::data_cr;
      continue;
    }
    const State state = step(input[consumed]);
    if (state != State::more) return state;
    ++consumed;
  }
  return at_ == At::done ? State::done : State::more;
}

ChunkDecoder::State ChunkDecoder::step(char c) {
  const auto expect = [&](char wanted, At next) {
    if (c != wanted) return bad("a chunk does not end with CR LF");
    at_ = next;
    return State::more;
  };
  switch (at_) {
    case At::size_first:
    case At::size:
      return on_size(c);
    case At::extension:
      if (c == '\r') {
        at_ = At::size_lf;
        return State::more;
      }
      // A quoted value could hide a line end from one reader and not from another.
      if (is_control(c) || c == '"') return bad("a chunk extension is not plain");
      if (++extension_bytes_ > kMaxExtensionBytes) return bad("the chunk extensions are too long");
      return State::more;
    case At::size_lf:
      return expect('\n', size_ == 0 ? At::trailer_first : At::data);
    case At::data_cr:
      return expect('\r', At::data_lf);
    case At::data_lf:
      return expect('\n', At::size_first);
    case At::trailer_first:
    case At::trailer:
      return on_trailer(c);
    case At::trailer_lf:
      return expect('\n', At::trailer_first);
    case At::end_lf:
      return expect('\n', At::done);
    case At::data:
    case At::done:
      break;
  }
  return State::more;
}

ChunkDecoder::State ChunkDecoder::on_size(char c) {
  if (at_ == At::size_first) {
    size_ = 0;
    digits_ = 0;
  }
  const int digit = hex_digit(c);
  if (digit >= 0) {
    if (++digits_ > kMaxSizeDigits) return bad("a chunk size has too many digits");
    size_ = size_ * 16 + static_cast<std::size_t>(digit);
    if (size_ > left_) return State::too_large;
    at_ = At::size;
    return State::more;
  }
  if (at_ == At::size_first || (c != '\r' && c != ';')) {
    return bad("a chunk size is not a hexadecimal number");
  }
  left_ -= size_;
  at_ = c == ';' ? At::extension : At::size_lf;
  return State::more;
}

ChunkDecoder::State ChunkDecoder::on_trailer(char c) {
  if (++trailer_bytes_ > kMaxTrailerBytes) return bad("the trailer is too long");
  if (at_ == At::trailer_first) {
    if (c == '\r') {
      at_ = At::end_lf;
      return State::more;
    }
    if (c == ' ' || c == '\t') return bad("a folded trailer line");
    trailer_has_colon_ = false;
    at_ = At::trailer;
  }
  if (c == '\r') {
    if (!trailer_has_colon_) return bad("a trailer line is not a header field");
    at_ = At::trailer_lf;
    return State::more;
  }
  if (is_control(c)) return bad("a control character in the trailer");
  trailer_has_colon_ = trailer_has_colon_ || c == ':';
  return State::more;
}

}  // namespace mainstay::platform
