#include "app/bench/bench_work.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "app/bench/bench_daemon.h"
#include "app/cli/commands.h"
#include "app/cli/interrupt.h"
#include "app/version.h"
#include "app/views/json_fields.h"
#include "mainstay/client.h"
#include "platform/clock.h"
#include "platform/json/json.h"
#include "platform/sqlite/sqlite.h"

namespace mainstay::app {
namespace {

constexpr std::string_view kMeasured = "bench";
constexpr std::string_view kWarmUp = "warm-up";
/// Without any progress in this time the run is given up.
constexpr auto kStandstill = std::chrono::seconds(60);
constexpr auto kSlice = std::chrono::milliseconds(100);
constexpr auto kLook = std::chrono::milliseconds(5);

/// One answer per item, written by the client's thread, read after wait_idle().
struct Answers {
  explicit Answers(std::size_t items) : due(items), accept(items) {}
  std::vector<Mono> due;
  std::vector<Duration> accept;
  std::atomic<std::int64_t> refused = 0;
  std::string first_problem;
};

struct Measured {
  double seconds = 0;
  double cpu_seconds = 0;
  std::int64_t rss_bytes = 0;
  std::int64_t refused = 0;
  std::int64_t failed = 0;
  std::vector<double> accept_ms;
  std::vector<double> dispatch_ms;
  std::string journal_mode;
};

double to_ms(Duration d) { return std::chrono::duration<double, std::milli>(d).count(); }

/// Nearest rank; 0 of nothing.
double percentile(const std::vector<double>& sorted, double share) {
  if (sorted.empty()) return 0;
  const auto rank = static_cast<std::size_t>(share * static_cast<double>(sorted.size()));
  return sorted[std::min(rank, sorted.size() - 1)];
}

platform::Json summary(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const auto rounded = [](double ms) {
    return static_cast<double>(std::int64_t(ms * 1000)) / 1000;
  };
  return platform::JsonObject{{"p50", rounded(percentile(values, 0.50))},
                              {"p99", rounded(percentile(values, 0.99))},
                              {"max", rounded(values.empty() ? 0 : values.back())}};
}

/// What ends a run early: Ctrl-C, a dead daemon, or nothing happening for kStandstill.
class Patience {
 public:
  explicit Patience(const BenchDaemon& daemon) : daemon_(daemon) {}

  void progress() { moved_ = platform::mono_now(); }
  Result<void> check(Duration pause) {
    if (interrupted_within(pause)) return Error(Code::cancelled, "interrupted");
    if (daemon_.has_ended()) return Error(Code::not_running, "the daemon ended");
    if (platform::mono_now() - moved_ <= kStandstill) return {};
    return Error(Code::deadline_exceeded, "nothing happens any more");
  }

 private:
  const BenchDaemon& daemon_;
  Mono moved_ = platform::mono_now();
};

Result<void> wait_for_room(Client& client, Patience& patience) {
  while (!client.wait_for_room(kSlice)) {
    if (auto good = patience.check(Duration::zero()); !good) return good;
  }
  patience.progress();
  return {};
}

Result<void> wait_until(Mono due, Patience& patience) {
  patience.progress();
  for (Mono now = platform::mono_now(); now < due; now = platform::mono_now()) {
    if (auto good = patience.check(std::min<Duration>(due - now, kSlice)); !good) return good;
  }
  return {};
}

Mono due_at(Mono start, std::size_t number, double rate) {
  return start + std::chrono::nanoseconds(std::int64_t(1e9 * double(number) / rate));
}

Result<void> submit_all(Client& client, const BenchOptions& options, std::string_view description,
                        Answers& answers, Patience& patience) {
  const Mono start = platform::mono_now();
  ::mainstay::SubmitOptions request;
  request.capability = "bench.noop";
  request.description = description;
  for (std::size_t i = 0; i < answers.due.size(); ++i) {
    const bool paced = options.rate > 0;
    answers.due[i] = paced ? due_at(start, i, options.rate) : start;
    auto ready = paced ? wait_until(answers.due[i], patience) : wait_for_room(client, patience);
    if (!ready) return ready;
    if (!paced) answers.due[i] = platform::mono_now();
    request.input = fmt::format("{{\"n\":{}}}", i);
    client.submit(request, [&answers, i](const Accepted& reply) {
      answers.accept[i] = platform::mono_now() - answers.due[i];
      if (!reply.problem) return;
      if (answers.refused++ == 0) answers.first_problem = reply.problem->message;
    });
  }
  while (!client.wait_idle(kSlice)) {
    if (auto good = patience.check(Duration::zero()); !good) return good;
  }
  return {};
}

Result<platform::SqliteConnection> open_database(const BenchDaemon& daemon) {
  return platform::SqliteConnection::open(daemon.database(),
                                          {platform::SqliteAccess::read_only, "", 5000});
}

/// Until no item is open; what a reader sees is committed.
Result<void> wait_all_ended(platform::SqliteConnection& db, Patience& patience) {
  std::int64_t before = -1;
  while (true) {
    auto open = db.query_integer("SELECT count(*) FROM work_items WHERE open=1");
    if (!open) return std::move(open).error();
    const std::int64_t now = open->value_or(0);
    if (now == 0) return {};
    if (std::exchange(before, now) != now) patience.progress();
    if (auto good = patience.check(kLook); !good) return good;
  }
}

Result<void> read_results(platform::SqliteConnection& db, Measured& out) {
  auto rows = db.prepare("SELECT state, created_at, output FROM work_items WHERE description=?1");
  if (!rows) return std::move(rows).error();
  rows->bind_text(1, kMeasured);
  while (true) {
    auto more = rows->step();
    if (!more) return std::move(more).error();
    if (!*more) break;
    auto output = platform::parse_json(rows->text(2));
    if (rows->text(0) != "succeeded" || !output) {
      ++out.failed;
      continue;
    }
    const std::int64_t micros = number_of(*output, "started_us") - rows->integer(1);
    out.dispatch_ms.push_back(static_cast<double>(micros) / 1000);
  }
  auto mode = db.query_text("PRAGMA journal_mode");
  if (!mode) return std::move(mode).error();
  out.journal_mode = mode->value_or("");
  return {};
}

Result<void> run_items(const BenchDaemon& daemon, const BenchOptions& options,
                       std::string_view description, Answers& answers, Measured& out) {
  ::mainstay::Client::Options client_options;
  client_options.link = daemon.link();
  client_options.token = daemon.token();
  // With a rate the moments decide, not the window.
  client_options.window = options.rate > 0 ? answers.due.size() + 1 : options.window;
  auto db = open_database(daemon);
  if (!db) return std::move(db).error();
  Patience patience(daemon);
  ::mainstay::Client client(client_options);
  const double cpu_before = daemon.cpu_seconds();
  const Mono start = platform::mono_now();
  if (auto sent = submit_all(client, options, description, answers, patience); !sent) return sent;
  if (auto ended = wait_all_ended(*db, patience); !ended) return ended;
  out.seconds = std::chrono::duration<double>(platform::mono_now() - start).count();
  out.cpu_seconds = daemon.cpu_seconds() - cpu_before;
  out.rss_bytes = daemon.rss_bytes();
  out.refused = answers.refused;
  for (const Duration accept : answers.accept) out.accept_ms.push_back(to_ms(accept));
  if (out.refused > 0) {
    std::fprintf(stderr, "refused, first: %s\n", answers.first_problem.c_str());
  }
  return read_results(*db, out);
}

Result<Measured> measure(const BenchOptions& options) {
  auto daemon = BenchDaemon::start(options);
  if (!daemon) return std::move(daemon).error();
  Measured ignored;
  BenchOptions warm = options;
  warm.rate = 0;
  Answers first(static_cast<std::size_t>(std::clamp<std::int64_t>(options.items / 10, 1, 2000)));
  if (auto done = run_items(**daemon, warm, kWarmUp, first, ignored); !done) {
    return std::move(done).error();
  }
  Measured measured;
  Answers answers(static_cast<std::size_t>(options.items));
  if (auto done = run_items(**daemon, options, kMeasured, answers, measured); !done) {
    return std::move(done).error();
  }
  return measured;
}

platform::JsonObject report_of(const BenchOptions& options, const Measured& measured) {
  const double per_second =
      measured.seconds > 0 ? static_cast<double>(options.items) / measured.seconds : 0;
  return {{"items_per_s", std::int64_t(per_second)},
          {"accept_ms", summary(measured.accept_ms)},
          {"dispatch_ms", summary(measured.dispatch_ms)},
          {"daemon_rss_bytes", measured.rss_bytes},
          {"daemon_cpu_s", measured.cpu_seconds},
          {"seconds", measured.seconds},
          {"durability", fmt::format("sqlite {} synchronous=full", measured.journal_mode)},
          {"items", options.items},
          {"refused", measured.refused},
          {"failed", measured.failed},
          {"offered_rate", options.rate},
          {"window", options.rate > 0 ? 0 : options.window},
          {"agents", options.agents},
          {"agent_kind", options.agent_kind},
          {"slots", options.slots},
          {"cores", ::sysconf(_SC_NPROCESSORS_ONLN)},
          {"version", kVersion},
          {"commit", kCommit}};
}

std::string table_of(const platform::JsonObject& report) {
  Table table({"MEASURED", "VALUE"});
  for (const auto& [key, value] : report) {
    table.row({std::string(key),
               value.is_string() ? std::string(value.get_string()) : platform::to_text(value)});
  }
  return table.to_text();
}

}  // namespace

int bench_work(const BenchOptions& options) {
  if (options.agent_kind != "cpp" && options.agent_kind != "python") {
    return report(Error(Code::invalid_argument, "--agent-kind is cpp or python"));
  }
  if (options.items < 1 || options.agents < 1 || options.rate < 0 || options.slots < 1) {
    return report(Error(Code::invalid_argument, "items, agents and slots are 1 or more"));
  }
  auto measured = measure(options);
  if (!measured) return report(measured.error());
  const platform::JsonObject result = report_of(options, *measured);
  std::fputs(render(options.output, result, table_of(result)).c_str(), stdout);
  const bool good = measured->refused == 0 && measured->failed == 0 &&
                    measured->dispatch_ms.size() == static_cast<std::size_t>(options.items);
  return good ? kExitDone : kExitFailed;
}

}  // namespace mainstay::app
