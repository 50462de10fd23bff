// What an invalidate request covers, by the tables of the specification.
#include "models/atc/atc_cache.h"

#include <gtest/gtest.h>

namespace svasim {
namespace {

constexpr Addr kPage = 0x7f0000400000;

AtsSpace plain() { return AtsSpace{}; }
AtsSpace with(unsigned pasid, bool privileged = false) { return AtsSpace{true, privileged, Pasid(pasid)}; }

AtcInvalidation request(AtsRange range, bool has_pasid, unsigned pasid, bool global, bool drops = false) {
  return AtcInvalidation::of(make_invalidate_request_body(range, global), has_pasid, Pasid(pasid), drops);
}

AtcEntry entry(Addr address, unsigned shift, bool write = true, bool global = false) {
  AtcEntry t;
  t.address = address;
  t.page_shift = static_cast<std::uint8_t>(shift);
  t.read = true;
  t.write = write;
  t.global = global;
  return t;
}

// SPEC: [ATS 4.1], the table of PASID prefix and G.
TEST(AtcInvalidation, PasidPrefixAndGlobalBit) {
  const AtsRange range = encode_range(kPage, 12);
  const auto covers = [&](const AtcInvalidation& i, const AtsSpace& s, bool global) {
    return i.covers(s, kPage, 12, global);
  };
  const AtcInvalidation none = request(range, false, 0, false);
  EXPECT_TRUE(covers(none, plain(), false));
  EXPECT_FALSE(covers(none, with(5), false));
  EXPECT_FALSE(covers(none, with(5), true));

  const AtcInvalidation one = request(range, true, 5, false);
  EXPECT_TRUE(covers(one, with(5), false));
  EXPECT_TRUE(covers(one, with(5, true), false)) << "both privileges";
  EXPECT_FALSE(covers(one, with(5), true)) << "global translations stay";
  EXPECT_FALSE(covers(one, with(6), false));
  EXPECT_FALSE(covers(one, plain(), false));

  const AtcInvalidation all = request(range, true, 5, true);
  EXPECT_TRUE(covers(all, with(5), false));
  EXPECT_TRUE(covers(all, with(6), false));
  EXPECT_TRUE(covers(all, with(6), true));
  EXPECT_FALSE(covers(all, plain(), false));
}

TEST(AtcInvalidation, WithoutPasidMayDropTheOthersToo) {
  const AtcInvalidation drops = request(encode_range(0x1000, 12), false, 0, false, true);
  EXPECT_TRUE(drops.covers(with(5), kPage, 12, false)) << "at any address";
  EXPECT_FALSE(drops.covers(plain(), kPage, 12, false)) << "without PASID the range counts";
  // The option says nothing about requests with PASID.
  EXPECT_FALSE(request(encode_range(kPage, 12), true, 5, false, true).covers(with(6), kPage, 12, false));
}

// SPEC: [ATS 3.2, 4.1]: S = 0 is 4 KiB; S = 1 and n ones from bit 12 up make 2^(13 + n) bytes.
TEST(AtcInvalidation, SizeCoding) {
  const std::uint64_t s = 1U << 11;
  struct {
    std::uint64_t body;
    Addr first;
    std::uint64_t size;
  } const cases[] = {
      {0x5000, 0x5000, 0x1000},
      {0x4000 | s, 0x4000, 0x2000},
      {0x9000 | s, 0x8000, 0x4000},                      // bit 12 set, 13 clear
      {0x40000000 | 0xFF000 | s, 0x40000000, 0x200000},  // bits 19:12 set, 20 clear
      {0x80000000 | 0x1FFFF000 | s, 0x80000000, 0x40000000},
  };
  for (const auto& c : cases) {
    const AtcInvalidation i = AtcInvalidation::of(c.body, true, Pasid(5), false);
    EXPECT_FALSE(i.covers(with(5), c.first - 0x1000, 12, false)) << std::hex << c.body;
    EXPECT_TRUE(i.covers(with(5), c.first, 12, false)) << std::hex << c.body;
    EXPECT_TRUE(i.covers(with(5), c.first + c.size - 0x1000, 12, false)) << std::hex << c.body;
    EXPECT_FALSE(i.covers(with(5), c.first + c.size, 12, false)) << std::hex << c.body;
  }
  const AtcInvalidation everything = AtcInvalidation::of(0x7FFFFFFFFFFFF000 | s, true, Pasid(5), false);
  for (const Addr address : {Addr{0}, kPage, Addr{0xFFFFFFFFFFFFF000}}) {
    EXPECT_TRUE(everything.covers(with(5), address, 12, false)) << std::hex << address;
  }
}

TEST(AtcInvalidation, SmallRangeHitsTheLargePageAroundIt) {
  const AtcInvalidation i = request(encode_range(0x40123000, 12), true, 5, false);
  EXPECT_TRUE(i.covers(with(5), 0x40000000, 21, false));
  EXPECT_TRUE(i.covers(with(5), 0x40000000, 30, false));
  EXPECT_FALSE(i.covers(with(5), 0x40200000, 21, false));
}

TEST(InvalidationLog, TellsWhatStartedBefore) {
  InvalidationLog log;
  const std::uint64_t before = log.position();
  log.add(request(encode_range(kPage, 12), true, 5, false), 0);
  const std::uint64_t after = log.position();
  EXPECT_TRUE(log.hit_since(before, with(5), kPage, 12, false));
  EXPECT_FALSE(log.hit_since(before, with(6), kPage, 12, false));
  EXPECT_FALSE(log.hit_since(after, with(5), kPage, 12, false));
}

TEST(InvalidationLog, ForgetsOnTheSafeSide) {
  InvalidationLog log;
  const std::uint64_t before = log.position();
  for (int i = 0; i < 64; ++i) log.add(request(encode_range(0x1000, 12), true, 9, false), 0);
  EXPECT_FALSE(log.hit_since(before, with(5), kPage, 12, false)) << "all 64 are remembered";
  log.add(request(encode_range(0x1000, 12), true, 9, false), 0);
  EXPECT_TRUE(log.hit_since(before, with(5), kPage, 12, false)) << "one is not known any more";
}

class AtcCacheTest : public ::testing::Test {
 protected:
  AtcCache cache_{tlb_params().defaults(), 1, "test"};
};

TEST_F(AtcCacheTest, SpacesAreSeparate) {
  cache_.fill(with(5), kPage, entry(0x1000, 12));
  EXPECT_NE(cache_.find(with(5), kPage + 0xFFF), nullptr);
  EXPECT_EQ(cache_.find(with(6), kPage), nullptr);
  EXPECT_EQ(cache_.find(with(5, true), kPage), nullptr) << "rights are those of one privilege";
  EXPECT_EQ(cache_.find(plain(), kPage), nullptr);
  // PASID 0 is not the absence of a PASID.
  cache_.fill(with(0), kPage, entry(0x2000, 12));
  EXPECT_EQ(cache_.find(plain(), kPage), nullptr);
}

TEST_F(AtcCacheTest, GlobalAnswersForEveryPasid) {
  cache_.fill(with(5), kPage, entry(0x1000, 12, true, true));
  EXPECT_NE(cache_.find(with(6), kPage), nullptr);
  EXPECT_EQ(cache_.find(plain(), kPage), nullptr);
  cache_.invalidate(request(encode_range(kPage, 12), true, 5, false));
  EXPECT_NE(cache_.find(with(6), kPage), nullptr);
  cache_.invalidate(request(encode_range(kPage, 12), true, 9, true));
  EXPECT_EQ(cache_.find(with(5), kPage), nullptr);
}

TEST_F(AtcCacheTest, GlobalWithoutPasidMeansNothing) {
  cache_.fill(plain(), kPage, entry(0x1000, 12, true, true));
  EXPECT_EQ(cache_.find(with(5), kPage), nullptr);
  EXPECT_NE(cache_.find(plain(), kPage), nullptr);
}

TEST_F(AtcCacheTest, InvalidationDropsThePageOnly) {
  cache_.fill(with(5), kPage, entry(0x1000, 12));
  cache_.fill(with(5), kPage + kPageSize, entry(0x2000, 12));
  cache_.fill(with(6), kPage, entry(0x3000, 12));
  EXPECT_EQ(cache_.invalidate(request(encode_range(kPage, 12), true, 5, false)), 1U);
  EXPECT_EQ(cache_.find(with(5), kPage), nullptr);
  EXPECT_NE(cache_.find(with(5), kPage + kPageSize), nullptr);
  EXPECT_NE(cache_.find(with(6), kPage), nullptr);
}

}  // namespace
}  // namespace svasim
