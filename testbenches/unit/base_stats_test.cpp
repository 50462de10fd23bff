#include "base/stats.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/check.h"
#include "base/rng.h"

namespace svasim {
namespace {

TEST(Histogram, BucketsCoverAllValuesWithoutGaps) {
  for (std::size_t i = 0; i + 1 < Histogram::kBuckets; ++i) {
    ASSERT_EQ(Histogram::bucket_high(i) + 1, Histogram::bucket_low(i + 1));
    ASSERT_EQ(Histogram::bucket_of(Histogram::bucket_low(i)), i);
    ASSERT_EQ(Histogram::bucket_of(Histogram::bucket_high(i)), i);
  }
  EXPECT_EQ(Histogram::bucket_low(0), 0U);
  EXPECT_EQ(Histogram::bucket_high(Histogram::kBuckets - 1), ~std::uint64_t{0});
  EXPECT_EQ(Histogram::bucket_of(~std::uint64_t{0}), Histogram::kBuckets - 1);
}

TEST(Histogram, PercentilesAreWithin1Point6Percent) {
  RngStream rng(5, "histogram");
  Histogram histogram;
  std::vector<std::uint64_t> values;
  for (int i = 0; i < 20'000; ++i) {
    values.push_back(rng.next() >> (20 + rng.below(40)));
    histogram.record(values.back());
  }
  std::sort(values.begin(), values.end());
  for (const unsigned per_mille : {1U, 250U, 500U, 950U, 990U, 999U, 1000U}) {
    const double exact = static_cast<double>(values[values.size() * per_mille / 1000 - 1]);
    EXPECT_NEAR(static_cast<double>(histogram.percentile(per_mille)), exact, exact * 0.016) << per_mille;
  }
  EXPECT_EQ(histogram.min(), values.front());
  EXPECT_EQ(histogram.max(), values.back());
  EXPECT_EQ(histogram.count(), values.size());
}

TEST(Histogram, SmallValuesAreExact) {
  Histogram histogram;
  for (std::uint64_t v = 1; v <= 60; ++v) histogram.record(v);
  EXPECT_EQ(histogram.percentile(500), 30U);
  EXPECT_EQ(histogram.percentile(950), 57U);
  EXPECT_EQ(histogram.percentile(1000), 60U);
  EXPECT_EQ(histogram.percentile(0), 1U);
  EXPECT_DOUBLE_EQ(histogram.mean(), 30.5);
  EXPECT_EQ(Histogram().percentile(500), 0U);
  EXPECT_EQ(Histogram().min(), 0U);
}

struct TwoStats {
  Counter hits;
  Counter misses;
  Counter bytes;
  Histogram latency;
  void describe(StatRegistry& registry) {
    registry.counter("tlb.hits", &hits, StatUnit::kCount, StatKind::kInvariant, "look-ups that hit");
    registry.counter("tlb.misses", &misses, StatUnit::kCount, StatKind::kInvariant, "look-ups that missed");
    registry.histogram("tlb.latency", &latency, StatUnit::kPs, StatKind::kTiming, "request to answer");
    registry.ratio("tlb.hit_rate", {&hits}, {&hits, &misses}, StatKind::kInvariant, "hits per look-up");
    registry.rate("tlb.throughput", &bytes, StatUnit::kBytesPerSecond, "bytes moved per second");
    registry.formula(
        "tlb.load", [] { return 0.1; }, StatUnit::kRatio, StatKind::kTiming, "constant");
  }
};

TEST(StatRegistry, JsonAndCsv) {
  TwoStats stats;
  StatRegistry registry;
  stats.describe(registry);
  stats.hits.add(3);
  ++stats.misses;
  stats.bytes.add(500);
  stats.latency.record(10);
  stats.latency.record(20);
  const nlohmann::json json = registry.to_json(1'000);  // 1 ns
  EXPECT_EQ(json["tlb.hits"].dump(),
            R"({"description":"look-ups that hit","kind":"invariant","unit":"count","value":3})");
  EXPECT_EQ(json["tlb.latency"].dump(),
            R"({"count":2,"description":"request to answer","kind":"timing","max":20,"mean":15.0,"min":10,)"
            R"("p50":10,"p95":20,"p99":20,"sum":30,"unit":"ps"})");
  EXPECT_EQ(json["tlb.hit_rate"]["value"], 0.75);
  EXPECT_DOUBLE_EQ(json["tlb.throughput"]["value"], 500e9);
  EXPECT_EQ(registry.to_csv(1'000),
            "name,field,value,unit,kind\n"
            "tlb.hit_rate,value,0.75,ratio,invariant\n"
            "tlb.hits,value,3,count,invariant\n"
            "tlb.latency,count,2,count,timing\n"
            "tlb.latency,sum,30,ps,timing\n"
            "tlb.latency,min,10,ps,timing\n"
            "tlb.latency,max,20,ps,timing\n"
            "tlb.latency,mean,15.0,ps,timing\n"
            "tlb.latency,p50,10,ps,timing\n"
            "tlb.latency,p95,20,ps,timing\n"
            "tlb.latency,p99,20,ps,timing\n"
            "tlb.load,value,0.1,ratio,timing\n"
            "tlb.misses,value,1,count,invariant\n"
            "tlb.throughput,value," +
                nlohmann::json(500 / (1000 * 1e-12)).dump() + ",bytes/s,timing\n");
}

TEST(StatRegistry, WarmUpIsSubtractedEverywhere) {
  TwoStats stats;
  StatRegistry registry;
  stats.describe(registry);
  stats.misses.add(100);
  stats.bytes.add(1'000'000);
  for (int i = 0; i < 100; ++i) stats.latency.record(1'000'000);
  registry.snapshot(5'000);
  EXPECT_EQ(registry.counter_value("tlb.misses"), 0U);
  EXPECT_TRUE(registry.to_json(5'000)["tlb.hit_rate"]["value"].is_null());  // no look-up since
  stats.hits.add(1);
  stats.misses.add(1);
  stats.bytes.add(64);
  for (std::uint64_t v = 1; v <= 10; ++v) stats.latency.record(v);
  EXPECT_EQ(registry.formula_value("tlb.hit_rate", 6'000), 0.5);
  EXPECT_DOUBLE_EQ(registry.formula_value("tlb.throughput", 6'000).value(), 64e9);
  const Histogram since = registry.histogram_value("tlb.latency").value();
  EXPECT_EQ(since.count(), 10U);
  EXPECT_EQ(since.sum(), 55U);
  EXPECT_EQ(since.min(), 1U);
  EXPECT_EQ(since.max(), 10U);
  EXPECT_EQ(since.percentile(500), 5U);
}

TEST(StatRegistry, PathsAreUniqueAndDescribed) {
  Counter counter;
  StatRegistry registry;
  registry.counter("a", &counter, StatUnit::kCount, StatKind::kInvariant, "x");
  EXPECT_THROW(registry.counter("a", &counter, StatUnit::kCount, StatKind::kInvariant, "x"), InternalError);
  EXPECT_THROW(registry.counter("b", &counter, StatUnit::kCount, StatKind::kInvariant, ""), InternalError);
  EXPECT_EQ(registry.counter_value("nothing"), std::nullopt);
}

}  // namespace
}  // namespace svasim
