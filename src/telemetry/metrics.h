// Mainstay's own figures: counters, gauges, histograms with labels, and their text for Prometheus
// (exposition format 0.0.4; https://prometheus.io/docs/instrumenting/exposition_formats/).
//
//   Counter& accepted = metrics.counter("mainstay_work_accepted_total", "Work items accepted");
//   accepted.add();
//
// Lifetime: an instrument lives as long as its registry. Threads: any; instruments are atomics,
// making one takes a lock. Nothing fails: a family that has its fill of label sets (faults G5)
// gives every further one the same overflow series and counts it; a name that is used for two kinds
// is a defect.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace mainstay::telemetry {

class Counter {
 public:
  void add(std::uint64_t n = 1) { value_.fetch_add(n, std::memory_order_relaxed); }
  std::uint64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> value_ = 0;
};

class Gauge {
 public:
  void set(double value) { value_.store(value, std::memory_order_relaxed); }
  void add(double delta);
  double value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<double> value_ = 0;
};

class Histogram {
 public:
  /// Upper bounds, growing; one more bucket holds what is above the last.
  explicit Histogram(std::vector<double> bounds);
  void observe(double value);

  struct Snapshot {
    /// Not cumulative; one more than bounds.
    std::vector<std::uint64_t> counts;
    double sum = 0;
  };
  Snapshot snapshot() const;
  const std::vector<double>& bounds() const { return bounds_; }

 private:
  const std::vector<double> bounds_;
  std::vector<std::atomic<std::uint64_t>> counts_;
  std::atomic<double> sum_ = 0;
};

/// Doubling from 100 µs to about 100 s: for durations in seconds.
std::vector<double> seconds_buckets();

class MetricsRegistry {
 public:
  using Labels = std::map<std::string, std::string>;
  static constexpr std::size_t kMaxSeriesPerFamily = 1000;

  MetricsRegistry() = default;
  MetricsRegistry(const MetricsRegistry&) = delete;
  MetricsRegistry& operator=(const MetricsRegistry&) = delete;

  /// The one with this name and these labels; made at the first call.
  Counter& counter(const std::string& name, const std::string& help, const Labels& labels = {});
  Gauge& gauge(const std::string& name, const std::string& help, const Labels& labels = {});
  Histogram& histogram(const std::string& name, const std::string& help,
                       const std::vector<double>& bounds, const Labels& labels = {});
  /// A value that is asked for when it is rendered; `read` must be quick, may be called from any
  /// thread, and must not use the registry. A counter if the name ends in `_total`, else a gauge.
  void function(const std::string& name, const std::string& help, std::function<double()> read,
                const Labels& labels = {});

  /// Families by name, series by their labels.
  std::string render() const;

 private:
  using Instrument = std::variant<std::unique_ptr<Counter>, std::unique_ptr<Gauge>,
                                  std::unique_ptr<Histogram>, std::function<double()>>;
  struct Family {
    std::string help;
    std::string type;
    std::map<std::string, Instrument> series;  // by the text of the labels
  };

  template <class T, class Make>
  T& instrument(const std::string& name, const std::string& help, const char* type,
                const Labels& labels, Make make);
  Family& family(const std::string& name, const std::string& help, const char* type);
  std::string series_key(const Family& family, const Labels& labels);

  mutable std::mutex mutex_;
  std::map<std::string, Family> families_;
  std::uint64_t refused_series_ = 0;
};

}  // namespace mainstay::telemetry
