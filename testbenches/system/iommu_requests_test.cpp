// Requests that meet: merging, rights, A/D bits, page requests, both timing modes, determinism.
#include <gtest/gtest.h>

#include "base/rng.h"
#include "models/formats/vtd_page_request.h"
#include "support/iommu_bench.h"

namespace svasim::test {
namespace {

using Bench = IommuBench;
constexpr Ps kNs = 1000;
constexpr Addr kA = 0x7000'0000;
constexpr std::uint64_t kAccessed = FirstStageEntry::A::kMask;
constexpr std::uint64_t kDirty = FirstStageEntry::D::kMask;
constexpr LeafRights kUsed{true, true, true, kAccessed | kDirty};

// --- No Snoop. SPEC: [VTD 3.5]

// Whether the last of three equal reads hits in the last-level cache.
bool snoops(Bench& bench, DeviceRequest read, bool no_snoop) {
  bench.ask(read);  // structures and tables are read
  bench.ask(read);  // the line is cached
  const MemoryStats& stats = bench.memory->stats();
  const std::uint64_t hits = stats.llc_hits.value;
  const std::uint64_t misses = stats.llc_misses.value;
  read.no_snoop = no_snoop;
  bench.ask(read);
  EXPECT_EQ(stats.llc_misses.value, misses);
  return stats.llc_hits.value == hits + 1;
}

TEST(IommuSnoop, NoSnoopCountsUnlessTheTablesForceIt) {
  IommuBenchOptions options;
  options.llc = true;
  Bench bench(options);
  bench.first->map(kA, Bench::kData, 12, kUsed);
  bench.second->map(kA, Bench::kData + 0x1000, 12, {true, true, true});
  bench.second->map(kA + 0x1000, Bench::kData + 0x2000, 12, {true, true, true, SecondStageEntry::SNP::kMask});
  Words<8> entry = first_stage_pasid_entry(bench.first->root(), 4, Bench::kFirstDomain);
  PasidTableEntry::PGSNP::set(entry, 1);
  bench.tables->set_pasid_entry(Bench::kDevice, Bench::kPasid2, entry);
  bench.enable();
  EXPECT_TRUE(snoops(bench, bench.read(Bench::kPasid, kA), false));
  EXPECT_FALSE(snoops(bench, bench.read(Bench::kPasid, kA), true));
  EXPECT_TRUE(snoops(bench, bench.read(Bench::kPasid2, kA), true)) << "PGSNP";
  EXPECT_FALSE(snoops(bench, bench.read(Bench::kSecond, kA), true));
  EXPECT_TRUE(snoops(bench, bench.read(Bench::kSecond, kA + 0x1000), true)) << "SNP of the leaf";
  const DeviceRequest translated = Bench::as_translated(bench.plain_read(Bench::kData));
  EXPECT_FALSE(snoops(bench, translated, true)) << "the device has heeded N";
}

// --- Merging

// Requests of all kinds for one page at once: each gets the answer it would get alone.
TEST(IommuMerge, DifferentAccessesToOnePage) {
  Bench bench;
  bench.first->map(kA, Bench::kData, 12, {true, false, true});  // read only
  bench.enable();
  bench.ask(bench.read(Bench::kPasid2, kA));  // contexts
  bench.ask(bench.read(Bench::kPasid, kA + 0x1000));
  const DeviceRequest read = bench.read(Bench::kPasid, kA);
  const std::size_t read1 = bench.device().send(read, 1 * kNs);
  const std::size_t write = bench.device().send(Bench::as_write(read), 2 * kNs);
  const std::size_t ats_write = bench.device().send(Bench::as_translation(read), 3 * kNs);
  const std::size_t ats_read = bench.device().send(Bench::as_translation(read, true), 4 * kNs);
  const std::size_t read2 = bench.device().send(read, 5 * kNs);
  bench.run_for(10'000 * kNs);
  EXPECT_EQ(bench.device().answer(read1).fault, FaultReason::kNone);
  EXPECT_EQ(bench.device().answer(read2).translation.address, Bench::kData);
  EXPECT_EQ(bench.device().answer(write).fault, FaultReason::kNoWrite);
  EXPECT_EQ(bench.device().answer(ats_write).fault, FaultReason::kNone);
  EXPECT_TRUE(bench.device().answer(ats_write).translation.read);
  EXPECT_FALSE(bench.device().answer(ats_write).translation.write);
  EXPECT_TRUE(bench.device().answer(ats_read).translation.read);
  EXPECT_EQ(bench.iommu->in_flight(), 0U);
  EXPECT_EQ(bench.iommu->stats().walks_started.value, bench.iommu->stats().walks_finished.value);
}

// A write that joined a read's walk sets the dirty bit by a walk of its own before it goes on.
TEST(IommuMerge, WriteBehindReadSetsDirty) {
  Bench bench;
  bench.first->map(kA, Bench::kData, 12, {true, true, true});
  bench.enable();
  const std::size_t read = bench.device().send(bench.read(Bench::kPasid, kA), 1 * kNs);
  const std::size_t write = bench.device().send(Bench::as_write(bench.read(Bench::kPasid, kA)), 2 * kNs);
  bench.run_for(10'000 * kNs);
  EXPECT_EQ(bench.device().answer(read).fault, FaultReason::kNone);
  EXPECT_EQ(bench.device().answer(write).fault, FaultReason::kNone);
  EXPECT_EQ(bench.first->entry(kA, 1) & (kAccessed | kDirty), kAccessed | kDirty);
  EXPECT_EQ(bench.iommu->stats().merged_walks.value, 1U);
  EXPECT_EQ(bench.iommu->stats().walks_started.value, 2U);
}

// A write that faults its walk must not fault the read that joined it.
TEST(IommuMerge, ReadBehindFaultingWrite) {
  Bench bench;
  bench.first->map(kA, Bench::kData, 12, {true, false, true});
  bench.enable();
  const std::size_t write = bench.device().send(Bench::as_write(bench.read(Bench::kPasid, kA)), 1 * kNs);
  const std::size_t read = bench.device().send(bench.read(Bench::kPasid, kA), 2 * kNs);
  bench.run_for(10'000 * kNs);
  EXPECT_EQ(bench.device().answer(write).fault, FaultReason::kNoWrite);
  EXPECT_EQ(bench.device().answer(read).fault, FaultReason::kNone);
}

// Translated requests never wait for a walk of "their" page: they have physical addresses.
TEST(IommuMerge, TranslatedRequestsPass) {
  Bench bench;
  bench.second->map(kA, Bench::kData, 12);
  bench.enable();
  bench.ask(bench.plain_read(kA + 0x1000));
  const std::size_t walking = bench.device().send(bench.plain_read(kA), 1 * kNs);
  const std::size_t translated =
      bench.device().send(Bench::as_translated(bench.plain_read(kA & 0x3FFFFFFF)), 2 * kNs);
  bench.run_for(10'000 * kNs);
  EXPECT_LT(bench.device().answer(translated).at, bench.device().answer(walking).at);
  EXPECT_EQ(bench.device().answer(translated).translation.address, kA & 0x3FFFFFFF);
}

// The IOMMU full of requests that need walks still gets its walks done: structure reads and walks
// do not queue behind the requests that wait for them.
TEST(IommuMerge, FullOfMissesMakesProgress) {
  IommuBenchOptions options;
  options.iommu.request_slots = 4;
  options.iommu.walks = 2;
  options.iommu.structure_fetches = 1;
  options.walker_slots = 1;
  Bench bench(options);
  for (unsigned i = 0; i < 64; ++i) {
    bench.first->map(kA + i * kPageSize, Bench::kData + i * kPageSize, 12, kUsed);
    bench.first2->map(kA + i * kPageSize, Bench::kData + i * kPageSize, 12, kUsed);
    bench.second->map(kA + i * kPageSize, Bench::kData + i * kPageSize, 12);
  }
  bench.enable();
  std::vector<std::size_t> numbers;
  for (unsigned i = 0; i < 64; ++i) {
    DeviceRequest request = i % 3 == 0   ? bench.plain_read(kA + i * kPageSize)
                            : i % 3 == 1 ? bench.read(Bench::kPasid, kA + i * kPageSize)
                                         : Bench::as_write(bench.read(Bench::kPasid2, kA + i * kPageSize));
    numbers.push_back(bench.device().send(request, (i + 1) * kNs));
  }
  bench.run_for(200'000 * kNs);
  for (const std::size_t number : numbers) {
    ASSERT_TRUE(bench.device().answer(number).done);
    EXPECT_EQ(bench.device().answer(number).fault, FaultReason::kNone);
  }
  EXPECT_EQ(bench.iommu->in_flight(), 0U);
}

// --- Accessed and dirty

TEST(IommuAccessedDirty, ReadSetsAWriteSetsD) {
  for (const bool loose : {true}) {
    IommuBenchOptions options;
    options.loose = loose;
    Bench bench(options);
    bench.first->map(kA, Bench::kData, 12);
    bench.enable();
    bench.ask(bench.read(Bench::kPasid, kA));
    for (unsigned level = 1; level <= 4; ++level) {
      EXPECT_EQ(bench.first->entry(kA, level) & kAccessed, kAccessed) << level;
    }
    EXPECT_EQ(bench.first->entry(kA, 1) & kDirty, 0U);
    // The cached page is clean: a write walks again to set D, once.
    EXPECT_FALSE(bench.ask(Bench::as_write(bench.read(Bench::kPasid, kA))).translation.hit);
    EXPECT_EQ(bench.first->entry(kA, 1) & kDirty, kDirty);
    EXPECT_TRUE(bench.ask(Bench::as_write(bench.read(Bench::kPasid, kA))).translation.hit);
  }
}

// SPEC: [VTD 3.6.2] answering a translation request without NW counts as a write.
TEST(IommuAccessedDirty, TranslationRequests) {
  Bench bench;
  bench.first->map(kA, Bench::kData, 12);
  bench.enable();
  const DeviceAnswer read_only = bench.ask(Bench::as_translation(bench.read(Bench::kPasid, kA), true));
  EXPECT_TRUE(read_only.translation.read);
  EXPECT_FALSE(read_only.translation.write);
  EXPECT_EQ(bench.first->entry(kA, 1) & kDirty, 0U);
  const DeviceAnswer full = bench.ask(Bench::as_translation(bench.read(Bench::kPasid, kA)));
  EXPECT_TRUE(full.translation.write);
  EXPECT_EQ(bench.first->entry(kA, 1) & kDirty, kDirty);
}

// More rights given by software without an invalidation are found: a hit with too few rights walks.
TEST(IommuAccessedDirty, UpgradedRightsAreFound) {
  Bench bench;
  bench.first->map(kA, Bench::kData, 12, {true, false, true});
  bench.enable();
  bench.ask(bench.read(Bench::kPasid, kA));
  EXPECT_EQ(bench.ask(Bench::as_write(bench.read(Bench::kPasid, kA))).fault, FaultReason::kNoWrite);
  bench.first->map(kA, Bench::kData, 12, {true, true, true});
  EXPECT_EQ(bench.ask(Bench::as_write(bench.read(Bench::kPasid, kA))).fault, FaultReason::kNone);
}

// Software unmaps and invalidates while a walk is between reading the leaf and setting A: the update
// must not bring the entry back. The entry ends empty, whoever comes first.
TEST(IommuAccessedDirty, UpdateRacingAnUnmap) {
  Bench bench;
  bench.first->map(kA, Bench::kData, 12);
  bench.enable();
  bench.ask(bench.read(Bench::kPasid, kA + 0x1000));
  for (unsigned i = 1; i < 400; i += 7) {
    bench.first->map(kA, Bench::kData, 12);
    const std::size_t write = bench.device().send(Bench::as_write(bench.read(Bench::kPasid, kA)), kNs);
    bench.run_for(i * kNs);
    bench.first->unmap(kA);
    ASSERT_TRUE(bench.invalidate({make_pasid_iotlb_page(Bench::kFirstDomain, Bench::kPasid, kA, 0, true)}));
    EXPECT_EQ(bench.first->entry(kA, 1), 0U) << "an A/D update brought an entry back, " << i << " ns";
    EXPECT_TRUE(bench.device().answer(write).done) << "the wait completed before the write was drained";
    const DeviceAnswer& later = bench.ask(bench.read(Bench::kPasid, kA));
    EXPECT_EQ(later.fault, FaultReason::kFirstStageNotPresent);
  }
  EXPECT_EQ(bench.iommu->stats().stale_uses.value, 0U);
}

// --- Page requests

TEST(IommuPageRequests, ReachTheQueueAndAreAnswered) {
  for (const bool loose : {false}) {
    IommuBenchOptions options;
    options.loose = loose;
    Bench bench(options);
    bench.first->map(kA, Bench::kData, 12, kUsed);
    bench.enable();
    bench.ask(bench.read(Bench::kPasid, kA));
    const DeviceAnswer& answer = bench.ask(bench.page_request(Bench::kPasid, kA, true, true, 9));
    EXPECT_EQ(answer.fault, FaultReason::kNone);
    EXPECT_EQ(bench.read64(vtd_reg::kPqt), 32U);
    PageRequestDescriptor descriptor{};
    bench.memory->contents().read(Bench::kPageQueue, descriptor.data(), 32);
    const PageRequest request = decode_page_request(descriptor);
    EXPECT_EQ(request.requester, Bench::kDevice);
    EXPECT_EQ(request.pasid, Bench::kPasid);
    EXPECT_EQ(request.page, kA);
    EXPECT_EQ(request.prg_index, 9U);
    EXPECT_TRUE(request.last && request.write);
    // SPEC: [VTD 6.5.3.1] the page was dropped from the IOTLB on the way.
    EXPECT_FALSE(bench.ask(bench.read(Bench::kPasid, kA)).translation.hit);
    // Software answers through the queue.
    ASSERT_TRUE(bench.invalidate(
        {make_page_group_response(Bench::kDevice, true, Bench::kPasid, 9, PageResponseCode::kSuccess)}));
    ASSERT_EQ(bench.device().received().size(), 1U);
    const DeviceMessage& response = bench.device().message(0);
    EXPECT_EQ(response.kind, TlpKind::kPrgResponse);
    EXPECT_EQ(response.prg_index, 9U);
    EXPECT_EQ(response.response_code, 0U);
    EXPECT_EQ(response.pasid, Bench::kPasid);
    EXPECT_EQ(bench.pool.live(), 0U);
  }
}

// A full queue: the last request of a group is answered Success by the hardware, others are dropped.
TEST(IommuPageRequests, Overflow) {
  Bench bench;
  bench.enable();
  // 128 entries hold 127 requests.
  for (unsigned i = 0; i < 127; ++i) {
    bench.ask(bench.page_request(Bench::kPasid, kA, false, false, 1));
  }
  EXPECT_TRUE(bench.device().received().empty());
  bench.ask(bench.page_request(Bench::kPasid, kA, false, false, 2));
  EXPECT_NE(bench.read32(vtd_reg::kPrs) & VtdPrs::PRO::kMask, 0U);
  bench.run_for(1'000 * kNs);
  EXPECT_TRUE(bench.device().received().empty());
  bench.ask(bench.page_request(Bench::kPasid, kA, false, true, 3));
  bench.run_for(1'000 * kNs);
  ASSERT_EQ(bench.device().received().size(), 1U);
  EXPECT_EQ(bench.device().message(0).prg_index, 3U);
  EXPECT_EQ(bench.device().message(0).response_code, 0U);
  EXPECT_EQ(bench.read32(vtd_reg::kFsts), 0U);
}

// --- Waits with a fence

TEST(IommuFence, HoldsLaterDescriptorsBack) {
  Bench bench;
  bench.device().invalidate_delay = kNever;
  bench.first->map(kA, Bench::kData, 12, kUsed);
  bench.enable();
  bench.ask(bench.read(Bench::kPasid, kA));
  const AtsRange range = encode_range(0, 64);
  bench.submit({make_device_tlb(Bench::kDevice, range.address, range.size_bit, 0), make_wait_fence(),
                make_iotlb_global(), make_wait_status(Bench::kStatus, 6)});
  bench.run_for(10'000 * kNs);
  EXPECT_TRUE(bench.ask(bench.read(Bench::kPasid, kA)).translation.hit) << "the fence did not hold";
  bench.device().complete(bench.device().message(0));
  bench.run_for(10'000 * kNs);
  EXPECT_EQ(bench.status(), 6U);
  EXPECT_FALSE(bench.ask(bench.read(Bench::kPasid, kA)).translation.hit);
  EXPECT_EQ(bench.iommu->stats().descriptors.value, 4U);
}

// A fence that is done at once: every descriptor still executes exactly once.
TEST(IommuFence, DoneAtOnce) {
  Bench bench;
  bench.enable();
  for (unsigned i = 0; i < 10; ++i) {
    bench.put(make_wait_fence());
    bench.put(make_iotlb_global());
  }
  ASSERT_TRUE(bench.invalidate({}));
  EXPECT_EQ(bench.iommu->stats().descriptors.value, 21U);
  EXPECT_EQ(bench.iommu->stats().waits.value, 11U);
}

// --- Links

TEST(IommuLinks, MessagesGoToTheLinkOfTheirRequester) {
  IommuBenchOptions options;
  options.links = 3;
  Bench bench(options);
  const RequesterId other = RequesterId::from_bdf(7, 0, 0);
  bench.enable();
  bench.iommu->add_device(2, other);
  bench.ask(bench.plain_read(kA), 1);  // learnt from its first request, a fault
  const AtsRange range = encode_range(0, 64);
  ASSERT_TRUE(bench.invalidate({make_device_tlb(other, range.address, range.size_bit, 0),
                                make_device_tlb(Bench::kDevice, range.address, range.size_bit, 0)}));
  EXPECT_EQ(bench.device(0).received().size(), 0U);
  EXPECT_EQ(bench.device(1).received().size(), 1U);
  EXPECT_EQ(bench.device(2).received().size(), 1U);
}

// --- Both timing modes, one behaviour; and the same results whoever comes first

struct Outcome {
  std::vector<std::tuple<FaultReason, CompletionStatus, Addr, unsigned, bool, bool>> answers;
  std::uint64_t contents = 0;
};

IommuBenchOptions small_caches(bool loose) {
  IommuBenchOptions options;
  options.loose = loose;
  options.iommu.iotlb.entries = 8;
  options.iommu.iotlb.ways = 2;
  options.iommu.first_stage_cache.entries = 4;
  options.prefix = loose ? "loose_" : "approximate_";
  options.start = loose;
  return options;
}

Outcome random_run(Bench& bench, std::uint64_t seed) {
  RngStream rng(seed, "requests");
  for (unsigned i = 0; i < 32; ++i) {
    LeafRights rights;
    rights.write = rng.below(4) != 0;
    rights.user = rng.below(8) != 0;
    if (rng.below(8) != 0) {
      bench.first->map(kA + i * kPageSize, Bench::kData + i * kPageSize, 12, rights);
    }
    if (rng.below(8) != 0) {
      bench.second->map(kA + i * kPageSize, Bench::kData + (i + 64) * kPageSize, 12, rights);
    }
  }
  bench.first->map(0x8020'0000, 0x10400000, 21);
  bench.enable();
  Outcome outcome;
  for (unsigned i = 0; i < 600; ++i) {
    const Addr page =
        rng.below(10) == 0 ? 0x8020'0000 + rng.below(512) * kPageSize : kA + rng.below(33) * kPageSize;
    const Addr address = page + rng.below(64) * 64;
    DeviceRequest request =
        rng.below(2) == 0 ? bench.read(Bench::kPasid, address) : bench.plain_read(address);
    switch (rng.below(5)) {
      case 0:
        request = Bench::as_translation(request, rng.below(2) == 0);
        break;
      case 1:
      case 2:
        request = Bench::as_write(request);
        break;
      default:
        break;
    }
    const DeviceAnswer& answer = bench.ask(request);
    outcome.answers.emplace_back(answer.fault, answer.status, answer.translation.address,
                                 answer.translation.page_shift, answer.translation.read,
                                 answer.translation.write);
    if (rng.below(20) == 0) {
      bench.invalidate({make_iotlb_global()});
    }
  }
  outcome.contents = bench.memory->contents().digest();
  return outcome;
}

// WHY two systems in one simulation: a kernel cannot be started twice in a process.
TEST(IommuModesAgree, LooseAndApproximate) {
  Bench approximate_bench(small_caches(false));
  Bench loose_bench(small_caches(true));
  const Outcome approximate = random_run(approximate_bench, 11);
  const Outcome loose = random_run(loose_bench, 11);
  ASSERT_EQ(approximate.answers.size(), 600U);
  for (std::size_t i = 0; i < loose.answers.size(); ++i) {
    EXPECT_EQ(approximate.answers[i], loose.answers[i]) << "request " << i;
  }
  EXPECT_EQ(approximate.contents, loose.contents);
  EXPECT_GT(loose_bench.iommu->stats().faulted.value, 20U);
}

// --- Registers over the bus

TEST(IommuRegisters, CapabilitiesFollowParameters) {
  Bench bench;
  const std::uint64_t cap = bench.read64(vtd_reg::kCap);
  EXPECT_EQ(VtdCap::ND::get(cap), 6U);
  EXPECT_EQ(VtdCap::NFR::get(cap), 7U);
  EXPECT_EQ(VtdCap::FRO::get(cap) * 16, std::uint64_t{Capabilities::kFaultRecordOffset});
  EXPECT_EQ(VtdCap::MGAW::get(cap), 47U);
  EXPECT_EQ(VtdCap::SAGAW::get(cap), 6U);
  EXPECT_EQ(VtdCap::SSLPS::get(cap), 3U);
  EXPECT_EQ(VtdCap::ESRTPS::get(cap), 1U);
  EXPECT_EQ(VtdCap::RWBF::get(cap) | VtdCap::CM::get(cap), 0U);
  EXPECT_EQ(VtdCap::FS5LP::get(cap), 1U);
  const std::uint64_t ecap = bench.read64(vtd_reg::kEcap);
  EXPECT_EQ(VtdEcap::PSS::get(ecap), 19U);
  EXPECT_TRUE(VtdEcap::QI::get(ecap) && VtdEcap::DT::get(ecap) && VtdEcap::SMTS::get(ecap) &&
              VtdEcap::PASID::get(ecap) && VtdEcap::PRS::get(ecap) && VtdEcap::FSTS::get(ecap));
  EXPECT_EQ(VtdEcap::NEST::get(ecap), 1U);
  EXPECT_EQ(VtdEcap::IR::get(ecap) | VtdEcap::HPTS::get(ecap), 0U);
  EXPECT_EQ(bench.read32(vtd_reg::kVer) >> 4, 6U);
  // Halves and wholes agree; unknown offsets read 0.
  EXPECT_EQ(bench.read32(vtd_reg::kCap) | (std::uint64_t{bench.read32(vtd_reg::kCap + 4)} << 32), cap);
  EXPECT_EQ(bench.read64(0x300), 0U);
  bench.write64(0x300, ~std::uint64_t{0});
  bench.write64(vtd_reg::kCap, 0);
  EXPECT_EQ(bench.read64(vtd_reg::kCap), cap);
}

TEST(IommuRegisters, RootPointerTakesEffectAtSrtpOnly) {
  Bench bench;
  bench.first->map(kA, Bench::kData, 12, kUsed);
  bench.enable();
  EXPECT_EQ(bench.ask(bench.read(Bench::kPasid, kA)).fault, FaultReason::kNone);
  bench.write64(vtd_reg::kRtaddr, 0x3F'0000'0000U | VtdRtaddr::TTM::make(1));
  bench.invalidate({make_context_cache(ContextGranularity::kGlobal),
                    make_pasid_cache(PasidCacheGranularity::kGlobal), make_iotlb_global()});
  EXPECT_EQ(bench.ask(bench.read(Bench::kPasid, kA)).fault, FaultReason::kNone);
  bench.command(VtdGcmd::SRTP::kMask, true);
  bench.run_for(bench.params.set_root_latency + kNs);
  EXPECT_EQ(bench.ask(bench.read(Bench::kPasid, kA)).fault, FaultReason::kRootAccess);
}

// The timed register path: the answer comes register_latency later, the effect half-way.
TEST(IommuRegisters, TimedAccess) {
  Bench bench;
  Transaction& access =
      bench.pool.allocate(tlm::TLM_READ_COMMAND, bench.params.register_base + vtd_reg::kVer, nullptr, 4, 0);
  std::uint32_t value = 0;
  access.set_data_ptr(reinterpret_cast<unsigned char*>(&value));
  const Ps sent = now_ps();
  bench.host->send(access, kNs);
  bench.run_for(1'000 * kNs);
  EXPECT_EQ(value, 0x60U);
  // The bus adds 1 ns each way.
  EXPECT_EQ(bench.host->answered_at, sent + kNs + bench.params.register_latency + 2 * kNs);
}

}  // namespace
}  // namespace svasim::test
