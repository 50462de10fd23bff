// Changes of address spaces, without time: rights, moves, fork, reclaim, huge pages, nodes.
#include <gtest/gtest.h>

#include <vector>

#include "base/check.h"
#include "unit/host_memory_support.h"

namespace svasim {
namespace {

constexpr std::uint64_t kPage = kPageSize;

std::uint64_t word_at(const ProcessMemory& space, Addr address) {
  std::uint64_t word = 0;
  space.read(address, &word, sizeof word);
  return word;
}

void store(ProcessMemory& space, Addr address, std::uint64_t word) {
  ASSERT_TRUE(is_handled(space.fault(address, false, true)));
  space.write(address, &word, sizeof word);
}

TEST(HostAreas, UnmapOfAPartLeavesTheRest) {
  Space s;
  const Addr a = s.space.map(8 * kPage, Vma{});
  for (Addr va = a; va < a + 8 * kPage; va += kPage) store(s.space, va, va);
  const Stale stale = s.space.unmap(a + 2 * kPage, a + 5 * kPage);
  EXPECT_EQ(stale.pages.size(), 3U);
  ASSERT_EQ(stale.spans.size(), 1U);
  EXPECT_EQ(stale.spans[0].start, a + 2 * kPage);
  EXPECT_EQ(stale.spans[0].end, a + 5 * kPage);
  EXPECT_EQ(s.space.find_area(a + 2 * kPage), nullptr);
  EXPECT_EQ(s.space.find_area(a + 4 * kPage), nullptr);
  EXPECT_EQ(word_at(s.space, a + kPage), a + kPage);
  EXPECT_EQ(word_at(s.space, a + 5 * kPage), a + 5 * kPage);
  EXPECT_EQ(s.space.resident_pages(), 5U);
}

TEST(HostAreas, RandomContentGoesOnBehindAHole) {
  Space s;
  Vma random;
  random.content = Content::kRandom;
  random.seed = 3;
  const Addr a = s.space.map(4 * kPage, random);
  const std::uint64_t before = word_at(s.space, a + 3 * kPage);
  static_cast<void>(s.space.unmap(a + kPage, a + 2 * kPage));
  EXPECT_EQ(word_at(s.space, a + 3 * kPage), before);
}

// SPEC: [LINUX mm/mprotect.c]: who loses a right is told, who gains one is not.
TEST(HostAreas, ProtectTellsOnlyOfRightsThatAreLost) {
  Space s;
  const Addr a = s.space.map(4 * kPage, Vma{});
  store(s.space, a, 1);
  store(s.space, a + kPage, 2);
  const Stale lost = s.space.protect(a + kPage, a + 4 * kPage, true, false);
  ASSERT_EQ(lost.spans.size(), 1U);
  EXPECT_TRUE(lost.pages.empty());
  EXPECT_EQ(s.space.fault(a + kPage, false, true), FaultResult::kNoRight);
  EXPECT_EQ(s.space.fault(a + kPage, true, false), FaultResult::kAlreadyMapped);
  EXPECT_TRUE(s.space.is_accessible(a, true));
  EXPECT_FALSE(s.space.is_accessible(a + kPage, true));
  // Nothing more is lost the second time.
  EXPECT_TRUE(s.space.protect(a + kPage, a + 4 * kPage, true, false).empty());
  EXPECT_TRUE(s.space.protect(a + kPage, a + 4 * kPage, true, true).empty());
  EXPECT_EQ(s.space.fault(a + kPage, false, true), FaultResult::kAlreadyMapped);
  EXPECT_TRUE(s.space.is_accessible(a + kPage, true));
  EXPECT_EQ(word_at(s.space, a + kPage), 2U);
}

TEST(HostAreas, PagesOfAnAreaWithoutRightsAreKept) {
  Space s;
  const Addr a = s.space.map(2 * kPage, Vma{});
  store(s.space, a, 77);
  EXPECT_FALSE(s.space.protect(a, a + 2 * kPage, false, false).empty());
  EXPECT_FALSE(s.space.is_resident(a));
  EXPECT_EQ(s.space.fault(a, true, false), FaultResult::kNoRight);
  EXPECT_EQ(word_at(s.space, a), 77U);
  static_cast<void>(s.space.protect(a, a + 2 * kPage, true, true));
  EXPECT_FALSE(s.space.is_major(a));
  EXPECT_EQ(s.space.fault(a, true, true), FaultResult::kMapped);
  EXPECT_EQ(word_at(s.space, a), 77U);
  s.space.release();
  EXPECT_EQ(s.pages.used(), 0U);
}

TEST(HostAreas, MoveTakesPagesAlong) {
  Space s;
  Vma random;
  random.content = Content::kRandom;
  random.seed = 9;
  const Addr a = s.space.map(4 * kPage, random);
  const std::uint64_t untouched = word_at(s.space, a + 3 * kPage);
  store(s.space, a + kPage, 5);
  const Addr page = s.space.translate(a + kPage);
  Stale stale;
  const Addr target = s.space.move(a, a + 4 * kPage, stale).value();
  EXPECT_TRUE(stale.pages.empty());
  ASSERT_EQ(stale.spans.size(), 1U);
  EXPECT_EQ(stale.spans[0].start, a);
  EXPECT_NE(target, a);
  EXPECT_EQ(s.space.find_area(a), nullptr);
  EXPECT_EQ(s.space.translate(target + kPage), page);
  EXPECT_TRUE(s.space.is_accessible(target + kPage, true));
  EXPECT_EQ(word_at(s.space, target + 3 * kPage), untouched);
}

struct Family : Space {
  ProcessMemory child{"c", format, memory, pages};
};

// SPEC: [LINUX mm/memory.c copy_page_range, do_wp_page]
TEST(HostFork, BothKeepTheirBytesAndTheLastUserItsPage) {
  Family f;
  const Addr a = f.space.map(3 * kPage, Vma{});
  store(f.space, a, 1);
  store(f.space, a + kPage, 2);
  const std::uint64_t used = f.pages.used();
  Stale stale;
  ASSERT_TRUE(f.space.fork_into(f.child, stale));
  EXPECT_FALSE(stale.empty());
  EXPECT_TRUE(stale.pages.empty());
  EXPECT_EQ(f.pages.used(), used + 3);  // the child's tables, no page
  EXPECT_FALSE(f.space.is_accessible(a, true));
  EXPECT_FALSE(f.child.is_accessible(a, true));
  Stale copy;
  const Addr shared = f.space.translate(a);
  EXPECT_EQ(f.space.fault(a, false, true, &copy), FaultResult::kCopied);
  ASSERT_EQ(copy.spans.size(), 1U);
  EXPECT_EQ(copy.pages, std::vector<Addr>{shared});
  f.pages.free(shared);
  const std::uint64_t word = 11;
  f.space.write(a, &word, sizeof word);
  EXPECT_EQ(word_at(f.child, a), 1U);
  EXPECT_EQ(word_at(f.space, a), 11U);
  // Alone now: no copy.
  EXPECT_EQ(f.child.fault(a, false, true), FaultResult::kAlreadyMapped);
  EXPECT_EQ(f.child.translate(a), shared);
  f.space.release();
  EXPECT_EQ(word_at(f.child, a + kPage), 2U);
  f.child.release();
  EXPECT_EQ(f.pages.used(), 0U);
}

TEST(HostFork, AreasThatAreNotInheritedAreNotThere) {
  Family f;
  Vma own;
  own.inherited = false;
  const Addr a = f.space.map(kPage, own);
  store(f.space, a, 1);
  Stale stale;
  ASSERT_TRUE(f.space.fork_into(f.child, stale));
  EXPECT_TRUE(stale.empty());
  EXPECT_EQ(f.child.fault(a, true, false), FaultResult::kNoArea);
  EXPECT_TRUE(f.space.is_accessible(a, true));
}

TEST(HostFork, TheChildReadsWhatWasWrittenOut) {
  Family f;
  const Addr a = f.space.map(kPage, Vma{});
  store(f.space, a, 42);
  EXPECT_EQ(f.space.page_out(f.space.reclaim(a, a + kPage)), 1U);
  Stale stale;
  ASSERT_TRUE(f.space.fork_into(f.child, stale));
  EXPECT_TRUE(f.child.is_major(a));
  EXPECT_EQ(f.child.fault(a, true, false), FaultResult::kMapped);
  EXPECT_EQ(word_at(f.child, a), 42U);
}

TEST(HostReclaim, PagesGoOutWithTheirBytesAndComeBack) {
  Space s;
  const Addr a = s.space.map(3 * kPage, Vma{});
  store(s.space, a, 7);
  store(s.space, a + kPage, 8);
  const Stale stale = s.space.reclaim(a, a + 3 * kPage);
  EXPECT_EQ(stale.spans.size(), 1U);
  EXPECT_TRUE(stale.pages.empty());  // freed by page_out
  // A device that still had the translation writes; that is not lost.
  EXPECT_EQ(s.space.fault(a, true, false), FaultResult::kMapped);  // and one page is wanted back at once
  EXPECT_EQ(s.space.page_out(stale), 1U);
  EXPECT_EQ(s.space.swapped_pages(), 1U);
  EXPECT_FALSE(s.space.is_major(a));
  EXPECT_TRUE(s.space.is_major(a + kPage));
  EXPECT_FALSE(s.space.is_major(a + 2 * kPage));
  EXPECT_EQ(word_at(s.space, a + kPage), 8U);
  EXPECT_EQ(s.space.fault(a + kPage, true, false), FaultResult::kMapped);
  EXPECT_EQ(word_at(s.space, a + kPage), 8U);
  EXPECT_EQ(s.space.swapped_pages(), 0U);
}

TEST(HostReclaim, DiscardedPagesBeginAnew) {
  Space s;
  const Addr a = s.space.map(2 * kPage, Vma{});
  store(s.space, a, 7);
  EXPECT_EQ(s.space.discard(a, a + 2 * kPage).pages.size(), 1U);
  EXPECT_NE(s.space.find_area(a), nullptr);
  EXPECT_EQ(word_at(s.space, a), 0U);
}

// What a reclaim has parked, a munmap does not free before devices have been told again, and a change of
// rights parks is not the reclaim's: its own invalidation does not cover it.
TEST(HostReclaim, PagesAreFreeOnlyWhenTheirOwnInvalidationIsDone) {
  Space s;
  const Addr a = s.space.map(2 * kPage, Vma{});
  store(s.space, a, 7);
  store(s.space, a + kPage, 8);
  const Addr first = s.space.translate(a);
  const Addr second = s.space.translate(a + kPage);
  const Stale out = s.space.reclaim(a, a + 2 * kPage);
  const Stale unmapped = s.space.unmap(a, a + kPage);
  EXPECT_EQ(unmapped.pages, std::vector<Addr>{first});
  EXPECT_EQ(unmapped.spans.size(), 1U);
  EXPECT_EQ(s.pages.users(first), 1U);
  // Wanted back, then taken away again while the reclaim is under way.
  EXPECT_EQ(s.space.fault(a + kPage, true, true), FaultResult::kMapped);
  const Stale hidden = s.space.protect(a + kPage, a + 2 * kPage, false, false);
  EXPECT_FALSE(hidden.empty());
  EXPECT_EQ(s.space.page_out(out), 0U);
  EXPECT_EQ(s.pages.users(second), 1U);
  static_cast<void>(s.space.protect(a + kPage, a + 2 * kPage, true, true));
  EXPECT_EQ(s.space.fault(a + kPage, true, true), FaultResult::kMapped);
  const Stale again = s.space.reclaim(a, a + 2 * kPage);
  EXPECT_EQ(s.space.page_out(out), 0U);
  EXPECT_EQ(s.space.page_out(again), 1U);
  EXPECT_EQ(word_at(s.space, a + kPage), 8U);
}

// SPEC: [LINUX mm/vma.c vma_merge]
TEST(HostAreas, NeighboursThatAreAlikeBecomeOne) {
  Space s;
  Vma random;
  random.content = Content::kRandom;
  random.seed = 5;
  const Addr a = s.space.map(8 * kPage, random);
  const std::uint64_t last = word_at(s.space, a + 7 * kPage);
  static_cast<void>(s.space.protect(a + 2 * kPage, a + 4 * kPage, true, false));
  static_cast<void>(s.space.protect(a + 4 * kPage, a + 6 * kPage, true, false));
  EXPECT_EQ(s.space.find_area(a)->end, a + 2 * kPage);
  EXPECT_EQ(s.space.find_area(a + 2 * kPage)->end, a + 6 * kPage);
  static_cast<void>(s.space.protect(a + 3 * kPage, a + 5 * kPage, true, true));
  EXPECT_EQ(s.space.find_area(a + 3 * kPage)->end, a + 5 * kPage);
  static_cast<void>(s.space.protect(a, a + 8 * kPage, true, true));
  EXPECT_EQ(s.space.find_area(a)->end, a + 8 * kPage);
  EXPECT_EQ(word_at(s.space, a + 7 * kPage), last);
  // Advice to a part is no area of its own.
  static_cast<void>(s.space.discard(a + kPage, a + 2 * kPage));
  static_cast<void>(s.space.reclaim(a + 3 * kPage, a + 4 * kPage));
  EXPECT_EQ(s.space.find_area(a + 3 * kPage)->start, a);
  // Two mappings that happen to touch are not one: their first contents differ.
  Vma other = random;
  other.seed = 6;
  s.space.map(kPage, other, a + 8 * kPage);
  static_cast<void>(s.space.protect(a, a + 9 * kPage, true, true));
  EXPECT_EQ(s.space.find_area(a)->end, a + 8 * kPage);
}

// What is not there costs nothing, however much it is.
TEST(HostAreas, TebibytesWithAPage) {
  Space s;
  constexpr std::uint64_t kSize = std::uint64_t{1} << 40U;
  const Addr a = s.space.map(kSize, Vma{});
  store(s.space, a + kSize / 2, 3);
  EXPECT_EQ(s.space.next_resident(a, a + kSize), a + kSize / 2);
  EXPECT_EQ(s.space.next_resident(a + kSize / 2 + kPage, a + kSize), a + kSize);
  EXPECT_FALSE(s.space.protect(a, a + kSize, true, false).empty());
  EXPECT_EQ(s.space.page_out(s.space.reclaim(a, a + kSize)), 1U);
  EXPECT_EQ(s.space.fault(a + kSize / 2, true, false), FaultResult::kMapped);
  EXPECT_EQ(s.space.unmap(a, a + kSize).pages.size(), 1U);
}

TEST(HostReclaim, FilesAreMajorAtFirst) {
  Space s;
  Vma file;
  file.kind = AreaKind::kFile;
  const Addr a = s.space.map(kPage, file);
  EXPECT_TRUE(s.space.is_major(a));
  EXPECT_EQ(s.space.fault(a, true, false), FaultResult::kMapped);
  EXPECT_FALSE(s.space.is_major(a));
}

struct Huge {
  FakeMemory memory;
  PageAllocator pages{0x200000, 2048 * kPage};
  PageTableFormat format = make_x86_first_stage(4, PageFormatOptions{});
  ProcessMemory space{"p", format, memory, pages};
  Vma area = [] {
    Vma vma;
    vma.huge = true;
    return vma;
  }();
};

TEST(HostHuge, OneFaultForTwoMebibytes) {
  Huge h;
  const Addr a = h.space.map(2 * ProcessMemory::kHugeSize, h.area);
  EXPECT_EQ(a % ProcessMemory::kHugeSize, 0U);
  EXPECT_EQ(h.space.fault(a + 5 * kPage, true, true), FaultResult::kMapped);
  EXPECT_EQ(h.space.resident_pages(), 512U);
  EXPECT_EQ(h.space.translate(a) % ProcessMemory::kHugeSize, 0U);
  EXPECT_EQ(h.space.translate(a + 511 * kPage), h.space.translate(a) + 511 * kPage);
  EXPECT_FALSE(h.space.is_resident(a + 512 * kPage));
}

TEST(HostHuge, AreasWithoutRoomGetSmallPages) {
  Huge h;
  const Addr a = h.space.map(ProcessMemory::kHugeSize - kPage, h.area);
  EXPECT_EQ(h.space.fault(a, true, true), FaultResult::kMapped);
  EXPECT_EQ(h.space.resident_pages(), 1U);
}

TEST(HostHuge, WithoutContiguousMemoryPagesAreSmall) {
  Huge h;
  while (h.pages.allocate_contiguous(512).has_value()) {
  }
  const Addr a = h.space.map(ProcessMemory::kHugeSize, h.area);
  EXPECT_EQ(h.space.fault(a, true, true), FaultResult::kMapped);
  EXPECT_EQ(h.space.resident_pages(), 1U);
}

TEST(HostHuge, APartIsUnmappedPageByPage) {
  Huge h;
  const Addr a = h.space.map(ProcessMemory::kHugeSize, h.area);
  ASSERT_TRUE(is_handled(h.space.fault(a, true, true)));
  const std::uint64_t word = 6;
  h.space.write(a + 200 * kPage, &word, sizeof word);
  const Addr page = h.space.translate(a + 200 * kPage);
  EXPECT_EQ(h.space.unmap(a + 16 * kPage, a + 32 * kPage).pages.size(), 16U);
  EXPECT_EQ(h.space.resident_pages(), 496U);
  EXPECT_EQ(h.space.translate(a + 200 * kPage), page);
  EXPECT_EQ(word_at(h.space, a + 200 * kPage), 6U);
  EXPECT_TRUE(h.space.is_accessible(a, true));
}

// SPEC: [LINUX mm/pgtable-generic.c]: the table to split a huge page with is there before it is needed.
TEST(HostHuge, IsSplitWithoutMemory) {
  Huge h;
  const Addr a = h.space.map(2 << 20U, h.area);
  ASSERT_EQ(h.space.fault(a, true, true), FaultResult::kMapped);
  while (h.pages.allocate().has_value()) {
  }
  const Stale stale = h.space.unmap(a + 16 * kPage, a + 32 * kPage);
  EXPECT_EQ(stale.pages.size(), 16U);
  EXPECT_TRUE(h.space.is_accessible(a, true));
  EXPECT_FALSE(h.space.is_resident(a + 16 * kPage));
  // Elsewhere tables would be needed.
  Stale none;
  EXPECT_FALSE(h.space.move(a, a + 16 * kPage, none).has_value());
  EXPECT_TRUE(none.empty());
  EXPECT_TRUE(h.space.is_accessible(a, true));
  const std::uint64_t used = h.pages.used();
  for (const Addr page : stale.pages) h.pages.free(page);
  EXPECT_TRUE(h.space.move(a, a + 16 * kPage, none).has_value());
  EXPECT_LE(h.pages.used(), used);
}

TEST(HostHuge, FreedPagesMakeARunAgain) {
  PageAllocator pages(0x200000, 512 * kPage);
  std::vector<Addr> all;
  while (const auto page = pages.allocate()) all.push_back(*page);
  EXPECT_FALSE(pages.allocate_contiguous(8).has_value());
  for (int i = 8; i < 16; ++i) pages.free(all[i]);
  EXPECT_EQ(pages.allocate_contiguous(8), all[8]);
  EXPECT_FALSE(pages.allocate().has_value());
}

TEST(HostNodes, PagesComeFromTheirNodeWhileItHasAny) {
  PageAllocator pages(0x200000, 4 * kPage);
  pages.add_node(0x1000000, 2 * kPage);
  EXPECT_EQ(pages.node_of(*pages.allocate(1)), 1U);
  EXPECT_EQ(pages.node_of(*pages.allocate(1)), 1U);
  EXPECT_EQ(pages.elsewhere(), 0U);
  EXPECT_EQ(pages.node_of(*pages.allocate(1)), 0U);
  EXPECT_EQ(pages.elsewhere(), 1U);
  EXPECT_THROW(static_cast<void>(pages.allocate(2)), InternalError);
}

TEST(HostNodes, SharedPagesAreFreeAfterTheLastUser) {
  PageAllocator pages(0x200000, kPage);
  const Addr page = *pages.allocate();
  pages.share(page);
  pages.free(page);
  EXPECT_FALSE(pages.allocate().has_value());
  pages.free(page);
  EXPECT_EQ(pages.allocate(), page);
}

TEST(HostDeviceMemory, IsMappedButNeitherAllocatedNorFreed) {
  Space s;
  Vma window;
  window.kind = AreaKind::kDevice;
  window.physical = 0x4000000000;
  const Addr a = s.space.map(4 * kPage, window);
  const std::uint64_t used = s.pages.used();
  EXPECT_EQ(s.space.fault(a + 2 * kPage, true, true), FaultResult::kMapped);
  EXPECT_EQ(s.space.translate(a + 2 * kPage + 8), 0x4000002008U);
  EXPECT_EQ(s.pages.used(), used + 3);  // tables
  const Stale stale = s.space.unmap(a + kPage, a + 4 * kPage);
  EXPECT_TRUE(stale.pages.empty());
  EXPECT_FALSE(stale.empty());
}

}  // namespace
}  // namespace svasim
