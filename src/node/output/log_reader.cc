#include "node/output/log_reader.h"

#include <sys/epoll.h>
#include <unistd.h>

#include <cerrno>

#include "platform/clock.h"

namespace mainstay::node {
namespace {

constexpr std::size_t kChunk = std::size_t{64} << 10;
constexpr std::size_t kBudgetPerRound = 4 * kChunk;
/// At the end no writer is left, so there is at most what the kernel buffers; a stray writer that
/// goes on is cut off here.
constexpr std::size_t kBudgetAtEnd = std::size_t{2} << 20;

}  // namespace

LogReader::LogReader(NodeContext& node, platform::Fd stream, std::string stream_name,
                     model::LogContext context, std::size_t tail_bytes)
    : node_(node),
      stream_(std::move(stream)),
      stream_name_(std::move(stream_name)),
      context_(std::move(context)),
      tail_bytes_(tail_bytes) {}

LogReader::~LogReader() { stop_watching(); }

Result<void> LogReader::start() {
  auto watch = node_.reactor.watch(stream_.get(), EPOLLIN, [this](std::uint32_t) {
    if (!read_some(kBudgetPerRound)) stop_watching();
  });
  if (!watch) return watch.error();
  watch_ = *watch;
  return {};
}

void LogReader::finish() {
  if (!stream_) return;
  stop_watching();
  read_some(kBudgetAtEnd);
  lines_.finish([this](std::string_view line, std::size_t dropped) { take(line, dropped); });
  stream_.reset();
}

bool LogReader::read_some(std::size_t budget) {
  char buffer[kChunk];
  while (budget > 0) {
    ssize_t got = ::read(stream_.get(), buffer, sizeof buffer);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return errno == EAGAIN;
    if (got == 0) return false;
    std::string_view bytes(buffer, static_cast<std::size_t>(got));
    budget -= std::min(budget, bytes.size());
    lines_.feed(bytes, [this](std::string_view line, std::size_t dropped) { take(line, dropped); });
  }
  return true;
}

void LogReader::take(std::string_view line, std::size_t dropped) {
  if (tail_bytes_ > 0) {
    tail_.append(line).push_back('\n');
    if (tail_.size() > 2 * tail_bytes_) tail_.erase(0, tail_.size() - tail_bytes_);
  }
  node_.counters.log_lines.fetch_add(1, std::memory_order_relaxed);
  if (dropped > 0) node_.counters.truncated_lines.fetch_add(1, std::memory_order_relaxed);
  const auto& gate = node_.sinks.gate;
  if (gate && !gate->admit(context_.agent, line.size(), platform::mono_now())) return;
  node_.sinks.log(record_of_line(line, dropped, context_, stream_name_, platform::wall_now()));
}

void LogReader::stop_watching() { node_.reactor.unwatch(std::exchange(watch_, 0)); }

}  // namespace mainstay::node
