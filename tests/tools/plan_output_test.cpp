#include "tools/plan_output.h"

#include <gtest/gtest.h>

namespace pipit {
namespace {

TEST(PlanOutput, IsATreeWithALineANode) {
  constexpr const char* kData = R"({"plan":{"node":"sum","series":1,"samples":11,"samplesRead":22,"seconds":0.002,
    "inputs":[{"node":"up","series":2,"samples":22,"samplesRead":22,"seconds":0.0015,"inputs":[]}]},"series":1,
    "stats":{"timings":{"execTotalTime":0.003,"execQueueTime":0.0005,"queryPreparationTime":0.00025,"resultSortTime":0},
    "samples":{"totalQueryableSamples":22,"peakSamples":44}}})";
  EXPECT_EQ(format_plan(kData).value_or(""),
            "         series       samples  samples read            time\n"
            "sum           1            11            22        2.000 ms\n"
            "  up          2            22            22        1.500 ms\n"
            "total         1                          22        3.000 ms\n"
            "\n"
            "waited 0.500 ms, prepared 0.250 ms, sorted 0.000 ms; held 44 samples at most\n");
}

TEST(PlanOutput, RefusesWhatIsNoPlan) {
  for (const char* data : {"", "[]", R"({"resultType":"vector","result":[]})", R"({"plan":{"node":1},"stats":{}})",
                           R"({"plan":null,"stats":{"timings":1}})"}) {
    EXPECT_FALSE(format_plan(data)) << data;
  }
  EXPECT_TRUE(format_plan(R"({"plan":null,"series":1,"stats":{}})"));
}

}  // namespace
}  // namespace pipit
