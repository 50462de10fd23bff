// The operating system's memory management without time: pages, page tables, areas, PASIDs.
#include <gtest/gtest.h>

#include <cstring>
#include <map>
#include <set>

#include "base/check.h"
#include "base/config.h"
#include "models/formats/x86_first_stage.h"
#include "models/host/page_allocator.h"
#include "models/host/page_table.h"
#include "models/host/pasid_allocator.h"
#include "models/host/process_memory.h"
#include "unit/host_memory_support.h"

namespace svasim {
namespace {

TEST(PageAllocator, SaysWhatIsTooSmall) {
  PageAllocator pages(kBase, kPageSize, "host0");
  EXPECT_EQ(pages.needed(pages.allocate(), "a page table"), kBase);
  try {
    pages.needed(pages.allocate(), "a page table");
    FAIL();
  } catch (const ConfigError& error) {
    EXPECT_STREQ(
        error.what(),
        "components.host0.memory_size: too small for a page table: 1 of 1 pages are in use; raise it, and "
        "the size of the memory behind it");
  }
}

TEST(PageAllocator, GivesOutEachPageOnce) {
  PageAllocator pages(kBase, 64 * kPageSize);
  std::set<Addr> given;
  for (int i = 0; i < 64; ++i) {
    const auto page = pages.allocate();
    ASSERT_TRUE(page.has_value());
    EXPECT_EQ(*page % kPageSize, 0U);
    EXPECT_GE(*page, kBase);
    EXPECT_LT(*page, kBase + 64 * kPageSize);
    EXPECT_TRUE(given.insert(*page).second);
  }
  EXPECT_FALSE(pages.allocate().has_value());
  pages.free(kBase + 5 * kPageSize);
  EXPECT_EQ(pages.allocate(), kBase + 5 * kPageSize);
  EXPECT_EQ(pages.used(), 64U);
}

TEST(PageAllocator, ContiguousPagesAreAligned) {
  PageAllocator pages(kBase + kPageSize, 256 * kPageSize);
  const auto a = pages.allocate_contiguous(5);
  ASSERT_TRUE(a.has_value());
  EXPECT_EQ(*a % (8 * kPageSize), 0U);
  // What was skipped for alignment is not lost.
  std::set<Addr> given;
  while (const auto page = pages.allocate()) given.insert(*page);
  EXPECT_EQ(given.size(), 251U);
  for (int i = 0; i < 5; ++i) EXPECT_EQ(given.count(*a + i * kPageSize), 0U);
  EXPECT_FALSE(pages.allocate_contiguous(1).has_value());
}

TEST(PageAllocator, RefusesToFreeTwice) {
  PageAllocator pages(kBase, 16 * kPageSize);
  const Addr page = *pages.allocate();
  pages.free(page);
  EXPECT_THROW(pages.free(page), InternalError);
  EXPECT_THROW(pages.free(kBase + 10 * kPageSize), InternalError);
  EXPECT_THROW(pages.free(0), InternalError);
}

struct Tables {
  FakeMemory memory;
  PageAllocator pages{kBase, 1024 * kPageSize};
  PageTableFormat format = make_x86_first_stage(4, PageFormatOptions{});
  PageTable table{format, memory, pages};

  // A walk as the architecture manual has it: nine bits per level, bit 0 present, bit 7 a large page,
  // bits 51:12 the address. Returns the leaf entry, 0 when not present.
  std::uint64_t walk(Addr va) {
    Addr at = table.root();
    for (int shift = 39; shift >= 12; shift -= 9) {
      const std::uint64_t entry = memory.read64(at + ((va >> shift) & 511U) * 8);
      if ((entry & 1) == 0) return 0;
      if (shift == 12 || (shift < 39 && (entry & 0x80) != 0)) return entry;
      // User access and writes are decided by the leaf.
      EXPECT_EQ(entry & 7, 7U);
      at = entry & 0x000FFFFFFFFFF000U;
    }
    return 0;
  }
};

TEST(PageTable, MapsPagesOfAllSizes) {
  Tables t;
  EXPECT_EQ(t.walk(0x7F1234567000), 0U);
  ASSERT_TRUE(t.table.map(0x7F1234567000, 0x200000, 1, true, true));
  ASSERT_TRUE(t.table.map(0x7F1234568000, 0x201000, 1, false, false));
  ASSERT_TRUE(t.table.map(0x7F1240000000, 0x40000000, 3, true, false));
  ASSERT_TRUE(t.table.map(0x7F1234600000, 0x600000, 2, true, false));
  // P, R/W, U/S, A, D; PS of a large page.
  EXPECT_EQ(t.walk(0x7F1234567000), 0x200000U | 0x67U);
  EXPECT_EQ(t.walk(0x7F1234568000), 0x201000U | 0x25U);
  EXPECT_EQ(t.walk(0x7F1234601000), 0x600000U | 0xA7U);
  EXPECT_EQ(t.walk(0x7F1240001000), 0x40000000U | 0xA7U);
  EXPECT_EQ(t.walk(0x7F1234569000), 0U);
  EXPECT_EQ(t.table.find(0x7F12346ABCDE)->page, 0x600000U);
  EXPECT_EQ(t.table.find(0x7F12346ABCDE)->shift, 21U);
  EXPECT_FALSE(t.table.find(0x7F1234568000)->writable);
}

TEST(PageTable, UnmapReturnsWhatHardwareLeft) {
  Tables t;
  ASSERT_TRUE(t.table.map(0x1000, 0x200000, 1, true, false));
  const auto before = t.table.find(0x1000);
  t.memory.write64(before->entry, before->value | 0x40);  // a device set D
  const auto removed = t.table.unmap(0x1000);
  ASSERT_TRUE(removed.has_value());
  EXPECT_EQ(removed->value & 0x40, 0x40U);
  EXPECT_EQ(removed->page, 0x200000U);
  EXPECT_EQ(t.walk(0x1000), 0U);
  EXPECT_FALSE(t.table.unmap(0x1000).has_value());
}

TEST(PageTable, GivesAllTablesBack) {
  Tables t;
  const std::uint64_t before = t.pages.used() - 1;  // without the top table
  for (Addr va = 0; va < (Addr{1} << 40U); va += Addr{1} << 34U)
    ASSERT_TRUE(t.table.map(va, 0x200000, 1, true, false));
  t.table.release();
  EXPECT_EQ(t.pages.used(), before);
}

TEST(PageTable, NoMemoryForATable) {
  FakeMemory memory;
  PageAllocator pages(kBase, 3 * kPageSize);
  const PageTableFormat format = make_x86_first_stage(4, PageFormatOptions{});
  PageTable table(format, memory, pages);
  EXPECT_FALSE(table.map(0x1000, 0x200000, 1, true, false));
}

TEST(ProcessMemory, FaultBringsInAPageOnce) {
  Space s;
  const Addr start = s.space.map(3 * kPageSize, Vma{});
  EXPECT_EQ(s.space.fault(start + 0x1234, true, false), FaultResult::kMapped);
  EXPECT_EQ(s.space.fault(start + 0x1FFF, true, true), FaultResult::kAlreadyMapped);
  EXPECT_EQ(s.space.resident_pages(), 1U);
  std::uint64_t word = 1;
  s.space.read(start + kPageSize, &word, sizeof word);
  EXPECT_EQ(word, 0U);  // not what the page held before
}

TEST(ProcessMemory, FaultsThatCannotBeHandled) {
  Space s;
  Vma read_only;
  read_only.write = false;
  const Addr start = s.space.map(kPageSize, read_only);
  EXPECT_EQ(s.space.fault(start, false, true), FaultResult::kNoRight);
  EXPECT_EQ(s.space.fault(start - 1, true, false), FaultResult::kNoArea);
  EXPECT_EQ(s.space.fault(start + kPageSize, true, false), FaultResult::kNoArea);
  EXPECT_EQ(s.space.fault(start, true, false), FaultResult::kMapped);
  EXPECT_FALSE(s.space.unmap(start).empty());
  EXPECT_EQ(s.space.fault(start, true, false), FaultResult::kNoArea);
}

TEST(ProcessMemory, OutOfMemoryIsAFaultResult) {
  FakeMemory memory;
  PageAllocator pages(kBase, 5 * kPageSize);
  const PageTableFormat format = make_x86_first_stage(4, PageFormatOptions{});
  ProcessMemory space("p", format, memory, pages);
  const Addr start = space.map(4 * kPageSize, Vma{});
  EXPECT_EQ(space.fault(start, true, true), FaultResult::kMapped);  // top table, three tables, one page
  EXPECT_EQ(space.fault(start + kPageSize, true, true), FaultResult::kNoMemory);
  EXPECT_EQ(pages.used(), 5U);
}

TEST(ProcessMemory, RandomContentIsTheSameResidentOrNot) {
  Space s;
  Vma random;
  random.content = Content::kRandom;
  random.seed = 7;
  const Addr start = s.space.map(2 * kPageSize, random);
  unsigned char before[2 * kPageSize];
  unsigned char after[2 * kPageSize];
  s.space.read(start, before, sizeof before);
  EXPECT_NE(std::memcmp(before, before + kPageSize, kPageSize), 0);
  EXPECT_EQ(s.space.fault(start, true, false), FaultResult::kMapped);
  s.space.read(start, after, sizeof after);
  EXPECT_EQ(std::memcmp(before, after, sizeof before), 0);
}

TEST(ProcessMemory, UnmapReturnsThePagesAndKeepsThemAllocated) {
  Space s;
  const Addr a = s.space.map(4 * kPageSize, Vma{});
  const Addr b = s.space.map(kPageSize, Vma{});
  EXPECT_GE(b, a + 5 * kPageSize);  // a free page between areas
  EXPECT_EQ(s.space.fault(a, true, true), FaultResult::kMapped);
  EXPECT_EQ(s.space.fault(a + 2 * kPageSize, true, true), FaultResult::kMapped);
  const std::uint64_t used = s.pages.used();
  EXPECT_EQ(s.space.unmap(a).pages.size(), 2U);
  EXPECT_EQ(s.pages.used(), used);
  EXPECT_EQ(s.space.map(4 * kPageSize, Vma{}, a), a);
  EXPECT_THROW(s.space.map(kPageSize, Vma{}, a + kPageSize), InternalError);
}

TEST(ProcessMemory, ReleaseGivesEverythingBack) {
  Space s;
  const Addr a = s.space.map(64 * kPageSize, Vma{});
  for (Addr va = a; va < a + 64 * kPageSize; va += kPageSize)
    EXPECT_EQ(s.space.fault(va, true, true), FaultResult::kMapped);
  s.space.release();
  EXPECT_EQ(s.pages.used(), 0U);
}

TEST(PasidAllocator, FirstFreeFromOne) {
  PasidAllocator pasids;
  EXPECT_EQ(pasids.allocate(1, 15), Pasid(1));
  EXPECT_EQ(pasids.allocate(1, 15), Pasid(2));
  EXPECT_EQ(pasids.allocate(1, 15), Pasid(3));
  pasids.free(Pasid(2));
  EXPECT_EQ(pasids.allocate(1, 15), Pasid(2));
  EXPECT_EQ(pasids.allocate(1, 15), Pasid(4));
  EXPECT_THROW(pasids.free(Pasid(9)), InternalError);
  EXPECT_THROW(pasids.free(Pasid(0)), InternalError);
}

TEST(PasidAllocator, Exhaustion) {
  PasidAllocator pasids;
  for (std::uint32_t i = 1; i < 8; ++i) EXPECT_EQ(pasids.allocate(1, 7), Pasid(i));
  EXPECT_FALSE(pasids.allocate(1, 7).has_value());
  EXPECT_EQ(pasids.allocate(1, 8), Pasid(8));  // another device may have more
}

TEST(PasidAllocator, NeverMoreThanTwentyBits) {
  PasidAllocator pasids;
  std::uint32_t last = 0;
  while (const auto pasid = pasids.allocate(1, ~0U)) last = pasid->value();
  EXPECT_EQ(last, 0xFFFFFU);
}

}  // namespace
}  // namespace svasim
