// Page sizes, addresses, rights of translation requests, accessed and dirty bits.
#include <gtest/gtest.h>

#include "support/reference_system.h"

namespace svasim {
namespace {

using F = FaultReason;
using S = ScalableTestSystem;

class Pages : public testing::Test, public ScalableTestSystem {};

TEST_F(Pages, EverySizeAtItsEdges) {
  const std::pair<Pasid, PageTableBuilder*> spaces[] = {
      {S::kFirst, &first}, {S::kFirst5, &first5}, {S::kSecond, &second}, {S::kSecond3, &second3}};
  for (const auto& [pasid, table] : spaces) {
    for (const unsigned shift : {12u, 21u, 30u}) {
      const Addr size = Addr{1} << shift;
      const Addr iova = Addr{shift} << 32;  // in the lowest 39 bits, apart from one another
      const Addr pa = 0x3FC0000000;         // HAW bits used, aligned to 1 GiB
      ASSERT_TRUE(table->map(iova, pa, shift));
      for (const Addr offset : {Addr{0}, Addr{1}, Addr{0xFFF}, size / 2 + 0x35, size - 1}) {
        const ReferenceResult result = reference.probe(read(pasid, iova + offset));
        EXPECT_TRUE(result.ok) << pasid.value() << " " << shift << " " << fault_text(result.fault);
        EXPECT_EQ(result.address, pa + offset);
        EXPECT_EQ(result.page_shift, shift);
      }
      EXPECT_FALSE(reference.probe(read(pasid, iova - 1)).ok);
      EXPECT_FALSE(reference.probe(read(pasid, iova + size)).ok);
      EXPECT_TRUE(table->unmap(iova));
      EXPECT_FALSE(reference.probe(read(pasid, iova)).ok);
    }
  }
}

TEST_F(Pages, EveryIndexBitOfEveryLevelCounts) {
  const std::pair<Pasid, PageTableBuilder*> spaces[] = {
      {S::kFirst, &first}, {S::kFirst5, &first5}, {S::kSecond, &second}, {S::kSecond3, &second3}};
  for (const auto& [pasid, table] : spaces) {
    const unsigned width = 12 + 9 * table->levels() - (pasid == S::kFirst || pasid == S::kFirst5 ? 1 : 0);
    for (unsigned bit = 12; bit < width; ++bit) ASSERT_TRUE(table->map(Addr{1} << bit, Addr{bit} << 12, 12));
    for (unsigned bit = 12; bit < width; ++bit) {
      EXPECT_EQ(reference.probe(read(pasid, Addr{1} << bit)).address, Addr{bit} << 12);
    }
  }
  // The upper half of a first stage.
  ASSERT_TRUE(first.map(~Addr{0} << 12, 0x5000, 12));
  EXPECT_EQ(reference.probe(read(S::kFirst, ~Addr{0})).address, 0x5FFFu);
}

TEST_F(Pages, ReservedAddressBitsOfLargePages) {
  for (const unsigned shift : {21u, 30u}) {
    const unsigned level = shift == 21 ? 2 : 3;
    ASSERT_TRUE(first.map(0, 0x40000000, shift));
    ASSERT_TRUE(second.map(0, 0x40000000, shift));
    for (unsigned bit = 12; bit < shift; ++bit) {
      // Bit 12 is PAT in the first stage.
      first.set_entry(0, level, first.entry(0, level) ^ Addr{1} << bit);
      EXPECT_EQ(reference.probe(read(S::kFirst, 0)).fault, bit == 12 ? F::kNone : F::kFirstStageReserved)
          << bit;
      first.set_entry(0, level, first.entry(0, level) ^ Addr{1} << bit);
      second.set_entry(0, level, second.entry(0, level) ^ Addr{1} << bit);
      EXPECT_EQ(reference.probe(read(S::kSecond, 0)).fault, F::kSecondStageReserved) << bit;
      second.set_entry(0, level, second.entry(0, level) ^ Addr{1} << bit);
    }
    EXPECT_TRUE(reference.probe(read(S::kFirst, 0)).ok);
    first.unmap(0);
    second.unmap(0);
    first.cut(0, 4);
    second.cut(0, 4);
  }
}

TEST_F(Pages, SizesAUnitDoesNotHaveAreReserved) {
  ASSERT_TRUE(first.map(0, 0x40000000, 30));
  ASSERT_TRUE(second.map(0, 0x40000000, 30));
  ASSERT_TRUE(second.map(0x40000000, 0x200000, 21));
  registers.cap &= ~VtdCap::FS1GP::kMask;
  EXPECT_EQ(reference.probe(read(S::kFirst, 0)).fault, F::kFirstStageReserved);
  registers.cap = VtdCap::SSLPS::set(registers.cap, VtdCap::kSslps2M);
  EXPECT_EQ(reference.probe(read(S::kSecond, 0)).fault, F::kSecondStageReserved);
  EXPECT_EQ(reference.probe(read(S::kSecond, 0x40000000)).fault, F::kNone);
  registers.cap = VtdCap::SSLPS::set(registers.cap, 0);
  EXPECT_EQ(reference.probe(read(S::kSecond, 0x40000000)).fault, F::kSecondStageReserved);
}

TEST_F(Pages, NestedTakesTheSmallerSize) {
  ASSERT_TRUE(nested.map(0, 0x40000000, 21));
  ASSERT_TRUE(guest.map(0x40000000, 0x90000000, 12));
  ASSERT_TRUE(guest.map(0x40001000, 0xA0005000, 12));
  ReferenceResult result = reference.probe(read(S::kNested, 0x1234));
  EXPECT_EQ(result.address, 0xA0005234u);
  EXPECT_EQ(result.page_shift, 12u);
  EXPECT_EQ(result.domain, S::kNestedDomain);
  ASSERT_TRUE(nested.map(0x40000000, 0x80003000, 12));
  ASSERT_TRUE(guest.map(0x80000000, 0xC0000000, 30));
  result = reference.probe(read(S::kNested, 0x40000010));
  EXPECT_EQ(result.address, 0xC0003010u);
  EXPECT_EQ(result.page_shift, 12u);
  ASSERT_TRUE(nested.map(0x200000, 0x80200000, 21));
  EXPECT_EQ(reference.probe(read(S::kNested, 0x200000)).page_shift, 21u);
}

TEST_F(Pages, NestedNeedsTheRightsOfBothStages) {
  ASSERT_TRUE(guest.map(0x40000000, 0x90000000, 21));
  ASSERT_TRUE(nested.map(0x1000, 0x40000000, 12, {true, false, true, 0}));
  EXPECT_EQ(reference.probe(write(S::kNested, 0x1000)).fault, F::kNoWrite) << "first stage";
  EXPECT_FALSE(reference.probe(translation(S::kNested, 0x1000)).write);
  ASSERT_TRUE(nested.map(0x1000, 0x40000000, 12));
  EXPECT_EQ(reference.probe(write(S::kNested, 0x1000)).fault, F::kNone);
  ASSERT_TRUE(nested.map(0x1000, 0x40000000, 12, {true, true, false, 0}));
  EXPECT_EQ(reference.probe(read(S::kNested, 0x1000)).fault, F::kUserNotAllowed);
}

TEST_F(Pages, EveryDeviceAndPasidHasItsOwnEntry) {
  // All PASIDs of one table and of the neighbouring directory entries, and devices of both halves of
  // the root entry, each with a table of its own.
  std::vector<PageTableBuilder> spaces;
  std::vector<ReferenceRequest> requests;
  ScalableContext context;
  context.pasid = true;
  context.pdts = 0;
  for (const unsigned devfn : {1u, 127u, 128u, 129u, 255u}) {
    const RequesterId device(static_cast<std::uint16_t>(0x500 | devfn));
    tables.set_context(device, context);
    for (const unsigned pasid : {1u, 31u, 32u, 33u, 63u, 64u, 95u, 127u, 8191u}) {
      spaces.emplace_back(memory, pages, TableStage::kFirst, 4);
      tables.set_pasid_entry(device, Pasid(pasid),
                             first_stage_pasid_entry(spaces.back().root(), 4, DomainId(1)));
      ASSERT_TRUE(spaces.back().map(0x1000, spaces.size() << 12, 12));
      requests.push_back(read(Pasid(pasid), 0x1000));
      requests.back().requester = device;
    }
  }
  for (std::size_t i = 0; i < requests.size(); ++i) {
    EXPECT_EQ(reference.probe(requests[i]).address, (i + 1) << 12);
  }
}

TEST_F(Pages, FiveLevelSecondStage) {
  registers.cap = VtdCap::MGAW::set(registers.cap, 56);
  PageTableBuilder table(memory, pages, TableStage::kSecond, 5);
  const Pasid pasid(0x50);
  tables.set_pasid_entry(S::kDevice, pasid, second_stage_pasid_entry(table.root(), 5, S::kSecondDomain));
  for (unsigned bit = 12; bit < 57; ++bit) ASSERT_TRUE(table.map(Addr{1} << bit, Addr{bit} << 12, 12));
  for (unsigned bit = 12; bit < 57; ++bit) {
    EXPECT_EQ(reference.probe(read(pasid, Addr{1} << bit)).address, Addr{bit} << 12);
  }
  EXPECT_EQ(reference.probe(read(pasid, Addr{1} << 57)).fault, F::kSecondStageBeyondWidth);
}

TEST_F(Pages, RightsOfTranslationRequests) {
  ASSERT_TRUE(first.map(0x1000, 0x10000, 12));
  ASSERT_TRUE(first.map(0x2000, 0x20000, 12, {true, false, true, 0}));
  ASSERT_TRUE(second.map(0x3000, 0x30000, 12, {false, true, true, 0}));
  ReferenceResult result = reference.probe(translation(S::kFirst, 0x1000));
  EXPECT_TRUE(result.ok && result.read && result.write);
  result = reference.probe(translation(S::kFirst, 0x1000, true));
  EXPECT_TRUE(result.ok && result.read && !result.write) << "NW is honoured";
  registers.ecap &= ~VtdEcap::NWFS::kMask;
  EXPECT_TRUE(reference.probe(translation(S::kFirst, 0x1000, true)).write) << "NW is not";
  result = reference.probe(translation(S::kFirst, 0x2000));
  EXPECT_TRUE(result.ok && result.read && !result.write);
  result = reference.probe(translation(S::kSecond, 0x3000));
  EXPECT_TRUE(result.ok && !result.read && result.write);
  EXPECT_FALSE(result.untranslated_only);
}

TEST_F(Pages, AccessedAndDirtyOfTheFirstStage) {
  constexpr std::uint64_t kAccessed = 1u << 5;
  constexpr std::uint64_t kDirty = 1u << 6;
  ASSERT_TRUE(first.map(0x1000, 0x10000, 12));
  const auto bits = [this](unsigned level) { return first.entry(0x1000, level) & (kAccessed | kDirty); };
  EXPECT_EQ(reference.probe(write(S::kFirst, 0x1000)).updates.size(), 4u);
  EXPECT_EQ(bits(1), 0u) << "a probe changes nothing";
  reference.translate(read(S::kFirst, 0x1000));
  for (unsigned level = 1; level <= 4; ++level) EXPECT_EQ(bits(level), kAccessed) << level;
  EXPECT_TRUE(reference.translate(read(S::kFirst, 0x1000)).updates.empty());
  const ReferenceResult result = reference.translate(write(S::kFirst, 0x1000));
  ASSERT_EQ(result.updates.size(), 1u);
  EXPECT_EQ(result.updates[0].entry, first.entry_address(0x1000, 1));
  EXPECT_EQ(result.updates[0].bits, kDirty);
  EXPECT_EQ(bits(1), kAccessed | kDirty);
  EXPECT_EQ(bits(2), kAccessed) << "D only in the leaf";

  // A translation request counts as a write unless it says NW; a read-only page does not get dirty.
  ASSERT_TRUE(first.map(0x2000, 0x20000, 12));
  reference.translate(translation(S::kFirst, 0x2000, true));
  EXPECT_EQ(first.entry(0x2000, 1) & kDirty, 0u);
  reference.translate(translation(S::kFirst, 0x2000));
  EXPECT_EQ(first.entry(0x2000, 1) & kDirty, kDirty);
  ASSERT_TRUE(first.map(0x3000, 0x30000, 12, {true, false, true, 0}));
  reference.translate(translation(S::kFirst, 0x3000));
  EXPECT_EQ(first.entry(0x3000, 1) & (kAccessed | kDirty), kAccessed);

  // Nothing is set by an access that fails.
  ASSERT_TRUE(first.map(Addr{1} << 40, 0x30000, 12, {true, false, true, 0}));
  reference.translate(write(S::kFirst, Addr{1} << 40));
  EXPECT_EQ(first.entry(Addr{1} << 40, 1) & kAccessed, 0u);
}

TEST_F(Pages, ExtendedAccessed) {
  ASSERT_TRUE(first.map(0x1000, 0x10000, 12));
  poke(tables.pasid_entry_address(S::kDevice, S::kFirst) + 16, 1u << 7);  // EAFE
  reference.translate(read(S::kFirst, 0x1000));
  for (unsigned level = 1; level <= 4; ++level) {
    EXPECT_EQ(first.entry(0x1000, level) & (1u << 10 | 1u << 5), 1u << 10 | 1u << 5) << level;
  }
}

TEST_F(Pages, AccessedAndDirtyOfTheSecondStage) {
  poke(tables.pasid_entry_address(S::kDevice, S::kSecond), 1u << 9);  // SSADE
  ASSERT_TRUE(second.map(0x200000, 0x400000, 21));
  reference.translate(write(S::kSecond, 0x200000));
  EXPECT_EQ(second.entry(0x200000, 2) & 0x300, 0x300u);
  EXPECT_EQ(second.entry(0x200000, 3) & 0x300, 0x100u);
  EXPECT_EQ(second.entry(0x200000, 4) & 0x300, 0x100u);
}

TEST_F(Pages, AccessedAndDirtyOfNestedTables) {
  poke(tables.pasid_entry_address(S::kDevice, S::kNested), 1u << 9);  // SSADE
  ASSERT_TRUE(nested.map(0x1000, 0x40000000, 12));
  ASSERT_TRUE(guest.map(0x40000000, 0x90000000, 12));
  reference.translate(read(S::kNested, 0x1000));
  EXPECT_EQ(guest.entry(0x40000000, 1) & 0x300, 0x100u) << "the page was read";
  EXPECT_EQ(guest.entry(nested.root(), 2) & 0x300, 0x300u) << "tables count as written";
  reference.translate(write(S::kNested, 0x1000));
  EXPECT_EQ(guest.entry(0x40000000, 1) & 0x300, 0x300u);
  EXPECT_EQ(nested.entry(0x1000, 1) & 0x60, 0x60u);
}

TEST_F(Pages, Snooping) {
  ASSERT_TRUE(second.map(0x1000, 0x10000, 12, {true, true, true, 1u << 11}));
  ASSERT_TRUE(second.map(0x2000, 0x20000, 12));
  EXPECT_FALSE(reference.probe(read(S::kSecond, 0x1000)).non_snooped_allowed);
  EXPECT_TRUE(reference.probe(read(S::kSecond, 0x2000)).non_snooped_allowed);
  poke(tables.pasid_entry_address(S::kDevice, S::kSecond) + 8, 1u << 24);  // PGSNP
  EXPECT_FALSE(reference.probe(read(S::kSecond, 0x2000)).non_snooped_allowed);
}

TEST(Builder, RefusesWhatIsInTheWay) {
  PageMemory memory;
  TablePages pages(0x1000000, 0x1100000);
  PageTableBuilder table(memory, pages, TableStage::kFirst, 4);
  ASSERT_TRUE(table.map(0x200000, 0x200000, 21));
  EXPECT_FALSE(table.map(0x201000, 0x1000, 12)) << "inside a larger page";
  ASSERT_TRUE(table.map(0x400000, 0x1000, 12));
  EXPECT_FALSE(table.map(0x400000, 0x400000, 21)) << "a table is there";
  EXPECT_EQ(table.leaf_level(0x3FFFFF), 2u);
  table.cut(0x400000, 2);
  EXPECT_TRUE(table.map(0x400000, 0x400000, 21));
  ASSERT_TRUE(table.map_range(0x3FE00000, 0, 0x40000000 + 0x200000 + 0x1000, {}, 30));
  EXPECT_EQ(table.leaf_level(0x3FE00000), 2u);
}

}  // namespace
}  // namespace svasim
