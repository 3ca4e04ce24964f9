#include "telemetry/metrics.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <string_view>

#include "base/assert.h"

namespace mainstay::telemetry {
namespace {

bool is_metric_name(std::string_view name, bool colon_allowed) {
  if (name.empty() || (name[0] >= '0' && name[0] <= '9')) return false;
  return std::all_of(name.begin(), name.end(), [&](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           (c == ':' && colon_allowed);
  });
}

std::string escaped(std::string_view text, bool quotes) {
  std::string out;
  for (char c : text) {
    if (c == '\\') {
      out += "\\\\";
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '"' && quotes) {
      out += "\\\"";
    } else {
      out += c;
    }
  }
  return out;
}

/// `a="1",b="2"`, by key.
std::string label_text(const MetricsRegistry::Labels& labels) {
  std::string out;
  for (const auto& [key, value] : labels) {
    MS_ASSERT(is_metric_name(key, false), "a label's name is letters, digits and _");
    if (!out.empty()) out += ',';
    out += key + "=\"" + escaped(value, true) + '"';
  }
  return out;
}

std::string number_text(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "+Inf" : "-Inf";
  return fmt::format("{}", value);
}

void append_sample(std::string& out, std::string_view name, std::string_view suffix,
                   const std::string& labels, const std::string& value) {
  out += name;
  out += suffix;
  if (!labels.empty()) out += '{' + labels + '}';
  out += ' ' + value + '\n';
}

void append_histogram(std::string& out, const std::string& name, const std::string& labels,
                      const Histogram& histogram) {
  const Histogram::Snapshot now = histogram.snapshot();
  const std::string prefix = labels.empty() ? "" : labels + ",";
  std::uint64_t below = 0;
  for (std::size_t i = 0; i < now.counts.size(); ++i) {
    below += now.counts[i];
    const double bound = i < histogram.bounds().size() ? histogram.bounds()[i]
                                                       : std::numeric_limits<double>::infinity();
    append_sample(out, name, "_bucket", prefix + "le=\"" + number_text(bound) + '"',
                  fmt::format("{}", below));
  }
  append_sample(out, name, "_sum", labels, number_text(now.sum));
  append_sample(out, name, "_count", labels, fmt::format("{}", below));
}

void add_to(std::atomic<double>& value, double delta) {
  double before = value.load(std::memory_order_relaxed);
  while (!value.compare_exchange_weak(before, before + delta, std::memory_order_relaxed)) {
  }
}

}  // namespace

void Gauge::add(double delta) { add_to(value_, delta); }

Histogram::Histogram(std::vector<double> bounds)
    : bounds_(std::move(bounds)), counts_(bounds_.size() + 1) {
  MS_ASSERT(std::is_sorted(bounds_.begin(), bounds_.end()), "bounds of a histogram grow");
}

void Histogram::observe(double value) {
  // NaN is above every bound, as it is nowhere.
  const auto bucket =
      std::isnan(value)
          ? bounds_.size()
          : static_cast<std::size_t>(std::lower_bound(bounds_.begin(), bounds_.end(), value) -
                                     bounds_.begin());
  counts_[bucket].fetch_add(1, std::memory_order_relaxed);
  if (!std::isnan(value)) add_to(sum_, value);
}

Histogram::Snapshot Histogram::snapshot() const {
  Snapshot now;
  for (const auto& count : counts_) now.counts.push_back(count.load(std::memory_order_relaxed));
  now.sum = sum_.load(std::memory_order_relaxed);
  return now;
}

std::vector<double> seconds_buckets() {
  std::vector<double> bounds;
  for (double bound = 0.0001; bound < 150; bound *= 2) bounds.push_back(bound);
  return bounds;
}

MetricsRegistry::Family& MetricsRegistry::family(const std::string& name, const std::string& help,
                                                 const char* type) {
  MS_ASSERT(is_metric_name(name, true), "a metric's name is letters, digits, _ and :");
  Family& family = families_[name];
  if (family.type.empty()) {
    family.type = type;
    family.help = help;
  }
  MS_ASSERT(family.type == type, "one metric name, one kind");
  return family;
}

std::string MetricsRegistry::series_key(const Family& family, const Labels& labels) {
  std::string key = label_text(labels);
  if (family.series.contains(key) || family.series.size() < kMaxSeriesPerFamily) return key;
  ++refused_series_;
  Labels overflow;
  for (const auto& [name, value] : labels) overflow[name] = "overflow";
  return label_text(overflow);
}

template <class T, class Make>
T& MetricsRegistry::instrument(const std::string& name, const std::string& help, const char* type,
                               const Labels& labels, Make make) {
  const std::lock_guard lock(mutex_);
  Family& owner = family(name, help, type);
  const std::string key = series_key(owner, labels);
  auto found = owner.series.find(key);
  if (found == owner.series.end()) found = owner.series.emplace(key, make()).first;
  auto* held = std::get_if<std::unique_ptr<T>>(&found->second);
  MS_ASSERT(held != nullptr, "a series is either an instrument or a function");
  return **held;
}

Counter& MetricsRegistry::counter(const std::string& name, const std::string& help,
                                  const Labels& labels) {
  return instrument<Counter>(name, help, "counter", labels,
                             [] { return std::make_unique<Counter>(); });
}

Gauge& MetricsRegistry::gauge(const std::string& name, const std::string& help,
                              const Labels& labels) {
  return instrument<Gauge>(name, help, "gauge", labels, [] { return std::make_unique<Gauge>(); });
}

Histogram& MetricsRegistry::histogram(const std::string& name, const std::string& help,
                                      const std::vector<double>& bounds, const Labels& labels) {
  return instrument<Histogram>(name, help, "histogram", labels,
                               [&] { return std::make_unique<Histogram>(bounds); });
}

void MetricsRegistry::function(const std::string& name, const std::string& help,
                               std::function<double()> read, const Labels& labels) {
  const std::lock_guard lock(mutex_);
  const char* type = name.ends_with("_total") ? "counter" : "gauge";
  Family& owner = family(name, help, type);
  owner.series.insert_or_assign(series_key(owner, labels), Instrument(std::move(read)));
}

std::string MetricsRegistry::render() const {
  const std::lock_guard lock(mutex_);
  std::string out;
  for (const auto& [name, family] : families_) {
    out += "# HELP " + name + ' ' + escaped(family.help, false) + '\n';
    out += "# TYPE " + name + ' ' + family.type + '\n';
    for (const auto& [labels, instrument] : family.series) {
      if (const auto* counter = std::get_if<std::unique_ptr<Counter>>(&instrument)) {
        append_sample(out, name, "", labels, fmt::format("{}", (*counter)->value()));
      } else if (const auto* gauge = std::get_if<std::unique_ptr<Gauge>>(&instrument)) {
        append_sample(out, name, "", labels, number_text((*gauge)->value()));
      } else if (const auto* histogram = std::get_if<std::unique_ptr<Histogram>>(&instrument)) {
        append_histogram(out, name, labels, **histogram);
      } else {
        append_sample(out, name, "", labels,
                      number_text(std::get<std::function<double()>>(instrument)()));
      }
    }
  }
  if (refused_series_ > 0) {
    out += "# HELP mainstay_metrics_series_refused_total Label sets beyond a family's limit\n";
    out += "# TYPE mainstay_metrics_series_refused_total counter\n";
    append_sample(out, "mainstay_metrics_series_refused_total", "", "",
                  fmt::format("{}", refused_series_));
  }
  return out;
}

}  // namespace mainstay::telemetry
