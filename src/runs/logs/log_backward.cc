#include "runs/logs/log_backward.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace mainstay::runs {
namespace {

constexpr std::int64_t kBlock = 256 * 1024;

}  // namespace

BackwardLines::BackwardLines(int fd, std::int64_t size, std::int64_t max_bytes)
    : fd_(fd), at_(size), end_(std::max<std::int64_t>(0, size - max_bytes)), whole_(end_) {
  // What stands behind the last line feed is no whole line.
  while (read_block()) {
    const std::size_t feed = text_.rfind('\n');
    if (feed == std::string::npos) {
      text_.clear();
      given_ = 0;
      continue;
    }
    text_.resize(feed + 1);
    given_ = text_.size();
    whole_ = at_ + static_cast<std::int64_t>(given_);
    return;
  }
}

bool BackwardLines::read_block() {
  if (at_ <= end_) return false;
  const std::int64_t from = std::max(end_, at_ - kBlock);
  std::string block(static_cast<std::size_t>(at_ - from), '\0');
  std::size_t have = 0;
  while (have < block.size()) {
    const ssize_t n = ::pread(fd_, block.data() + have, block.size() - have,
                              from + static_cast<std::int64_t>(have));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) {
      at_ = end_ = 0;  // it became shorter, or cannot be read: no more lines
      text_.clear();
      given_ = 0;
      return false;
    }
    have += static_cast<std::size_t>(n);
  }
  text_.resize(given_);
  text_.insert(0, block);
  given_ += block.size();
  at_ = from;
  return true;
}

bool BackwardLines::next(std::string_view& line) {
  while (true) {
    // The line ends before the feed at given_ - 1, and begins behind the feed before that.
    const std::size_t feed = given_ >= 2 ? text_.rfind('\n', given_ - 2) : std::string::npos;
    const bool first_of_file = feed == std::string::npos && at_ == 0 && given_ > 0;
    if (feed == std::string::npos && !first_of_file) {
      if (given_ > kMaxLine) {
        too_long_ = true;
        text_ = "\n";
        given_ = 1;
      }
      if (!read_block()) return false;
      continue;
    }
    const std::size_t begin = first_of_file ? 0 : feed + 1;
    line = std::string_view(text_).substr(begin, given_ - 1 - begin);
    given_ = begin;
    if (!too_long_) return true;
    too_long_ = false;
  }
}

}  // namespace mainstay::runs
