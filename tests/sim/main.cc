// sim --first SEED --seeds COUNT --minutes SIMULATED [--twice] [--verbose]
//
// Runs seeds one after the other; exit 1 at the first violation, with the command that replays it.
// --twice runs each seed two times and demands the same trace hash: hidden chance or order shows.
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <string>
#include <string_view>

#include "sim/simulation.h"

namespace {

struct Options {
  std::uint64_t first = 1;
  std::uint64_t seeds = 20;
  std::int64_t minutes = 30;
  bool twice = false;
  bool verbose = false;
};

// What a simulation that is not blind must have seen over all its seeds.
constexpr std::string_view kMustSee[] = {"daemon crashed",
                                         "agent crashed",
                                         "agent adopted",
                                         "link dropped",
                                         "assignment lost",
                                         "work.retrying",
                                         "stale result refused",
                                         "reconnected with held attempts",
                                         "result sent twice",
                                         "work.succeeded",
                                         "run.finished",
                                         "duplicate submit answered",
                                         "agent.failed",
                                         "result contradicted later",
                                         "result claimed by another agent",
                                         "several inputs in one turn"};
constexpr std::uint64_t kSeedsToSeeAll = 40;

bool parse(int argc, char** argv, Options& options) {
  for (int i = 1; i < argc; ++i) {
    const std::string_view word = argv[i];
    if (word == "--twice") {
      options.twice = true;
    } else if (word == "--verbose") {
      options.verbose = true;
    } else if (i + 1 < argc && word == "--first") {
      options.first = std::strtoull(argv[++i], nullptr, 10);
    } else if (i + 1 < argc && word == "--seeds") {
      options.seeds = std::strtoull(argv[++i], nullptr, 10);
    } else if (i + 1 < argc && word == "--minutes") {
      options.minutes = std::strtoll(argv[++i], nullptr, 10);
    } else {
      std::fprintf(stderr, "sim: unknown option %s\n", argv[i]);
      return false;
    }
  }
  return true;
}

void print_failure(const mainstay::sim::SimulationResult& result, const Options& options) {
  for (const std::string& violation : result.violations) std::printf("%s\n", violation.c_str());
  std::printf("replay: sim --first %llu --seeds 1 --minutes %lld --verbose\n",
              static_cast<unsigned long long>(result.seed),
              static_cast<long long>(options.minutes));
}

bool saw_everything(const std::map<std::string, std::int64_t>& sights, const Options& options) {
  if (options.seeds < kSeedsToSeeAll) return true;
  bool all = true;
  for (const std::string_view what : kMustSee) {
    const auto found = sights.find(std::string(what));
    if (found != sights.end() && found->second > 0) continue;
    std::printf("blind: never saw \"%s\"\n", std::string(what).c_str());
    all = false;
  }
  return all;
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  if (!parse(argc, argv, options)) return 2;
  std::printf("seeds %llu to %llu, %lld simulated minutes each\n",
              static_cast<unsigned long long>(options.first),
              static_cast<unsigned long long>(options.first + options.seeds - 1),
              static_cast<long long>(options.minutes));
  std::fflush(stdout);
  std::map<std::string, std::int64_t> sights;
  double hours = 0;
  std::int64_t acknowledged = 0;
  const auto began = std::chrono::steady_clock::now();
  for (std::uint64_t seed = options.first; seed < options.first + options.seeds; ++seed) {
    const auto result = mainstay::sim::simulate(seed, std::chrono::minutes(options.minutes));
    for (const auto& [what, count] : result.sights) sights[what] += count;
    hours += std::chrono::duration<double, std::ratio<3600>>(result.simulated).count();
    acknowledged += result.acknowledged;
    if (options.verbose) {
      std::printf("seed %llu%s: %lld acknowledged, trace %016llx\n",
                  static_cast<unsigned long long>(seed), result.calm ? " (calm)" : "",
                  static_cast<long long>(result.acknowledged),
                  static_cast<unsigned long long>(result.trace_hash));
    }
    if (!result.violations.empty()) {
      print_failure(result, options);
      return 1;
    }
    if (!options.twice) continue;
    const auto again = mainstay::sim::simulate(seed, std::chrono::minutes(options.minutes));
    if (again.trace_hash != result.trace_hash) {
      std::printf("seed %llu: two runs differ: hidden chance or order in a decision\n",
                  static_cast<unsigned long long>(seed));
      return 1;
    }
  }
  for (const auto& [what, count] : sights) {
    std::printf("  %-34s %lld\n", what.c_str(), static_cast<long long>(count));
  }
  const double seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
  std::printf("%.1f simulated hours, %lld acknowledged, 0 violations; %.1f hours per second\n",
              hours, static_cast<long long>(acknowledged), hours / seconds);
  return saw_everything(sights, options) ? 0 : 1;
}
