// Domains with a second stage of their own: what their tables say, walked by hand.
#include <gtest/gtest.h>

#include "models/formats/vtd_second_stage.h"
#include "models/host/io_domain.h"
#include "unit/host_memory_support.h"

namespace svasim {
namespace {

constexpr std::uint64_t kHuge = 2 << 20U;

struct Domain : testing::Test {
  FakeMemory memory;
  PageAllocator pages{kBase, 1024 * kPageSize};
  PageTableFormat format = make_vtd_second_stage(4, PageFormatOptions{});
  IoDomain domain{DomainId(7), format, memory, pages};

  struct Found {
    Addr at = 0;
    unsigned level = 0;
    std::uint64_t rights = 0;
  };
  // SPEC: [VTD 3.7, 9.9] bits 0 and 1 are R and W, bit 7 of levels 2 and 3 makes a page.
  Found walk(Addr iova) {
    Addr table = domain.translation().second;
    std::uint64_t rights = 3;
    for (unsigned level = 4; level >= 1; --level) {
      const unsigned shift = 12 + 9 * (level - 1);
      const std::uint64_t entry = memory.read64(table + ((iova >> shift) & 511U) * 8);
      rights &= entry;
      if (rights == 0) return {};
      const Addr address = entry & 0x000F'FFFF'FFFF'F000;
      if (level == 1 || (entry & 0x80U) != 0) {
        return {address | (iova & ((std::uint64_t{1} << shift) - 1)), level, rights};
      }
      table = address;
    }
    return {};
  }
};

TEST_F(Domain, MapsWithTheRightsAskedFor) {
  EXPECT_EQ(domain.map(0x5000, 0x40003000, 2 * kPageSize, true), Errno::kNone);
  EXPECT_EQ(domain.map(0x9000, 0x40009000, kPageSize, false), Errno::kNone);
  EXPECT_EQ(walk(0x5010).at, 0x40003010U);
  EXPECT_EQ(walk(0x6FFF).at, 0x40004FFFU);
  EXPECT_EQ(walk(0x6FFF).rights, 3U);
  EXPECT_EQ(walk(0x9000).rights, 1U);
  EXPECT_EQ(walk(0x7000).level, 0U);
  EXPECT_EQ(domain.mapped_bytes(), 3 * kPageSize);
}

TEST_F(Domain, UsesLargePagesWhereBothAddressesAreAligned) {
  EXPECT_EQ(domain.map(kHuge - kPageSize, 0x40000000 + kHuge - kPageSize, 2 * kHuge, true), Errno::kNone);
  EXPECT_EQ(walk(kHuge - 1).level, 1U);
  EXPECT_EQ(walk(kHuge).level, 2U);
  EXPECT_EQ(walk(kHuge + 0x12345).at, 0x40000000 + kHuge + 0x12345);
  EXPECT_EQ(walk(2 * kHuge).level, 1U);
  EXPECT_EQ(domain.map(8 * kHuge, 0x40001000, kHuge, true), Errno::kNone);
  EXPECT_EQ(walk(8 * kHuge).level, 1U);
}

TEST_F(Domain, RefusesWhatIsMappedAlreadyAndLeavesNothingBehind) {
  ASSERT_EQ(domain.map(0x8000, 0x40000000, kPageSize, true), Errno::kNone);
  EXPECT_EQ(domain.map(0x6000, 0x50000000, 4 * kPageSize, true), Errno::kExists);
  EXPECT_EQ(walk(0x6000).level, 0U);
  EXPECT_EQ(walk(0x7000).level, 0U);
  EXPECT_EQ(walk(0x8000).at, 0x40000000U);
  EXPECT_EQ(domain.mapped_bytes(), kPageSize);
}

TEST_F(Domain, RefusesAddressesBeyondItsWidth) {
  EXPECT_EQ(domain.map(Addr{1} << 48U, 0x40000000, kPageSize, true), Errno::kRange);
  EXPECT_EQ(domain.map((Addr{1} << 48U) - kPageSize, 0x40000000, 2 * kPageSize, true), Errno::kRange);
  EXPECT_EQ(domain.map((Addr{1} << 48U) - kPageSize, 0x40000000, kPageSize, true), Errno::kNone);
}

TEST_F(Domain, UnmappingPartOfALargePageSplitsIt) {
  ASSERT_EQ(domain.map(0, 0x40000000, kHuge, true), Errno::kNone);
  IoDomain::Removed removed;
  ASSERT_TRUE(domain.unmap(0x3000, 2 * kPageSize, removed));
  EXPECT_EQ(removed.pages, (std::vector<Addr>{0x40003000, 0x40004000}));
  EXPECT_EQ(removed.span.start, 0x3000U);
  EXPECT_EQ(removed.span.end, 0x5000U);
  EXPECT_EQ(walk(0x2FFF).at, 0x40002FFFU);
  EXPECT_EQ(walk(0x2FFF).rights, 3U);
  EXPECT_EQ(walk(0x3000).level, 0U);
  EXPECT_EQ(walk(0x4FFF).level, 0U);
  EXPECT_EQ(walk(0x5000).at, 0x40005000U);
  EXPECT_EQ(domain.mapped_bytes(), kHuge - 2 * kPageSize);
}

TEST_F(Domain, GivesItsTablesBack) {
  ASSERT_EQ(domain.map(0x5000, 0x40003000, kPageSize, true), Errno::kNone);
  IoDomain::Removed removed;
  ASSERT_TRUE(domain.unmap(0x5000, kPageSize, removed));
  domain.release();
  EXPECT_EQ(pages.used(), 0U);
}

TEST_F(Domain, ItsEntryNamesItsTablesAndItsWidth) {
  const IoTranslation translation = domain.translation();
  EXPECT_EQ(translation.kind, PasidGranularTranslation::kSecondStage);
  EXPECT_EQ(translation.domain, DomainId(7));
  EXPECT_EQ(translation.second_levels, 4U);
}

}  // namespace
}  // namespace svasim
