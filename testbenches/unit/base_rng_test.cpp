#include "base/rng.h"

#include <gtest/gtest.h>

#include <cmath>
#include <set>
#include <vector>

namespace svasim {
namespace {

// Published values: Vigna's SplitMix64 from seed 1234567, xoshiro256** from state {1, 2, 3, 4}, FNV-1a's test
// suite.
TEST(Rng, PublishedSequences) {
  std::uint64_t state = 1234567;
  for (const std::uint64_t expected : {6457827717110365317U, 3203168211198807973U, 9817491932198370423U,
                                       4593380528125082431U, 16408922859458223821U}) {
    EXPECT_EQ(split_mix64(state), expected);
  }
  RngStream rng(std::array<std::uint64_t, 4>{1, 2, 3, 4});
  for (const std::uint64_t expected :
       {std::uint64_t{11520}, std::uint64_t{0}, std::uint64_t{1509978240}, std::uint64_t{1215971899390074240},
        std::uint64_t{1216172134540287360}}) {
    EXPECT_EQ(rng.next(), expected);
  }
  EXPECT_EQ(fnv1a(""), 0xCBF29CE484222325U);
  EXPECT_EQ(fnv1a("a"), 0xAF63DC4C8601EC8CU);
  EXPECT_EQ(fnv1a("foobar"), 0x85944171F73967E8U);
}

TEST(Rng, StreamsDependOnSeedAndName) {
  std::set<std::uint64_t> first;
  for (const std::uint64_t seed : {0U, 1U, 2U}) {
    for (const char* name : {"iommu0", "iommu1", "iommu0.iotlb"}) first.insert(RngStream(seed, name).next());
  }
  EXPECT_EQ(first.size(), 9U);
  EXPECT_EQ(RngStream(7, "x").next(), RngStream(7, "x").next());
}

TEST(Rng, BelowIsUniform) {
  RngStream rng(42, "below");
  constexpr std::uint64_t kSides = 6;
  constexpr double kThrows = 600'000;
  std::vector<double> seen(kSides);
  for (int i = 0; i < static_cast<int>(kThrows); ++i) seen.at(rng.below(kSides)) += 1;
  double chi_square = 0;
  for (const double n : seen)
    chi_square += (n - kThrows / kSides) * (n - kThrows / kSides) / (kThrows / kSides);
  EXPECT_LT(chi_square, 20.5);  // 5 degrees of freedom, 99.9 %
}

TEST(Rng, BelowHasNoBiasWhenTheRangeIsHuge) {
  // With a range of 3/4 of 2^64, plain scaling of one word would return even results twice as often
  // in some places: the lower half of the range must be as frequent as its share.
  RngStream rng(1, "huge");
  const std::uint64_t n = 3ULL << 62;
  int low = 0;
  int third = 0;
  for (int i = 0; i < 100'000; ++i) {
    const std::uint64_t value = rng.below(n);
    ASSERT_LT(value, n);
    low += value < n / 2;
    third += value % 3 == 0;
  }
  EXPECT_NEAR(low, 50'000, 4 * 158);
  EXPECT_NEAR(third, 33'333, 4 * 149);
}

TEST(Rng, ChanceAndUniform) {
  RngStream rng(3, "chance");
  int hits = 0;
  for (int i = 0; i < 100'000; ++i) {
    const double u = rng.uniform01();
    ASSERT_GE(u, 0.0);
    ASSERT_LT(u, 1.0);
    hits += rng.chance(0.25);
    ASSERT_FALSE(rng.chance(0.0));
    ASSERT_TRUE(rng.chance(1.0));
  }
  EXPECT_NEAR(hits, 25'000, 4 * std::sqrt(100'000 * 0.25 * 0.75));
}

}  // namespace
}  // namespace svasim
