// Service times of fault handlers.
#include <gtest/gtest.h>

#include <cmath>

#include "models/host/service_time.h"

namespace svasim {
namespace {

constexpr Ps kUs = 1'000'000;
constexpr unsigned kDraws = 400'000;

FaultHandlerParams params(const std::string& distribution) {
  FaultHandlerParams p = fault_handler_params().defaults();
  p.distribution = distribution;
  p.service_time = 6 * kUs;
  p.service_spread = 2 * kUs;
  return p;
}

TEST(ServiceTime, FixedAndUniform) {
  ServiceTime fixed(params("fixed"), RngStream(1, "t"));
  ServiceTime uniform(params("uniform"), RngStream(1, "t"));
  double sum = 0;
  for (unsigned i = 0; i < kDraws; ++i) {
    EXPECT_EQ(fixed.draw(), 6 * kUs);
    const Ps time = uniform.draw();
    ASSERT_GE(time, 4 * kUs);
    ASSERT_LE(time, 8 * kUs);
    sum += static_cast<double>(time);
  }
  // Standard deviation 4 us / sqrt(12); six of the mean's.
  EXPECT_NEAR(sum / kDraws, 6.0 * kUs, 6 * 4.0 * kUs / std::sqrt(12.0 * kDraws));
}

TEST(ServiceTime, BucketsHaveTheirSharesBoundsAndMeans) {
  FaultHandlerParams p = params("buckets");
  // Not in order, a gap between them, one without width.
  p.service_buckets = {
      {70, 10 * kUs, 12 * kUs, 20 * kUs}, {25, 1 * kUs, 4 * kUs, 5 * kUs}, {5, 40 * kUs, 40 * kUs, 40 * kUs}};
  ServiceTime time(p, RngStream(1, "t"));
  std::vector<unsigned> count(3);
  std::vector<double> sum(3);
  for (unsigned i = 0; i < kDraws; ++i) {
    const Ps drawn = time.draw();
    unsigned bucket = 0;
    while (bucket < 3 && (drawn < p.service_buckets[bucket].from || drawn > p.service_buckets[bucket].to))
      ++bucket;
    ASSERT_LT(bucket, 3U) << drawn;
    ++count[bucket];
    sum[bucket] += static_cast<double>(drawn);
  }
  for (unsigned i = 0; i < 3; ++i) {
    const TimeBucketParams& bucket = p.service_buckets[i];
    const double share = static_cast<double>(bucket.weight) / 100;
    EXPECT_NEAR(count[i], share * kDraws, 6 * std::sqrt(share * (1 - share) * kDraws));
    // No distribution between two bounds deviates by more than half their distance.
    const double deviation = static_cast<double>(bucket.to - bucket.from) / 2;
    EXPECT_NEAR(sum[i] / count[i], static_cast<double>(bucket.mean), 6 * deviation / std::sqrt(count[i]) + 1);
  }
}

}  // namespace
}  // namespace svasim
