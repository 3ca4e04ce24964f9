// Figures and their text (Prometheus exposition format 0.0.4; faults G5).
#include "telemetry/metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <thread>

namespace mainstay::telemetry {
namespace {

using testing::HasSubstr;

TEST(Metrics, RendersFamiliesInOrder) {
  MetricsRegistry metrics;
  metrics.counter("ms_b_total", "B").add(3);
  metrics.gauge("ms_a", "A\nline", {{"queue", "in\"box\\"}}).set(1.5);
  metrics.gauge("ms_a", "A\nline", {{"queue", "2"}}).add(-2);
  metrics.function("ms_c", "C", [] { return 7.0; });
  EXPECT_EQ(metrics.render(),
            "# HELP ms_a A\\nline\n"
            "# TYPE ms_a gauge\n"
            "ms_a{queue=\"2\"} -2\n"
            "ms_a{queue=\"in\\\"box\\\\\"} 1.5\n"
            "# HELP ms_b_total B\n"
            "# TYPE ms_b_total counter\n"
            "ms_b_total 3\n"
            "# HELP ms_c C\n"
            "# TYPE ms_c gauge\n"
            "ms_c 7\n");
}

TEST(Metrics, GivesTheSameInstrumentAgain) {
  MetricsRegistry metrics;
  Counter& first = metrics.counter("ms_x_total", "X", {{"a", "1"}, {"b", "2"}});
  EXPECT_EQ(&first, &metrics.counter("ms_x_total", "X", {{"b", "2"}, {"a", "1"}}));
  EXPECT_NE(&first, &metrics.counter("ms_x_total", "X", {{"a", "2"}, {"b", "2"}}));
}

TEST(Metrics, HistogramBucketsAreCumulativeAndHoldTheirBound) {
  MetricsRegistry metrics;
  Histogram& histogram = metrics.histogram("ms_h", "H", {0.1, 1}, {{"op", "x"}});
  for (double value : {0.05, 0.1, 0.5, 7.0}) histogram.observe(value);
  histogram.observe(std::numeric_limits<double>::quiet_NaN());
  EXPECT_EQ(metrics.render(),
            "# HELP ms_h H\n"
            "# TYPE ms_h histogram\n"
            "ms_h_bucket{op=\"x\",le=\"0.1\"} 2\n"
            "ms_h_bucket{op=\"x\",le=\"1\"} 3\n"
            "ms_h_bucket{op=\"x\",le=\"+Inf\"} 5\n"
            "ms_h_sum{op=\"x\"} 7.65\n"
            "ms_h_count{op=\"x\"} 5\n");
}

TEST(FaultG5, AFloodOfLabelSetsIsBoundedAndCounted) {
  MetricsRegistry metrics;
  for (int i = 0; i < 5000; ++i) {
    metrics.counter("ms_x_total", "X", {{"user", std::to_string(i)}}).add();
  }
  const std::string text = metrics.render();
  EXPECT_THAT(text, HasSubstr("ms_x_total{user=\"overflow\"} 4000\n"));
  EXPECT_THAT(text, HasSubstr("mainstay_metrics_series_refused_total 4000\n"));
}

TEST(Metrics, CountFromManyThreads) {
  MetricsRegistry metrics;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 5000; ++i) {
        metrics.counter("ms_n_total", "N").add();
        metrics.gauge("ms_g", "G").add(1);
        metrics.histogram("ms_h", "H", {1, 2}).observe(1.5);
        if (i % 1000 == 0) metrics.render();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(metrics.counter("ms_n_total", "N").value(), 20'000U);
  EXPECT_EQ(metrics.gauge("ms_g", "G").value(), 20'000);
  EXPECT_EQ(metrics.histogram("ms_h", "H", {1, 2}).snapshot().counts[1], 20'000U);
}

}  // namespace
}  // namespace mainstay::telemetry
