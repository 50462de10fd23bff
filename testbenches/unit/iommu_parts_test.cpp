// The IOMMU's parts that need no simulation.
#include <gtest/gtest.h>

#include "models/iommu/capabilities.h"
#include "models/iommu/fault_recorder.h"
#include "models/iommu/invalidation_operation.h"
#include "models/iommu/requested_pages.h"
#include "models/iommu/slot_pool.h"
#include "models/iommu/stale_check.h"
#include "models/iommu/structure_fetch.h"

namespace svasim {
namespace {

using Scope = InvalidationScope;
const SpaceTag kFirst(SpaceKind::kFirstStage, DomainId(1), Pasid(7));
const SpaceTag kSecond(SpaceKind::kSecondStage, DomainId(1), Pasid(7));
const SpaceTag kNested(SpaceKind::kNested, DomainId(1), Pasid(7));

Scope page_scope(Scope::Kind kind, Addr address, unsigned shift, bool leaf_only = false) {
  Scope scope;
  scope.kind = kind;
  scope.did = DomainId(1);
  scope.pasid = Pasid(7);
  scope.address = address;
  scope.shift = shift;
  scope.leaf_only = leaf_only;
  return scope;
}

TEST(IommuSpaceTag, KeepsDomainAndPasidApart) {
  EXPECT_EQ(kFirst.did(), DomainId(1));
  EXPECT_EQ(kFirst.pasid(), Pasid(7));
  EXPECT_EQ(kSecond.pasid(), Pasid(7));
  const SpaceTag tables(kSecond.table_bits(4));
  EXPECT_EQ(tables.pasid(), Pasid(0)) << "its tables are known by domain alone";
  EXPECT_EQ(tables.did(), DomainId(1));
  EXPECT_EQ(tables.kind(), SpaceKind::kSecondStage);
  EXPECT_NE(kSecond.table_bits(4), kSecond.table_bits(5)) << "and by the height of their tree";
  EXPECT_EQ(SpaceTag(kNested.table_bits(5)).pasid(), Pasid(7));
  // The second stage of a nested space is that of the domain.
  AddressSpace space;
  PageTableFormat second;
  second.levels = 4;
  space.did = DomainId(1);
  space.second_format = &second;
  EXPECT_EQ(space.second_table_bits(), kSecond.table_bits(4));
  EXPECT_NE(kFirst.bits(), kSecond.bits());
  const SpaceTag big(SpaceKind::kPassThrough, DomainId(0xFFFF), Pasid(kMaxPasid));
  EXPECT_EQ(big.did(), DomainId(0xFFFF));
  EXPECT_EQ(big.kind(), SpaceKind::kPassThrough);
}

// SPEC: [VTD 6.5.2.3, 6.5.2.4]
TEST(IommuInvalidationScope, RangesAndSizes) {
  const Scope pages = page_scope(Scope::Kind::kPasidPage, 0x80000000, 14);  // four pages
  EXPECT_TRUE(pages.covers(kFirst, 0x80003000, 12));
  EXPECT_FALSE(pages.covers(kFirst, 0x80004000, 12));
  EXPECT_TRUE(pages.covers(kFirst, 0x80000000, 21)) << "the superpage around the range";
  EXPECT_FALSE(pages.covers(kFirst, 0x80200000, 21));
  EXPECT_FALSE(pages.covers(kSecond, 0x80000000, 12));
  const Scope domain_page = page_scope(Scope::Kind::kDomainPage, 0x80000000, 12, true);
  EXPECT_TRUE(domain_page.covers(kFirst, 0x12345000, 12)) << "all first-stage entries of the domain";
  EXPECT_FALSE(domain_page.covers(kSecond, 0x12345000, 12));
  EXPECT_TRUE(domain_page.covers_table(kFirst, 0x12345000, 21));
  EXPECT_FALSE(domain_page.covers_table(kSecond, 0x80000000, 21)) << "IH keeps tables";
  const Scope all = page_scope(Scope::Kind::kPasidPage, 0, 64);
  EXPECT_TRUE(all.covers(kFirst, 0xFFFF'8000'0000'0000, 12));
  const Scope pasid = page_scope(Scope::Kind::kPasid, 0, 12);
  EXPECT_TRUE(pasid.covers(kSecond, 0x1000, 12));
  EXPECT_FALSE(pasid.covers_table(kSecond, 0x1000, 21));
}

// Who loses what: rows of the table of the specification. SPEC: [VTD 6.5.2.3, 6.5.2.4]
TEST(IommuInvalidationScope, KindsAndStages) {
  using K = SpaceKind;
  using Kind = Scope::Kind;
  struct Row {
    Kind kind;
    bool leaf_only;
    bool second, nested;              // IOTLB entries of the same page
    bool second_table, nested_table;  // entries of the paging-structure caches around it
  };
  const Row rows[] = {
      {Kind::kGlobal, false, true, true, true, true},
      {Kind::kDomain, false, true, true, true, true},
      {Kind::kDomainPage, false, true, true, true, true},
      {Kind::kDomainPage, true, true, true, false, true},
      {Kind::kPasid, false, true, true, false, true},
      {Kind::kPasidPage, false, false, true, false, true},
      {Kind::kPasidPage, true, false, true, false, false},
  };
  const Addr page = 0x80000000;
  for (const Row& row : rows) {
    const Scope scope = page_scope(row.kind, page, 12, row.leaf_only);
    SCOPED_TRACE(static_cast<int>(row.kind));
    EXPECT_EQ(scope.covers(kSecond, page, 12), row.second);
    EXPECT_EQ(scope.covers(SpaceTag(K::kPassThrough, DomainId(1), Pasid(7)), page, 12), row.second);
    for (const SpaceTag& tag : {kFirst, kNested}) {
      EXPECT_EQ(scope.covers(tag, page, 12), row.nested);
      EXPECT_EQ(scope.covers_table(SpaceTag(tag.table_bits(4)), page, 21), row.nested_table);
    }
    EXPECT_EQ(scope.covers_table(SpaceTag(kSecond.table_bits(4)), page, 21), row.second_table);
    // Another page of the same space.
    const Addr other = page + (Addr{1} << 30);
    const bool paged = row.kind == Kind::kDomainPage || row.kind == Kind::kPasidPage;
    EXPECT_EQ(scope.covers(kSecond, other, 12), row.second && !paged);
    EXPECT_EQ(scope.covers(kNested, other, 12), row.kind != Kind::kPasidPage);
    EXPECT_EQ(scope.covers_table(kNested, other, 21), row.kind != Kind::kPasidPage);
    // Another PASID of the domain, and another domain.
    const bool by_pasid = row.kind == Kind::kPasid || row.kind == Kind::kPasidPage;
    const SpaceTag pasid(K::kNested, DomainId(1), Pasid(8));
    EXPECT_EQ(scope.covers(pasid, page, 12), !by_pasid);
    EXPECT_EQ(scope.covers_table(pasid, page, 21), !by_pasid);
    EXPECT_EQ(scope.covers(SpaceTag(K::kSecondStage, DomainId(1), Pasid(8)), page, 12), !by_pasid);
    const SpaceTag domain(K::kNested, DomainId(2), Pasid(7));
    EXPECT_EQ(scope.covers(domain, page, 12), row.kind == Kind::kGlobal);
    EXPECT_EQ(scope.covers_table(domain, page, 21), row.kind == Kind::kGlobal);
  }
}

TEST(IommuStaleCheck, FindsUseAfterCompletion) {
  StaleCheck check;
  const Addr page = 0x80000000;
  std::uint64_t born = check.count();
  EXPECT_FALSE(check.stale(born, kFirst, page, 12));
  check.executed(page_scope(Scope::Kind::kPasidPage, page, 12));
  EXPECT_FALSE(check.stale(born, kFirst, page, 12)) << "software has not been told yet";
  check.completed(check.count());
  EXPECT_FALSE(check.stale(born = 0, kFirst, page + 0x1000, 12));
  EXPECT_TRUE(check.stale(born = 0, kFirst, page, 12));
  EXPECT_TRUE(check.stale(born, kFirst, page, 12)) << "every use counts";
  std::uint64_t later = check.count();
  EXPECT_FALSE(check.stale(later, kFirst, page, 12));
  // More invalidations than are kept: what is too old cannot be known, and counts as lost.
  for (int i = 0; i < 300; ++i) {
    check.executed(page_scope(Scope::Kind::kPasidPage, 0, 12));
  }
  EXPECT_TRUE(check.any_since(0, [](const Scope&) { return false; }));
  EXPECT_FALSE(check.any_since(check.count() - 10, [](const Scope&) { return false; }));
  EXPECT_TRUE(check.any_since(check.count() - 1, [](const Scope&) { return true; }));
}

TEST(IommuRequestedPages, EachIsFoundOnce) {
  RequestedPages pages;
  const auto request = [](Addr address, unsigned device = 1, unsigned pasid = 7, bool has_pasid = true) {
    Request r;
    r.iova = address;
    r.requester = RequesterId(static_cast<std::uint16_t>(device));
    r.pasid = Pasid(pasid);
    r.has_pasid = has_pasid;
    return r;
  };
  EXPECT_FALSE(pages.take(request(0x1000)));
  for (Addr page = 1; page <= 3; ++page) pages.remember(request(page << 12));
  pages.remember(request(0x2000));  // repeated: known once
  EXPECT_FALSE(pages.take(request(0x2000, 2))) << "another device";
  EXPECT_FALSE(pages.take(request(0x2000, 1, 8))) << "another PASID";
  EXPECT_FALSE(pages.take(request(0x2000, 1, 7, false))) << "no PASID";
  EXPECT_TRUE(pages.take(request(0x2abc)));
  EXPECT_FALSE(pages.take(request(0x2abc)));
  EXPECT_TRUE(pages.take(request(0x3000)));
  EXPECT_TRUE(pages.take(request(0x1000)));
  // The last ones are known.
  for (Addr page = 1; page <= RequestedPages::kPages + 2; ++page) pages.remember(request(page << 12));
  EXPECT_FALSE(pages.take(request(0x2000)));
  for (Addr page = 3; page <= RequestedPages::kPages + 2; ++page)
    EXPECT_TRUE(pages.take(request(page << 12)));
}

TEST(IommuSlotPool, SlotsComeBackAtTheirTime) {
  SlotPool pool(2);
  const std::uint32_t a = pool.take(0);
  const std::uint32_t b = pool.take(0);
  EXPECT_NE(a, b);
  EXPECT_EQ(pool.take(0), SlotPool::kNone);
  pool.give_back(b, 100);
  EXPECT_EQ(pool.in_use(), 1U);
  EXPECT_EQ(pool.next(), 100U);
  EXPECT_EQ(pool.take(99), SlotPool::kNone);
  EXPECT_EQ(pool.take(100), b);
}

TEST(IommuFaultRecorder, EventOnlyWhenNothingWasPending) {
  FaultRecorder recorder(4);
  recorder.event().write_control(0);
  FaultRecord fault;
  fault.reason = FaultReason::kFirstStageNotPresent;
  fault.address = 0x1234567;
  EXPECT_TRUE(recorder.record(fault).interrupt);
  EXPECT_FALSE(recorder.record(fault).interrupt);
  EXPECT_FALSE(recorder.set_status(VtdFsts::IQE::kMask));
  EXPECT_EQ(recorder.read_record(0), 0x1234000U) << "bits 11:0 are reserved";
  recorder.write_record(12, 0x80000000U);
  EXPECT_EQ(VtdFsts::FRI::get(recorder.status()), 0U) << "the record that set PPF";
  recorder.write_record(16 + 12, 0x80000000U);
  EXPECT_FALSE(recorder.record(fault).interrupt) << "IQE is still set";
  recorder.write_status(VtdFsts::IQE::kMask);
  recorder.write_record(32 + 12, 0x80000000U);
  EXPECT_EQ(recorder.status() & 0x7FU, 0U);
  EXPECT_TRUE(recorder.record(fault).interrupt);
}

TEST(IommuFaultRecorder, HeldEventGoesAwayWithItsCause) {
  FaultRecorder recorder(1);
  recorder.record({});
  EXPECT_TRUE(recorder.event().pending());
  recorder.write_record(12, 0x80000000U);
  EXPECT_FALSE(recorder.event().pending());
  EXPECT_FALSE(recorder.event().write_control(0));
}

// FM: which bits of the function number are not compared. SPEC: [VTD 6.5.2.1]
TEST(IommuOperation, FunctionMask) {
  const std::uint16_t masks[] = {0, 4, 6, 7};
  for (unsigned fm = 0; fm < 4; ++fm) {
    InvalidationOperation op;
    EXPECT_FALSE(
        decode_invalidation(make_context_cache(ContextGranularity::kDevice, {}, RequesterId(0x100), fm),
                            TranslationMode::kScalable, true, 18, op));
    EXPECT_EQ(op.requester_mask, masks[fm]);
  }
}

// The machine asks for one entry after the other; a fault on the way ends it.
TEST(IommuStructureFetch, ReadsInOrder) {
  const Capabilities capabilities(iommu_capability_params().defaults());
  StructureFetch fetch;
  RootPointer root;
  root.table = 0x10000;
  root.mode = TranslationMode::kScalable;
  const RequesterId device = RequesterId::from_bdf(2, 17, 3);  // upper half of the root entry
  ASSERT_EQ(fetch.start_context(root, device), StructureFetch::State::kRead);
  EXPECT_EQ(fetch.address(), 0x10000U + 2 * 16);
  EXPECT_EQ(fetch.bytes(), 16U);
  StructureFetch::Buffer data{};
  data[1] = 0x20000 | 1;
  ASSERT_EQ(fetch.step(capabilities, data, true), StructureFetch::State::kRead);
  EXPECT_EQ(fetch.address(), 0x20000U + ((17 * 8 + 3) - 128) * 32);
  EXPECT_EQ(fetch.bytes(), 32U);
  data = {};
  data[0] = 0x30000 | (2U << 9) | (1U << 3) | 1;  // PDTS 2, PASIDE, P
  data[1] = 5;
  ASSERT_EQ(fetch.step(capabilities, data, true), StructureFetch::State::kDone);
  const ContextEntry context = fetch.context();
  EXPECT_EQ(context.pasid_limit, 512U * 64);
  EXPECT_EQ(context.rid_pasid, Pasid(5));
  EXPECT_TRUE(context.pasid_enable);
  EXPECT_FALSE(context.device_tlb);

  ASSERT_EQ(fetch.start_pasid(context, Pasid(0x1234)), StructureFetch::State::kRead);
  EXPECT_EQ(fetch.address(), 0x30000U + (0x1234 >> 6) * 8);
  data = {};
  data[0] = 0x40000 | 1;
  ASSERT_EQ(fetch.step(capabilities, data, true), StructureFetch::State::kRead);
  EXPECT_EQ(fetch.address(), 0x40000U + (0x1234 & 63) * 64);
  EXPECT_EQ(fetch.step(capabilities, data, false), StructureFetch::State::kFault);
  EXPECT_EQ(fetch.fault(), FaultReason::kPasidEntryAccess);
}

// Table pointers beyond the host address width are reserved bits.
TEST(IommuStructureFetch, HostAddressWidth) {
  const Capabilities capabilities(iommu_capability_params().defaults());
  StructureFetch fetch;
  RootPointer root;
  root.mode = TranslationMode::kScalable;
  fetch.start_context(root, RequesterId(0));
  StructureFetch::Buffer data{};
  data[0] = (Addr{1} << 46) | 1;
  EXPECT_EQ(fetch.step(capabilities, data, true), StructureFetch::State::kFault);
  EXPECT_EQ(fetch.fault(), FaultReason::kRootReserved);
}

// What is not offered is reserved.
TEST(IommuStructureFetch, MissingCapabilities) {
  struct Missing {
    bool IommuCapabilityParams::*capability;
    unsigned word;
    std::uint64_t bit;
  };
  const Missing list[] = {
      {&IommuCapabilityParams::coherent_walks, 1, PasidTableEntry::PWSNP::kMask},
      {&IommuCapabilityParams::snoop_control, 1, PasidTableEntry::PGSNP::kMask},
      {&IommuCapabilityParams::supervisor_requests, 2, PasidTableEntry::SRE::kMask},
      {&IommuCapabilityParams::extended_accessed, 2, PasidTableEntry::EAFE::kMask},
      {&IommuCapabilityParams::second_stage_ad, 0, PasidTableEntry::SSADE::kMask},
  };
  for (const Missing& missing : list) {
    for (const bool offered : {true, false}) {
      IommuCapabilityParams params = iommu_capability_params().defaults();
      params.*missing.capability = offered;
      const Capabilities capabilities(params);
      StructureFetch fetch;
      ContextEntry context;
      context.pasid_limit = 64;
      fetch.start_pasid(context, Pasid(0));
      StructureFetch::Buffer data{};
      data[0] = 1;
      ASSERT_EQ(fetch.step(capabilities, data, true), StructureFetch::State::kRead);
      data = {};
      data[0] = 1 | PasidTableEntry::PGTT::Bits::make(1);
      data[missing.word] |= missing.bit;
      EXPECT_EQ(fetch.step(capabilities, data, true),
                offered ? StructureFetch::State::kDone : StructureFetch::State::kFault);
      if (!offered) {
        EXPECT_EQ(fetch.fault(), FaultReason::kPasidEntryReserved);
      }
    }
  }
}

}  // namespace
}  // namespace svasim
