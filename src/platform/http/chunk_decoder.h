// Takes the chunked coding off a body (RFC 9112, section 7.1), strictly: hexadecimal sizes only, CR
// LF line ends only, short chunk extensions (dropped), a bounded trailer (dropped). Every byte is
// looked at once, however the input is cut. Pure; one per message.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace mainstay::platform {

class ChunkDecoder {
 public:
  enum class State { more, done, bad, too_large };

  explicit ChunkDecoder(std::size_t max_bytes) : left_(max_bytes) {}

  /// Appends what the body holds to `out`. `consumed` is all of `input`, less what follows the
  /// body's end.
  State decode(std::string_view input, std::size_t& consumed, std::string& out);
  /// Why the state is `bad`.
  std::string_view reason() const { return reason_; }

 private:
  enum class At {
    size_first,
    size,
    extension,
    size_lf,
    data,
    data_cr,
    data_lf,
    trailer_first,
    trailer,
    trailer_lf,
    end_lf,
    done
  };

  State step(char c);
  State on_size(char c);
  State on_trailer(char c);
  State bad(std::string_view reason);

  At at_ = At::size_first;
  std::size_t left_;
  std::size_t size_ = 0;
  std::size_t digits_ = 0;
  std::size_t extension_bytes_ = 0;
  std::size_t trailer_bytes_ = 0;
  bool trailer_has_colon_ = false;
  std::string_view reason_;
};

}  // namespace mainstay::platform
