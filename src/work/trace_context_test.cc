#include "work/trace_context.h"

#include <gtest/gtest.h>

namespace mainstay::work {
namespace {

constexpr std::string_view kGood = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

TEST(TraceContext, ReadsTheExampleOfTheStandard) {
  const auto parent = parse_trace_parent(kGood);
  ASSERT_TRUE(parent);
  EXPECT_EQ(parent->trace_id, "4bf92f3577b34da6a3ce929d0e0e4736");
  EXPECT_EQ(parent->span_id, "00f067aa0ba902b7");
  EXPECT_EQ(trace_id_of(kGood), parent->trace_id);
}

TEST(TraceContext, RefusesWhatIsNotOne) {
  for (const char* bad : {
           "",
           "00",
           "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
           "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-",
           "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
           "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
           "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
           "00-4bf92f3577b34da6a3ce929d0e0e4736x00f067aa0ba902b7-01",
           "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0g",
       }) {
    EXPECT_FALSE(parse_trace_parent(bad)) << bad;
  }
}

TEST(TraceContext, MakesValidAndDifferentOnes) {
  base::Random random(1);
  const std::string one = make_trace_parent(random);
  const std::string other = make_trace_parent(random);
  EXPECT_TRUE(parse_trace_parent(one)) << one;
  EXPECT_NE(one, other);
  EXPECT_EQ(make_trace_parent(parse_trace_parent(kGood)->trace_id, "00f067aa0ba902b7"), kGood);
}

TEST(TraceContext, SpansOfStagesAreStableAndDistinct) {
  const auto run = *model::RunId::from_text("0192f3c8-7b1a-7cc3-98c4-dc0c0c07398f");
  EXPECT_EQ(span_id_of(run, "scan"), span_id_of(run, "scan"));
  EXPECT_NE(span_id_of(run, "scan"), span_id_of(run, "lint"));
  EXPECT_NE(span_id_of(run, "scan"), span_id_of(run, ""));
  EXPECT_EQ(span_id_of(run, "scan").size(), 16U);
}

}  // namespace
}  // namespace mainstay::work
