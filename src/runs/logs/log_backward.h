// The lines of a file from its end towards its beginning: what was said last is found without
// reading all that was said before.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace mainstay::runs {

/// Reads an open file that may grow meanwhile; `fd` must stay open. One thread.
class BackwardLines {
 public:
  BackwardLines(int fd, std::int64_t size, std::int64_t max_bytes);

  /// Where the last whole line ends; what follows is not written to its end yet.
  std::int64_t whole() const { return whole_; }
  /// The line before the last one given; valid until the next call. False: there is none, or
  /// max_bytes were read (half a line at that place is left out), or reading failed. Lines longer
  /// than kMaxLine are passed over.
  bool next(std::string_view& line);

  static constexpr std::size_t kMaxLine = std::size_t{8} << 20;

 private:
  bool read_block();

  int fd_;
  std::int64_t at_;   // the file is read from here on
  std::int64_t end_;  // down to here at most
  std::int64_t whole_;
  std::string text_;       // from at_ on; ends with the end of a line
  std::size_t given_ = 0;  // text_ was given from here on
  bool too_long_ = false;  // the line that text_ begins in is passed over
};

}  // namespace mainstay::runs
