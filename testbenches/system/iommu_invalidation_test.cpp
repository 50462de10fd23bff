// The invalidation queue: what each kind removes, waits, device TLBs, errors.
// SPEC: [VTD 6.5]
#include <gtest/gtest.h>

#include "support/iommu_bench.h"

namespace svasim::test {
namespace {

using Bench = IommuBench;
constexpr Ps kNs = 1000;
constexpr Addr kA = 0x7000'0000;
constexpr Addr kB = 0x7000'1000;
constexpr LeafRights kUsed{true, true, true, FirstStageEntry::A::kMask | FirstStageEntry::D::kMask};

// --- What is removed

// One cached page each: first stage of two PASIDs in one domain, second stage, first stage of another
// domain. Which of them does a descriptor remove? SPEC: [VTD 6.5.2.3, 6.5.2.4]
struct Kept {
  const char* name;
  InvalidationDescriptor descriptor;
  bool first_a;      // PASID 1 page A
  bool first_b;      // PASID 1 page B
  bool other_pasid;  // PASID 2 page A
  bool second_a;     // second stage page A
  bool second_b;
  // Reads the walk of a further page of PASID 1 and of the second stage then takes: 1 when the
  // paging-structure caches kept what they had, 4 when they lost it.
  unsigned first_reads;
  unsigned second_reads;
};

const std::vector<Kept>& kinds() {
  constexpr DomainId kFirst = Bench::kFirstDomain;
  constexpr DomainId kSecond = Bench::kSecondDomain;
  static const std::vector<Kept> list = {
      {"iotlb_global", make_iotlb_global(), false, false, false, false, false, 4, 4},
      {"iotlb_domain_first", make_iotlb_domain(kFirst), false, false, false, true, true, 4, 1},
      {"iotlb_domain_second", make_iotlb_domain(kSecond), true, true, true, false, false, 1, 4},
      {"iotlb_page_first", make_iotlb_page(kFirst, kA, 0), false, false, false, true, true, 4, 1},
      {"iotlb_page_second", make_iotlb_page(kSecond, kA, 0), true, true, true, false, true, 1, 4},
      {"iotlb_page_second_leaf_only", make_iotlb_page(kSecond, kA, 0, true), true, true, true, false, true, 1,
       1},
      {"iotlb_page_second_two_pages", make_iotlb_page(kSecond, kB, 1), true, true, true, false, false, 1, 4},
      {"iotlb_page_elsewhere", make_iotlb_page(kSecond, 0x9000'0000, 0, true), true, true, true, true, true,
       1, 1},
      {"piotlb_pasid", make_pasid_iotlb_pasid(kFirst, Bench::kPasid), false, false, true, true, true, 4, 1},
      {"piotlb_other_domain", make_pasid_iotlb_pasid(DomainId(77), Bench::kPasid), true, true, true, true,
       true, 1, 1},
      {"piotlb_page", make_pasid_iotlb_page(kFirst, Bench::kPasid, kA, 0), false, true, true, true, true, 4,
       1},
      {"piotlb_page_leaf_only", make_pasid_iotlb_page(kFirst, Bench::kPasid, kA, 0, true), false, true, true,
       true, true, 1, 1},
      {"piotlb_page_range", make_pasid_iotlb_page(kFirst, Bench::kPasid, kA, 1, true), false, false, true,
       true, true, 1, 1},
      {"piotlb_page_of_second", make_pasid_iotlb_page(kSecond, Bench::kRidPasid, kA, 0), true, true, true,
       true, true, 1, 1},
      {"context_global", make_context_cache(ContextGranularity::kGlobal), true, true, true, true, true, 1, 1},
      {"pasid_global", make_pasid_cache(PasidCacheGranularity::kGlobal), true, true, true, true, true, 1, 1},
      {"interrupt_entries", make_interrupt_entry_cache(InterruptGranularity::kGlobal), true, true, true, true,
       true, 1, 1},
  };
  return list;
}

struct KindParameter {
  const Kept* kept;
  bool loose;
};
class IommuInvalidation : public ::testing::TestWithParam<KindParameter> {};

TEST_P(IommuInvalidation, RemovesWhatTheTableSays) {
  const Kept& kept = *GetParam().kept;
  IommuBenchOptions options;
  options.loose = GetParam().loose;
  Bench bench(options);
  for (unsigned i = 0; i < 3; ++i) {
    const Addr offset = i * kPageSize;
    bench.first->map(kA + offset, Bench::kData + offset, 12, kUsed);
    bench.first2->map(kA + offset, Bench::kData + 0x10000 + offset, 12, kUsed);
    bench.second->map(kA + offset, Bench::kData + 0x20000 + offset, 12);
  }
  bench.enable();
  const DeviceRequest requests[] = {bench.read(Bench::kPasid, kA), bench.read(Bench::kPasid, kB),
                                    bench.read(Bench::kPasid2, kA), bench.plain_read(kA),
                                    bench.plain_read(kB)};
  for (const DeviceRequest& request : requests) {
    bench.ask(request);
  }
  for (const DeviceRequest& request : requests) {
    ASSERT_TRUE(bench.ask(request).translation.hit);
  }
  ASSERT_TRUE(bench.invalidate({kept.descriptor}));
  const auto reads = [&](const DeviceRequest& request) {
    const std::uint64_t before = bench.walker->stats().reads.value;
    EXPECT_FALSE(bench.ask(request).translation.hit);
    return bench.walker->stats().reads.value - before;
  };
  EXPECT_EQ(reads(bench.read(Bench::kPasid, kA + 2 * kPageSize)), kept.first_reads);
  EXPECT_EQ(reads(bench.plain_read(kA + 2 * kPageSize)), kept.second_reads);
  const bool expected[] = {kept.first_a, kept.first_b, kept.other_pasid, kept.second_a, kept.second_b};
  for (unsigned i = 0; i < 5; ++i) {
    EXPECT_EQ(bench.ask(requests[i]).translation.hit, expected[i]) << "entry " << i;
  }
  EXPECT_EQ(bench.iommu->stats().stale_uses.value, 0U);
}

std::vector<KindParameter> kind_parameters() {
  std::vector<KindParameter> list;
  for (const Kept& kept : kinds()) {
    list.push_back({&kept, false});
    list.push_back({&kept, true});
  }
  return list;
}
std::string kind_name(const ::testing::TestParamInfo<KindParameter>& info) {
  return std::string(info.param.kept->name) + (info.param.loose ? "_loose" : "");
}
INSTANTIATE_TEST_SUITE_P(Kinds, IommuInvalidation, ::testing::ValuesIn(kind_parameters()), kind_name);

// A superpage goes when any of its pages is invalidated, and only then.
TEST(IommuInvalidationRanges, SuperpageGoesWithAnyOfItsPages) {
  Bench bench;
  bench.first->map(0x8020'0000, 0x10200000, 21, kUsed);
  bench.enable();
  bench.ask(bench.read(Bench::kPasid, 0x8020'0000));
  ASSERT_TRUE(bench.invalidate({make_pasid_iotlb_page(Bench::kFirstDomain, Bench::kPasid, 0x8040'0000, 0)}));
  EXPECT_TRUE(bench.ask(bench.read(Bench::kPasid, 0x8020'0000)).translation.hit);
  ASSERT_TRUE(bench.invalidate({make_pasid_iotlb_page(Bench::kFirstDomain, Bench::kPasid, 0x8030'5000, 0)}));
  EXPECT_FALSE(bench.ask(bench.read(Bench::kPasid, 0x8020'0000)).translation.hit);
}

// Context and PASID caches: what stays cached shows in the structure reads of the next request.
TEST(IommuInvalidationContexts, Granularity) {
  Bench bench;
  const RequesterId other = RequesterId::from_bdf(2, 3, 2);
  ScalableContext entry;
  entry.device_tlb = entry.pasid = true;
  entry.pdts = 1;
  bench.tables->set_context(other, entry);
  bench.tables->set_pasid_entry(other, Bench::kPasid,
                                first_stage_pasid_entry(bench.first->root(), 4, DomainId(9)));
  bench.first->map(kA, Bench::kData, 12, kUsed);
  bench.first2->map(kA, Bench::kData, 12, kUsed);
  bench.enable();
  const DeviceRequest one = bench.read(Bench::kPasid, kA);
  const DeviceRequest one2 = bench.read(Bench::kPasid2, kA);
  DeviceRequest two = one;
  two.requester = other;
  const auto reads = [&](const DeviceRequest& request) {
    const std::uint64_t before = bench.iommu->stats().structure_reads.value;
    EXPECT_EQ(bench.ask(request).fault, FaultReason::kNone);
    return bench.iommu->stats().structure_reads.value - before;
  };
  const auto warm = [&] {
    reads(one);
    reads(one2);
    reads(two);
    EXPECT_EQ(reads(one) + reads(one2) + reads(two), 0U);
  };
  warm();
  // One requester: root and context are read again, its PASID entries are still there.
  ASSERT_TRUE(bench.invalidate({make_context_cache(ContextGranularity::kDevice, {}, Bench::kDevice)}));
  EXPECT_EQ(reads(two), 0U);
  EXPECT_EQ(reads(one), 2U);
  EXPECT_EQ(reads(one2), 0U);
  // Function mask 3 takes all functions of the device.
  ASSERT_TRUE(bench.invalidate({make_context_cache(ContextGranularity::kDevice, {}, Bench::kDevice, 3)}));
  EXPECT_EQ(reads(two), 2U);
  EXPECT_EQ(reads(one), 2U);
  // Domain-selective acts as global in scalable mode.
  ASSERT_TRUE(bench.invalidate({make_context_cache(ContextGranularity::kDomain, DomainId(50))}));
  EXPECT_EQ(reads(two) + reads(one), 4U);
  // PASID in domain; domain; all.
  ASSERT_TRUE(bench.invalidate(
      {make_pasid_cache(PasidCacheGranularity::kPasid, Bench::kFirstDomain, Bench::kPasid)}));
  EXPECT_EQ(reads(two) + reads(one2), 0U);
  EXPECT_EQ(reads(one), 2U);
  ASSERT_TRUE(bench.invalidate({make_pasid_cache(PasidCacheGranularity::kDomain, Bench::kFirstDomain)}));
  EXPECT_EQ(reads(two), 0U);
  EXPECT_EQ(reads(one) + reads(one2), 4U);
  ASSERT_TRUE(bench.invalidate({make_pasid_cache(PasidCacheGranularity::kGlobal)}));
  EXPECT_EQ(reads(one) + reads(one2) + reads(two), 6U);
}

TEST(IommuInvalidationContexts, LegacyDomain) {
  IommuBenchOptions options;
  options.scalable = false;
  Bench bench(options);
  const RequesterId other = RequesterId::from_bdf(2, 4, 0);
  bench.tables->set_legacy_context(other, TranslationType::kUntranslatedOnly, bench.second->root(), 4,
                                   DomainId(9));
  bench.second->map(kA, Bench::kData, 12);
  bench.enable(false);  // 128-bit descriptors
  const DeviceRequest one = bench.plain_read(kA);
  DeviceRequest two = one;
  two.requester = other;
  bench.ask(one);
  bench.ask(two);
  const auto reads = [&](const DeviceRequest& request) {
    const std::uint64_t before = bench.iommu->stats().structure_reads.value;
    bench.ask(request);
    return bench.iommu->stats().structure_reads.value - before;
  };
  ASSERT_TRUE(bench.invalidate({make_context_cache(ContextGranularity::kDomain, DomainId(9))}));
  EXPECT_EQ(reads(one), 0U);
  EXPECT_EQ(reads(two), 2U);
}

// SRTP with ESRTPS flushes everything; without, software has to.
TEST(IommuInvalidationContexts, SettingTheRootFlushes) {
  for (const bool flush : {true}) {
    IommuBenchOptions options;
    options.iommu.capabilities.flush_on_set_root = flush;
    Bench bench(options);
    bench.first->map(kA, Bench::kData, 12, kUsed);
    bench.enable();
    bench.ask(bench.read(Bench::kPasid, kA));
    bench.command(VtdGcmd::SRTP::kMask, true);
    EXPECT_EQ(bench.read32(vtd_reg::kGsts) & VtdGsts::RTPS::kMask, 0U);
    bench.run_for(bench.params.set_root_latency + 1);
    EXPECT_NE(bench.read32(vtd_reg::kGsts) & VtdGsts::RTPS::kMask, 0U);
    const std::uint64_t before = bench.iommu->stats().structure_reads.value;
    EXPECT_FALSE(bench.ask(bench.read(Bench::kPasid, kA)).translation.hit);
    EXPECT_EQ(bench.iommu->stats().structure_reads.value - before, 4U);
  }
}

// --- Walks under way

// A walk that an invalidation overtakes must not fill the caches, nor serve later requests.
void overtake_walk(bool leaf_only, bool join) {
  IommuBenchOptions options;
  options.walker_step = 200 * kNs;  // between the leaf in the walker and the walk's end
  Bench bench(options);
  bench.first->map(kA, Bench::kData, 12, kUsed);
  bench.enable();
  bench.ask(bench.read(Bench::kPasid, kB));  // contexts only; faults
  const std::uint64_t walks = bench.walker->stats().started.value;
  // The walk: four steps of 200 ns with their reads, then 200 ns with the leaf in hand.
  const std::size_t old_read = bench.device().send(bench.read(Bench::kPasid, kA), kNs);
  bench.run_for(4 * 200 * kNs + 4 * Bench::memory_time(8) + 20 * kNs);
  ASSERT_FALSE(bench.device().answer(old_read).done);
  bench.first->map(kA, Bench::kData + 0x5000, 12, kUsed);
  bench.put(make_pasid_iotlb_page(Bench::kFirstDomain, Bench::kPasid, kA, 0, leaf_only));
  bench.put(make_wait_status(Bench::kStatus, 99));
  bench.submit();
  bench.run_for(100 * kNs);  // the invalidation has taken effect, the old walk is not done
  ASSERT_EQ(bench.iommu->stats().cache_invalidations.value, 1U);
  ASSERT_FALSE(bench.device().answer(old_read).done);
  const std::size_t new_read = join ? bench.device().send(bench.read(Bench::kPasid, kA), kNs) : old_read;
  bench.run_for(10'000 * kNs);
  EXPECT_EQ(bench.status(), 99U);
  EXPECT_EQ(bench.device().answer(old_read).translation.address, Bench::kData);
  if (join) {
    EXPECT_EQ(bench.device().answer(new_read).translation.address, Bench::kData + 0x5000)
        << "a later request joined the overtaken walk";
  }
  EXPECT_EQ(bench.walker->stats().started.value - walks, join ? 2U : 1U);
  EXPECT_EQ(bench.iommu->stats().stale_walks.value, 1U);
  EXPECT_EQ(bench.ask(bench.read(Bench::kPasid, kA)).translation.address, Bench::kData + 0x5000);
  EXPECT_EQ(bench.iommu->stats().stale_uses.value, 0U);
}
TEST(IommuDrain, OvertakenWalkFillsNothing) { overtake_walk(true, false); }
TEST(IommuDrain, OvertakenWalkFillsNoTables) { overtake_walk(false, false); }
TEST(IommuDrain, OvertakenWalkServesNoLaterRequest) { overtake_walk(true, true); }

// --- Waits

TEST(IommuWaits, StatusInterruptAndOrder) {
  Bench bench;
  bench.enable();
  bench.write32(vtd_reg::kIedata, 0x55);
  bench.write32(vtd_reg::kIeaddr, static_cast<std::uint32_t>(Bench::kMsi));
  bench.write32(vtd_reg::kIectl, 0);
  bench.submit({make_wait_interrupt(), make_wait_status(Bench::kStatus, 7)});
  bench.run_for(10'000 * kNs);
  EXPECT_EQ(bench.status(), 7U);
  ASSERT_EQ(bench.msi->received.size(), 1U);
  EXPECT_EQ(bench.msi->received[0].data, 0x55U);
  EXPECT_EQ(bench.read32(vtd_reg::kIcs), 1U);
  // No second event while IWC stands.
  bench.submit({make_wait_interrupt()});
  bench.run_for(10'000 * kNs);
  EXPECT_EQ(bench.msi->received.size(), 1U);
  bench.write32(vtd_reg::kIcs, 1);
  bench.submit({make_wait_interrupt()});
  bench.run_for(10'000 * kNs);
  EXPECT_EQ(bench.msi->received.size(), 2U);
  EXPECT_EQ(bench.read64(vtd_reg::kIqh), bench.queue_tail);
}

TEST(IommuWaits, QueueWrapsAround) {
  for (const bool loose : {false}) {
    IommuBenchOptions options;
    options.loose = loose;
    Bench bench(options);
    bench.enable();
    for (unsigned i = 0; i < 100; ++i) {
      ASSERT_TRUE(bench.invalidate({make_iotlb_global(), make_pasid_cache(PasidCacheGranularity::kGlobal)}))
          << i;
    }
    EXPECT_EQ(bench.iommu->stats().waits.value, 100U);
    EXPECT_EQ(bench.iommu->stats().descriptors.value, 300U);
    EXPECT_EQ(bench.read64(vtd_reg::kIqh), 300U * 32 % 4096);
  }
}

// --- Device TLBs

InvalidationDescriptor all_of_device(Pasid pasid) {
  const AtsRange range = encode_range(0, 64);
  return make_pasid_device_tlb(Bench::kDevice, pasid, range.address, range.size_bit, 0);
}

TEST(IommuDeviceTlb, WaitNeedsTheCompletion) {
  Bench bench;
  bench.device().invalidate_delay = kNever;
  bench.enable();
  bench.iommu->add_device(0, Bench::kDevice);
  const AtsRange page = encode_range(kA, 12);
  bench.submit({make_pasid_device_tlb(Bench::kDevice, Bench::kPasid, page.address, page.size_bit, 0),
                make_wait_status(Bench::kStatus, 3)});
  bench.run_for(50'000 * kNs);
  EXPECT_EQ(bench.status(), 0U);
  ASSERT_EQ(bench.device().received().size(), 1U);
  const DeviceMessage request = bench.device().message(0);
  EXPECT_EQ(request.kind, TlpKind::kInvalidateRequest);
  EXPECT_TRUE(request.has_pasid);
  EXPECT_EQ(request.pasid, Bench::kPasid);
  EXPECT_EQ(request.body, kA);
  EXPECT_EQ(bench.iommu->in_flight(), 2U);
  // Two completions are announced: the first alone is not enough.
  bench.device().complete(request, 2);
  bench.run_for(10'000 * kNs);
  EXPECT_EQ(bench.status(), 0U);
  bench.device().complete(request, 2);
  bench.run_for(10'000 * kNs);
  EXPECT_EQ(bench.status(), 3U);
  EXPECT_EQ(bench.iommu->in_flight(), 0U);
  EXPECT_EQ(bench.pool.live(), 0U);
}

// The writes a completion pushed before it are in memory before the wait completes.
TEST(IommuDeviceTlb, CompletionPushesWrites) {
  Bench bench;
  bench.device().invalidate_delay = kNever;
  bench.first->map(kA, Bench::kData, 12, kUsed);
  bench.enable();
  bench.iommu->add_device(0, Bench::kDevice);
  bench.submit({all_of_device(Bench::kPasid), make_wait_status(Bench::kStatus, 3)});
  bench.run_for(5'000 * kNs);
  // An untranslated write that needs contexts and a walk, and right behind it the completion.
  bench.device().send(Bench::as_write(bench.read(Bench::kPasid, kA, 8)), 1 * kNs,
                      {0x99, 0, 0, 0, 0, 0, 0, 0});
  bench.device().complete(bench.device().message(0));
  while (bench.status() != 3) {
    EXPECT_LT(now_ps(), 100'000 * kNs);
    bench.run_for(kNs);
  }
  EXPECT_EQ(bench.memory->contents().read64(Bench::kData), 0x99U);
}

TEST(IommuDeviceTlb, TagsAreLimitedAndReused) {
  Bench bench;
  bench.enable();
  bench.iommu->add_device(0, Bench::kDevice);
  for (unsigned i = 0; i < 50; ++i) {
    bench.put(all_of_device(Bench::kPasid));
  }
  bench.put(make_wait_status(Bench::kStatus, 4));
  bench.device().invalidate_delay = 5'000 * kNs;
  bench.submit();
  bench.run_for(4'000 * kNs);
  EXPECT_EQ(bench.device().received().size(), 32U) << "there are 32 ITags";
  bench.run_for(50'000 * kNs);
  EXPECT_EQ(bench.device().received().size(), 50U);
  EXPECT_EQ(bench.status(), 4U);
}

TEST(IommuDeviceTlb, PendingLimitOfTheFunction) {
  Bench bench;
  bench.enable();
  bench.iommu->add_device(0, Bench::kDevice);
  const AtsRange range = encode_range(0, 64);
  bench.device().invalidate_delay = 5'000 * kNs;
  for (unsigned i = 0; i < 6; ++i) {
    bench.put(make_device_tlb(Bench::kDevice, range.address, range.size_bit, 2));
  }
  bench.submit();
  bench.run_for(4'000 * kNs);
  EXPECT_EQ(bench.device().received().size(), 2U);
  bench.run_for(50'000 * kNs);
  EXPECT_EQ(bench.device().received().size(), 6U);
  EXPECT_FALSE(bench.device().message(0).has_pasid);
}

TEST(IommuDeviceTlb, UnexpectedCompletion) {
  Bench bench;
  bench.enable();
  DeviceRequest completion;
  completion.kind = TlpKind::kInvalidateCompletion;
  completion.itag_vector = 1U << 7;
  bench.device().send(completion);
  bench.run_for(1'000 * kNs);
  EXPECT_EQ(bench.read32(vtd_reg::kFsts) & VtdFsts::ICE::kMask, VtdFsts::ICE::kMask);
  EXPECT_EQ(VtdIqercd::ICESID::get(bench.read64(vtd_reg::kIqercd)), Bench::kDevice.value());
  // Processing goes on.
  EXPECT_TRUE(bench.invalidate({make_iotlb_global()}));
}

TEST(IommuDeviceTlb, TimeOut) {
  IommuBenchOptions options;
  options.iommu.invalidate_timeout = 20'000 * kNs;
  Bench bench(options);
  bench.device().invalidate_delay = kNever;
  bench.enable();
  bench.iommu->add_device(0, Bench::kDevice);
  bench.submit({all_of_device(Bench::kPasid), make_wait_status(Bench::kStatus, 3)});
  bench.run_for(19'000 * kNs);
  EXPECT_EQ(bench.read32(vtd_reg::kFsts), 0U);
  bench.run_for(5'000 * kNs);
  EXPECT_EQ(bench.read32(vtd_reg::kFsts) & VtdFsts::ITE::kMask, VtdFsts::ITE::kMask);
  EXPECT_EQ(VtdIqercd::ITESID::get(bench.read64(vtd_reg::kIqercd)), Bench::kDevice.value());
  EXPECT_EQ(bench.status(), 0U) << "the wait is aborted";
  bench.submit({make_wait_status(Bench::kStatus, 8)});
  bench.run_for(10'000 * kNs);
  EXPECT_EQ(bench.status(), 0U) << "nothing is fetched before ITE is cleared";
  bench.write32(vtd_reg::kFsts, VtdFsts::ITE::kMask);
  bench.run_for(10'000 * kNs);
  EXPECT_EQ(bench.status(), 8U);
  EXPECT_EQ(bench.iommu->in_flight(), 0U);
}

// --- Errors

TEST(IommuQueueErrors, EachCodeStopsTheQueueUntilCleared) {
  using E = InvalidationQueueError;
  struct Bad {
    InvalidationDescriptor descriptor;
    E error;
  };
  InvalidationDescriptor reserved_bit = make_iotlb_global();
  reserved_bit[0] |= Bit<40>::kMask;
  InvalidationDescriptor bad_granularity = make_iotlb_global();
  IotlbDescriptor::G::set(bad_granularity, 0);
  InvalidationDescriptor upper_half = make_wait_status(Bench::kStatus, 1);
  upper_half[3] = 1;
  const Bad list[] = {
      {make_invalidation(static_cast<InvalidationType>(0x0)), E::kInvalidType},
      {make_invalidation(static_cast<InvalidationType>(0xB)), E::kInvalidType},
      {make_invalidation(InvalidationType::kHostPermissionCache), E::kInvalidType},
      {reserved_bit, E::kReservedField},
      {bad_granularity, E::kReservedField},
      {upper_half, E::kReservedField},
      {make_iotlb_page(DomainId(1), 0, 19), E::kReservedField},  // AM beyond MAMV
  };
  Bench bench;
  bench.enable();
  for (const Bad& bad : list) {
    const std::uint64_t head = bench.queue_tail;
    bench.put(bad.descriptor);
    bench.put(make_wait_status(Bench::kStatus, ++bench.cookie));
    bench.submit();
    bench.run_for(10'000 * kNs);
    EXPECT_EQ(bench.read32(vtd_reg::kFsts) & VtdFsts::IQE::kMask, VtdFsts::IQE::kMask);
    EXPECT_EQ(VtdIqercd::IQEI::get(bench.read64(vtd_reg::kIqercd)), static_cast<std::uint64_t>(bad.error));
    EXPECT_EQ(bench.read64(vtd_reg::kIqh), head);
    EXPECT_NE(bench.status(), bench.cookie);
    // Software puts a harmless descriptor in its place and clears the error.
    const InvalidationDescriptor fixed = make_iotlb_global();
    bench.memory->contents().write(Bench::kQueue + head, fixed.data(), 32);
    bench.write32(vtd_reg::kFsts, VtdFsts::IQE::kMask);
    bench.run_for(10'000 * kNs);
    EXPECT_EQ(bench.status(), bench.cookie);
    EXPECT_EQ(bench.read32(vtd_reg::kFsts), 0U);
  }
}

TEST(IommuQueueErrors, RegistersInError) {
  using E = InvalidationQueueError;
  const auto error = [](Bench& bench) {
    bench.run_for(10'000 * kNs);
    return (bench.read32(vtd_reg::kFsts) & VtdFsts::IQE::kMask) != 0
               ? static_cast<E>(VtdIqercd::IQEI::get(bench.read64(vtd_reg::kIqercd)))
               : E::kNoInformation;
  };
  Bench bench;
  bench.enable();
  bench.write64(vtd_reg::kIqt, 0x10);
  EXPECT_EQ(error(bench), E::kTailMisaligned);
  bench.write64(vtd_reg::kIqt, 0);
  bench.write32(vtd_reg::kFsts, VtdFsts::IQE::kMask);
  bench.write64(vtd_reg::kIqt, 0x1000);
  EXPECT_EQ(error(bench), E::kInvalidTail);
  bench.write64(vtd_reg::kIqt, 0);
  bench.write32(vtd_reg::kFsts, VtdFsts::IQE::kMask);
  EXPECT_EQ(error(bench), E::kNoInformation);
  // 128-bit descriptors in scalable mode; a queue outside memory.
  bench.command(VtdGcmd::QIE::kMask, false);
  EXPECT_EQ(bench.read64(vtd_reg::kIqh), 0U);
  bench.write64(vtd_reg::kIqa, Bench::kQueue);
  bench.command(VtdGcmd::QIE::kMask, true);
  bench.write64(vtd_reg::kIqt, 0x20);
  EXPECT_EQ(error(bench), E::kInvalidWidth);
  bench.write64(vtd_reg::kIqt, 0);
  bench.write32(vtd_reg::kFsts, VtdFsts::IQE::kMask);
  bench.command(VtdGcmd::QIE::kMask, false);
  bench.write64(vtd_reg::kIqa, 0x3F'0000'0000U | VtdIqa::DW::kMask);
  bench.command(VtdGcmd::QIE::kMask, true);
  bench.write64(vtd_reg::kIqt, 0x20);
  EXPECT_EQ(error(bench), E::kFetchError);
}

TEST(IommuQueueErrors, ScalableKindsInLegacyMode) {
  IommuBenchOptions options;
  options.scalable = false;
  Bench bench(options);
  bench.enable();
  bench.submit({make_pasid_cache(PasidCacheGranularity::kGlobal)});
  bench.run_for(10'000 * kNs);
  EXPECT_EQ(VtdIqercd::IQEI::get(bench.read64(vtd_reg::kIqercd)),
            static_cast<std::uint64_t>(InvalidationQueueError::kInvalidType));
}

}  // namespace
}  // namespace svasim::test
