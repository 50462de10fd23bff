// The parts of a replay: ranges, late unmaps, windows, tables.
#include <gtest/gtest.h>

#include <map>
#include <vector>

#include "models/formats/vtd_registers.h"
#include "models/formats/vtd_second_stage.h"
#include "models/traffic/replay_ranges.h"
#include "models/traffic/replay_tables.h"
#include "models/traffic/replay_windows.h"

namespace svasim {
namespace {

using Piece = std::pair<Addr, Addr>;

TEST(RangeMap, NewRangesDisplaceWhatTheyOverlap) {
  RangeMap<int> map;
  map.assign(0x1000, 0x8FFF, 1);
  map.assign(0x3000, 0x3FFF, 2);
  EXPECT_EQ(map.size(), 3u);
  EXPECT_EQ(map.find(0x2FFF)->value, 1);
  EXPECT_EQ(map.find(0x3000)->value, 2);
  EXPECT_EQ(map.find(0x4000)->value, 1);
  EXPECT_EQ(map.find(0x0FFF), nullptr);
  EXPECT_EQ(map.find(0x9000), nullptr);
  std::vector<Piece> gone;
  map.erase(0x2000, 0x4FFF, [&](Addr first, Addr last, int) { gone.emplace_back(first, last); });
  EXPECT_EQ(gone, (std::vector<Piece>{{0x2000, 0x2FFF}, {0x3000, 0x3FFF}, {0x4000, 0x4FFF}}));
  EXPECT_EQ(map.find(0x3800), nullptr);
  EXPECT_EQ(map.find(0x1FFF)->last, 0x1FFFu);
  EXPECT_EQ(map.find(0x5000)->last, 0x8FFFu);
}

TEST(RangeMap, UpToTheLastAddress) {
  RangeMap<int> map;
  map.assign(~Addr{0} - 0xFFF, ~Addr{0}, 1);
  EXPECT_EQ(map.find(~Addr{0})->value, 1);
  map.erase(0, ~Addr{0});
  EXPECT_EQ(map.size(), 0u);
}

std::vector<Piece> apply(LateUnmaps& late, Addr first, Addr last, bool& was_late) {
  std::vector<Piece> now;
  was_late = late.apply(DomainId(8), first, last, [&](Addr from, Addr to) { now.emplace_back(from, to); });
  return now;
}

TEST(LateUnmaps, OnlyTheExpectedPartIsLate) {
  LateUnmaps late;
  bool was_late = false;
  late.expect(DomainId(8), 0x3000, 0x3FFF);
  late.expect(DomainId(9), 0x0000, 0xFFFF);
  EXPECT_EQ(apply(late, 0x1000, 0x5FFF, was_late), (std::vector<Piece>{{0x1000, 0x2FFF}, {0x4000, 0x5FFF}}));
  EXPECT_TRUE(was_late);
  EXPECT_EQ(apply(late, 0x1000, 0x5FFF, was_late), (std::vector<Piece>{{0x1000, 0x5FFF}}))
      << "late only once";
  EXPECT_FALSE(was_late);
  late.expect(DomainId(8), 0x3000, 0x3FFF);
  EXPECT_TRUE(apply(late, 0x3000, 0x3FFF, was_late).empty());
  EXPECT_TRUE(was_late);
}

// --- Windows. SPEC: [VTD 6.5.2], the table of what each descriptor removes.

UnmapWindows::Stale stale(TableStage stage, Addr iova, std::uint8_t shift = 12) {
  return {{iova, 0x100000, shift, 0}, true, true, stage};
}

InvalidationDescriptor iotlb(IotlbGranularity granularity, unsigned domain, Addr address = 0,
                             unsigned order = 0) {
  InvalidationDescriptor d = make_invalidation(InvalidationType::kIotlb);
  IotlbDescriptor::G::set(d, static_cast<std::uint64_t>(granularity));
  IotlbDescriptor::DID::set(d, domain);
  IotlbDescriptor::ADDR::set_in_place(d, address);
  IotlbDescriptor::AM::set(d, order);
  return d;
}

InvalidationDescriptor pasid_iotlb(PasidIotlbGranularity granularity, unsigned domain, Addr address = 0,
                                   unsigned order = 0) {
  InvalidationDescriptor d = make_invalidation(InvalidationType::kPasidIotlb);
  PasidIotlbDescriptor::G::set(d, static_cast<std::uint64_t>(granularity));
  PasidIotlbDescriptor::DID::set(d, domain);
  PasidIotlbDescriptor::ADDR::set_in_place(d, address);
  PasidIotlbDescriptor::AM::set(d, order);
  return d;
}

class Windows : public testing::Test {
 protected:
  void SetUp() override {
    windows.open(DomainId(1), stale(TableStage::kFirst, 0x4000));
    windows.open(DomainId(1), stale(TableStage::kFirst, 0x9000));
    windows.open(DomainId(2), stale(TableStage::kSecond, 0x4000));
    windows.open(DomainId(2), stale(TableStage::kSecond, 0x200000, 21));
  }
  std::size_t left(const InvalidationDescriptor& descriptor) {
    windows.close(descriptor);
    return windows.size();
  }
  UnmapWindows windows;
};

TEST_F(Windows, Find) {
  std::vector<UnmapWindows::Stale> found;
  windows.find(DomainId(2), 0x3ABCDE, found);
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].leaf.iova, 0x200000u);
  windows.find(DomainId(1), 0x3ABCDE, found);
  EXPECT_TRUE(found.empty());
  EXPECT_TRUE(windows.contains(DomainId(1), {0x9000, 0x100000, 12, 0}));
  EXPECT_FALSE(windows.contains(DomainId(1), {0x9000, 0x101000, 12, 0}));
}

TEST_F(Windows, Global) { EXPECT_EQ(left(iotlb(IotlbGranularity::kGlobal, 0)), 0u); }
TEST_F(Windows, Domain) { EXPECT_EQ(left(iotlb(IotlbGranularity::kDomain, 1)), 2u); }
TEST_F(Windows, PageOfSecondStage) { EXPECT_EQ(left(iotlb(IotlbGranularity::kPage, 2, 0x4000)), 3u); }
TEST_F(Windows, PageElsewhere) { EXPECT_EQ(left(iotlb(IotlbGranularity::kPage, 2, 0x5000)), 4u); }
TEST_F(Windows, PageInsideALargePage) { EXPECT_EQ(left(iotlb(IotlbGranularity::kPage, 2, 0x2FF000)), 3u); }
TEST_F(Windows, RangeIgnoresLowAddressBits) {
  EXPECT_EQ(left(iotlb(IotlbGranularity::kPage, 2, 0x7000, 2)), 3u) << "0x4000 to 0x7fff";
}
TEST_F(Windows, PageOfFirstStageRemovesTheDomain) {
  EXPECT_EQ(left(iotlb(IotlbGranularity::kPage, 1, 0x77000)), 2u);
}
TEST_F(Windows, PasidOfADomain) { EXPECT_EQ(left(pasid_iotlb(PasidIotlbGranularity::kPasid, 1)), 2u); }
TEST_F(Windows, PasidPage) { EXPECT_EQ(left(pasid_iotlb(PasidIotlbGranularity::kPage, 1, 0x9000)), 3u); }
TEST_F(Windows, PasidPageLeavesSecondStage) {
  EXPECT_EQ(left(pasid_iotlb(PasidIotlbGranularity::kPage, 2, 0x4000)), 4u);
}
TEST_F(Windows, OthersRemoveNothing) {
  EXPECT_EQ(left(make_invalidation(InvalidationType::kContextCache)), 4u);
  EXPECT_EQ(left(make_invalidation(InvalidationType::kPasidCache)), 4u);
  EXPECT_EQ(left(make_invalidation(InvalidationType::kDeviceTlb)), 4u);
}

// --- Tables: a legacy image with one device at 00:03.0 in domain 5, empty second-stage tables of 4
// levels at 0x3000.

constexpr Addr kBase = 0x40000000;

TableImage small_image() {
  TableImage image;
  image.rtaddr = 0x1000;
  image.cap = VtdCap::SSLPS::make(VtdCap::kSslps2M | VtdCap::kSslps1G);
  for (Addr address : {Addr{0x1000}, Addr{0x2000}, Addr{0x3000}}) {
    image.pages.emplace_back();
    image.pages.back().address = address;
  }
  image.pages[0].kind = ImagePageKind::kRoot;
  image.pages[0].words[0] = 0x2001;
  image.pages[1].kind = ImagePageKind::kLegacyContext;
  image.pages[1].words[2 * 0x18] = 0x3001;
  image.pages[1].words[2 * 0x18 + 1] = 0x502;
  image.pages[2].kind = ImagePageKind::kSecondStage;
  image.pages[2].level = 4;
  return image;
}

// What memory holds after a number of stores.
class PageCopy : public TableSource {
 public:
  void take(const TableWrites& writes) {
    for (const TableWrites::Span& span : writes.spans()) {
      for (std::size_t i = 0; i < span.count; ++i)
        words_[span.address + i * 8] = writes.words()[span.first + i];
    }
  }
  void read_page(Addr address, TablePage& page) const override {
    for (std::size_t i = 0; i < page.size(); ++i) {
      const auto found = words_.find(address + i * 8);
      page[i] = found == words_.end() ? 0 : found->second;
    }
  }

 private:
  std::map<Addr, std::uint64_t> words_;
};

class Tables : public testing::Test {
 protected:
  void SetUp() override { tables.load(small_image(), "t.img", writes); }
  std::vector<TableLeaf> leaves() const {
    std::vector<TableLeaf> all;
    list_leaves(*tables.domain(DomainId(5)), tables, [&](const TableLeaf& leaf) { all.push_back(leaf); });
    return all;
  }
  void map(Addr iova, std::uint64_t size, Addr address, LeafFlags flags = {}) {
    removed.clear();
    tables.map(DomainId(5), iova, size, address, flags, writes, removed);
  }
  void unmap(Addr iova, std::uint64_t size) {
    removed.clear();
    tables.unmap(DomainId(5), iova, size, writes, removed);
  }
  TableLookup lookup(Addr iova) const { return tables.lookup(*tables.domain(DomainId(5)), iova); }

  TableWrites writes;
  std::vector<TableLeaf> removed;
  HostTables tables{kBase};
};

TEST_F(Tables, LoadMovesPagesAndPointers) {
  EXPECT_EQ(tables.rtaddr(), kBase);
  ASSERT_EQ(tables.bindings().size(), 1u);
  const TableBinding& b = tables.bindings()[0];
  EXPECT_EQ(b.requester, RequesterId::from_bdf(0, 3, 0));
  EXPECT_EQ(b.domain.value(), 5);
  EXPECT_EQ(b.tables.levels, 4u);
  EXPECT_EQ(b.tables.root, kBase + 0x2000);
  EXPECT_EQ(b.entry, kBase + 0x1000 + 0x180);
  EXPECT_EQ(writes.words().size(), 3 * 512u);
  EXPECT_EQ(writes.words()[0], kBase + 0x1001);
  EXPECT_EQ(tables.binding(RequesterId::from_bdf(0, 3, 0), false, Pasid()), &b);
  EXPECT_EQ(tables.binding(RequesterId::from_bdf(0, 3, 1), false, Pasid()), nullptr);
}

TEST_F(Tables, MapUsesTheLargestPages) {
  // 4 KiB, 2 MiB, 1 GiB, 2 MiB, 4 KiB: around one aligned GiB.
  map(0x3FDFF000, 0x1000 + 0x200000 + 0x40000000 + 0x200000 + 0x1000, 0x13FDFF000);
  std::vector<unsigned> shifts;
  Addr next = 0x3FDFF000;
  for (const TableLeaf& leaf : leaves()) {
    shifts.push_back(leaf.page_shift);
    EXPECT_EQ(leaf.iova, next);
    EXPECT_EQ(leaf.address, next + 0x100000000);
    next = leaf.end();
  }
  EXPECT_EQ(shifts, (std::vector<unsigned>{12, 21, 30, 21, 12}));
  EXPECT_TRUE(removed.empty());
}

TEST_F(Tables, OffsetDecidesThePageSize) {
  map(0x40000000, 0x400000, 0x80001000);
  EXPECT_EQ(leaves().size(), 1024u) << "addresses are not 2 MiB apart by a multiple of it";
}

TEST_F(Tables, RightsOfALeaf) {
  map(0x1000, 0x1000, 0x5000);
  EXPECT_TRUE(lookup(0x1FFF).read && lookup(0x1FFF).write);
  EXPECT_FALSE(tables.flags_known(*tables.domain(DomainId(5)), 0x1000));
  map(0x2000, 0x1000, 0x6000, {true, SecondStageEntry::R::kMask, false, false});
  EXPECT_TRUE(lookup(0x2000).read);
  EXPECT_FALSE(lookup(0x2000).write);
  EXPECT_TRUE(tables.flags_known(*tables.domain(DomainId(5)), 0x2000));
  map(0x3000, 0x1000, 0x7000, {false, 0, false, true});
  EXPECT_TRUE(lookup(0x3000).read);
  EXPECT_FALSE(lookup(0x3000).write);
  EXPECT_FALSE(lookup(0x4000).present);
}

TEST_F(Tables, UnmapClearsWhatItOverlaps) {
  map(0x200000, 0x400000, 0x600000);
  unmap(0x1FF000, 0x201000);
  ASSERT_EQ(removed.size(), 1u);
  EXPECT_EQ(removed[0].iova, 0x200000u);
  EXPECT_EQ(removed[0].address, 0x600000u);
  EXPECT_EQ(leaves().size(), 1u);
  unmap(Addr{1} << 48U, 0x400000);
  EXPECT_EQ(leaves().size(), 1u) << "beyond the tables";
  unmap(0, Addr{1} << 48U);
  EXPECT_TRUE(leaves().empty());
}

TEST_F(Tables, MapOverALeafReplacesIt) {
  map(0x1000, 0x2000, 0x5000);
  map(0x2000, 0x1000, 0x9000);
  ASSERT_EQ(removed.size(), 1u);
  EXPECT_EQ(removed[0].address, 0x6000u);
  EXPECT_EQ(lookup(0x2000).leaf.address, 0x9000u);
}

// A paging-structure cache may still point to the table that a large page displaced: that table serves
// the same addresses again or none.
TEST_F(Tables, ADisplacedTableComesBackForTheSameAddresses) {
  map(0x200000, 0x1000, 0x5000);
  unmap(0x200000, 0x1000);
  const Addr end = tables.end();
  map(0x200000, 0x200000, 0x800000);
  EXPECT_EQ(leaves().size(), 1u);
  unmap(0x200000, 0x200000);
  map(0x201000, 0x1000, 0x7000);
  EXPECT_EQ(tables.end(), end) << "no new page was needed";
  map(0x400000, 0x1000, 0x7000);
  EXPECT_EQ(tables.end(), end + kPageSize) << "other addresses get their own";
  EXPECT_EQ(leaves().size(), 2u);
}

TEST_F(Tables, WritesAreAllThatChanged) {
  PageCopy memory;
  memory.take(writes);
  writes.clear();
  map(0x7FFFFFF000, 0x3000, 0x5000);
  unmap(0x8000000000, 0x1000);
  memory.take(writes);
  std::vector<TableLeaf> all;
  list_leaves(*tables.domain(DomainId(5)), memory, [&](const TableLeaf& leaf) { all.push_back(leaf); });
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(all[0].iova, 0x7FFFFFF000u);
  EXPECT_EQ(all[1].iova, 0x8000001000u);
}

TEST_F(Tables, RebindWritesTheContextEntry) {
  tables.add_domain(DomainId(77), writes);
  const DomainTables fresh = *tables.domain(DomainId(77));
  EXPECT_EQ(fresh.levels, 4u);
  EXPECT_EQ(fresh.stage, TableStage::kSecond);
  tables.rebind(tables.bindings()[0], DomainId(77), writes);
  TablePage contexts;
  tables.read_page(kBase + 0x1000, contexts);
  EXPECT_EQ(contexts[2 * 0x18], fresh.root | 1);
  EXPECT_EQ(contexts[2 * 0x18 + 1], 77u << 8U | 2U);
  EXPECT_EQ(tables.bindings()[0].domain.value(), 77);
}

TEST(TableWrites, MergesNeighboursWithinAPage) {
  TableWrites writes;
  writes.add(0x1FF0, 1);
  writes.add(0x1FF8, 2);
  writes.add(0x2000, 3);
  writes.add(0x2010, 4);
  ASSERT_EQ(writes.spans().size(), 3u);
  EXPECT_EQ(writes.spans()[0].count, 2u);
  EXPECT_EQ(writes.spans()[1].address, 0x2000u);
  EXPECT_EQ(writes.spans()[2].first, 3u);
}

}  // namespace
}  // namespace svasim
