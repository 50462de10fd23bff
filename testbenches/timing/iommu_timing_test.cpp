// When the IOMMU answers, by formula.
#include <gtest/gtest.h>

#include "support/iommu_bench.h"

namespace svasim::test {
namespace {

using Bench = IommuBench;
constexpr Ps kNs = 1000;

// Look-up, forwarding and response, without memory.
Ps own_time(const IommuParams& p) { return p.lookup_latency() + p.forward_latency + p.response_latency; }
// A walk from a given number of reads, in a walker without contention.
Ps walk_time(const IommuParams& p, unsigned reads) {
  return p.paging_latency + (reads + 1) * walker_params().defaults().step_latency +
         reads * Bench::memory_time(8);
}

// MODEL: A and D are preset in these tables, so that walks only read.
constexpr LeafRights kUsed{true, true, true, FirstStageEntry::A::kMask | FirstStageEntry::D::kMask};

// Sets A in every table entry on the way to the page.
void preset(PageTableBuilder& table, Addr iova) {
  for (unsigned level = table.levels(); level > 1; --level) {
    table.set_entry(iova, level, table.entry(iova, level) | FirstStageEntry::A::kMask);
  }
}

TEST(IommuTiming, HitCostsLookUpForwardMemoryAndResponse) {
  Bench bench;
  bench.first->map(0x7000'0000, Bench::kData, 12, kUsed);
  bench.enable();
  bench.memory->contents().write64(Bench::kData + 0x40, 0x1122334455667788);
  bench.ask(bench.read(Bench::kPasid, 0x7000'0000));
  const std::uint64_t wakeups = bench.iommu->wake().wakeups();
  const Ps sent = now_ps();
  const DeviceAnswer& answer = bench.ask(bench.read(Bench::kPasid, 0x7000'0040));
  EXPECT_EQ(answer.at, sent + 1 * kNs + own_time(bench.params) + Bench::memory_time(64));
  EXPECT_EQ(answer.credit_at, sent + 1 * kNs + bench.params.lookup_latency() + 1);
  EXPECT_EQ(bench.device().word(bench.asked), 0x1122334455667788U);
  EXPECT_TRUE(answer.translation.hit);
  EXPECT_EQ(answer.address, 0x7000'0040U) << "the device gets its own address back";
  EXPECT_EQ(answer.translation.address, Bench::kData);
  EXPECT_EQ(answer.attribution[Stage::kMemory], Bench::memory_time(64));
  EXPECT_EQ(answer.attribution[Stage::kIommuLookup], own_time(bench.params));
  EXPECT_EQ(answer.attribution.total(), answer.at - sent);
  EXPECT_EQ(bench.iommu->wake().wakeups() - wakeups, 1U) << "a hit costs one wake-up";
}

TEST(IommuTiming, FirstAccessFetchesEveryStructureAndWalks) {
  Bench bench;
  bench.first->map(0x7000'0000, Bench::kData, 12, kUsed);
  preset(*bench.first, 0x7000'0000);
  bench.enable();
  const Ps sent = now_ps();
  const DeviceAnswer& answer = bench.ask(bench.read(Bench::kPasid, 0x7000'0000));
  // Root 16 B, context 32 B, directory 8 B, PASID entry 64 B, each leaving 1 ps after it is wanted.
  const Ps fetch =
      Bench::memory_time(16) + Bench::memory_time(32) + Bench::memory_time(8) + Bench::memory_time(64) + 4;
  const Ps expected = 1 * kNs + own_time(bench.params) + fetch + bench.params.iotlb_latency +
                      walk_time(bench.params, 4) + Bench::memory_time(64);
  EXPECT_EQ(answer.at, sent + expected);
  EXPECT_EQ(answer.attribution[Stage::kContextFetch], fetch);
  EXPECT_EQ(answer.attribution[Stage::kWalkRead], 4 * Bench::memory_time(8));
  EXPECT_EQ(answer.attribution.total(), answer.at - sent);
}

// Wrong start level after a paging-structure-cache hit: a neighbour page needs exactly one read.
TEST(IommuTiming, PagingStructureCacheSkipsLevels) {
  Bench bench;
  bench.first->map(0x7000'0000, Bench::kData, 12, kUsed);
  bench.first->map(0x7000'1000, Bench::kData + 0x5000, 12, kUsed);
  bench.first->map(0x7020'0000, Bench::kData + 0x6000, 12, kUsed);
  preset(*bench.first, 0x7000'0000);
  preset(*bench.first, 0x7020'0000);
  bench.enable();
  bench.ask(bench.read(Bench::kPasid, 0x7000'0000));
  const Ps sent = now_ps();
  const DeviceAnswer& neighbour = bench.ask(bench.read(Bench::kPasid, 0x7000'1000));
  EXPECT_EQ(neighbour.translation.address, Bench::kData + 0x5000);
  EXPECT_EQ(neighbour.at,
            sent + 1 * kNs + own_time(bench.params) + walk_time(bench.params, 1) + Bench::memory_time(64));
  // 2 MiB further: the level-1 table is another one, the level-2 table is known.
  const Ps sent2 = now_ps();
  const DeviceAnswer& further = bench.ask(bench.read(Bench::kPasid, 0x7020'0000));
  EXPECT_EQ(further.translation.address, Bench::kData + 0x6000);
  EXPECT_EQ(further.at,
            sent2 + 1 * kNs + own_time(bench.params) + walk_time(bench.params, 2) + Bench::memory_time(64));
}

TEST(IommuTiming, WithoutPagingStructureCacheEveryWalkStartsAtTheTop) {
  IommuBenchOptions options;
  options.iommu.first_stage_cache.enable = false;
  Bench bench(options);
  bench.first->map(0x7000'0000, Bench::kData, 12, kUsed);
  bench.first->map(0x7000'1000, Bench::kData + 0x5000, 12, kUsed);
  preset(*bench.first, 0x7000'0000);
  bench.enable();
  bench.ask(bench.read(Bench::kPasid, 0x7000'0000));
  const Ps sent = now_ps();
  const DeviceAnswer& neighbour = bench.ask(bench.read(Bench::kPasid, 0x7000'1000));
  EXPECT_EQ(neighbour.at,
            sent + 1 * kNs + own_time(bench.params) + walk_time(bench.params, 4) + Bench::memory_time(64));
}

// Rights of the tables above are kept by the paging-structure cache.
TEST(IommuTiming, PagingStructureCacheKeepsRights) {
  Bench bench;
  bench.first->map(0x7000'0000, Bench::kData, 12, kUsed);
  bench.first->map(0x7000'1000, Bench::kData + 0x5000, 12, kUsed);
  bench.first->set_entry(0x7000'0000, 2, bench.first->entry(0x7000'0000, 2) & ~FirstStageEntry::RW::kMask);
  bench.enable();
  EXPECT_EQ(bench.ask(bench.read(Bench::kPasid, 0x7000'0000)).fault, FaultReason::kNone);
  const std::uint64_t reads = bench.walker->stats().reads.value;
  EXPECT_EQ(bench.ask(Bench::as_write(bench.read(Bench::kPasid, 0x7000'1000))).fault, FaultReason::kNoWrite);
  EXPECT_EQ(bench.walker->stats().reads.value - reads, 1U);
}

// Look-ups start one per interval; the second of two that arrive together waits one interval.
TEST(IommuTiming, LookUpsAreOnePerInterval) {
  IommuBenchOptions options;
  options.iommu.lookup_interval = 3 * kNs;
  Bench bench(options);
  bench.first->map(0x7000'0000, Bench::kData, 12, kUsed);
  bench.enable();
  bench.ask(bench.read(Bench::kPasid, 0x7000'0000));
  const Ps sent = now_ps();
  const std::size_t a = bench.device().send(bench.read(Bench::kPasid, 0x7000'0000));
  const std::size_t b = bench.device().send(bench.read(Bench::kPasid, 0x7000'0040));
  bench.run_for(1000 * kNs);
  const Ps one = sent + 1 * kNs + own_time(bench.params) + Bench::memory_time(64);
  EXPECT_EQ(bench.device().answer(a).at, one);
  EXPECT_EQ(bench.device().answer(b).at, one + 3 * kNs);
  EXPECT_EQ(bench.device().answer(b).attribution[Stage::kIommuQueue], 3 * kNs);
  EXPECT_EQ(bench.device().answer(b).attribution.total(), one + 3 * kNs - sent);
}

// With one slot the second request's look-up result waits until the first has its data.
TEST(IommuTiming, RequestSlotsLimitAndKeepOrder) {
  IommuBenchOptions options;
  options.iommu.request_slots = 1;
  Bench bench(options);
  bench.first->map(0x7000'0000, Bench::kData, 12, kUsed);
  bench.enable();
  bench.ask(bench.read(Bench::kPasid, 0x7000'0000));
  const Ps sent = now_ps();
  const std::size_t a = bench.device().send(bench.read(Bench::kPasid, 0x7000'0000));
  const std::size_t b = bench.device().send(bench.read(Bench::kPasid, 0x7000'0040));
  bench.run_for(1000 * kNs);
  const Ps begun_a = sent + 1 * kNs + bench.params.lookup_latency();
  const Ps data_a = begun_a + bench.params.forward_latency + Bench::memory_time(64);
  EXPECT_EQ(bench.device().answer(a).at, data_a + bench.params.response_latency);
  // The slot is free when the data of the first is there.
  EXPECT_EQ(bench.device().answer(b).credit_at, data_a + 1);
  EXPECT_EQ(bench.device().answer(b).at,
            data_a + bench.params.forward_latency + Bench::memory_time(64) + bench.params.response_latency);
  EXPECT_EQ(bench.device().answer(b).attribution.total(), bench.device().answer(b).at - sent);
}

// Two walks for one page: requests for a page that is being walked wait for it.
TEST(IommuTiming, RequestsForOnePageShareItsWalk) {
  Bench bench;
  bench.first->map(0x7000'0000, Bench::kData, 12, kUsed);
  bench.first->map(0x7000'1000, Bench::kData + 0x1000, 12, kUsed);
  bench.enable();
  bench.ask(bench.read(Bench::kPasid, 0x7000'0000));
  const std::uint64_t walks = bench.walker->stats().started.value;
  std::vector<std::size_t> numbers;
  for (unsigned i = 0; i < 8; ++i) {
    numbers.push_back(bench.device().send(bench.read(Bench::kPasid, 0x7000'1000 + i * 64), (i + 1) * kNs));
  }
  bench.run_for(1000 * kNs);
  EXPECT_EQ(bench.walker->stats().started.value - walks, 1U);
  EXPECT_EQ(bench.iommu->stats().merged_walks.value, 7U);
  for (const std::size_t number : numbers) {
    EXPECT_EQ(bench.device().answer(number).translation.address, Bench::kData + 0x1000);
    EXPECT_EQ(bench.device().answer(number).fault, FaultReason::kNone);
  }
}

// Spaces must not share walks: the same IOVA in two PASIDs is two pages.
TEST(IommuTiming, MergeKeepsAddressSpacesApart) {
  Bench bench;
  bench.first->map(0x7000'0000, Bench::kData, 12, kUsed);
  bench.first2->map(0x7000'0000, Bench::kData + 0x9000, 12, kUsed);
  bench.enable();
  const std::size_t a = bench.device().send(bench.read(Bench::kPasid, 0x7000'0000));
  const std::size_t b = bench.device().send(bench.read(Bench::kPasid2, 0x7000'0000));
  bench.run_for(5000 * kNs);
  EXPECT_EQ(bench.device().answer(a).translation.address, Bench::kData);
  EXPECT_EQ(bench.device().answer(b).translation.address, Bench::kData + 0x9000);
  // And from the IOTLB.
  EXPECT_EQ(bench.ask(bench.read(Bench::kPasid, 0x7000'0000)).translation.address, Bench::kData);
  EXPECT_EQ(bench.ask(bench.read(Bench::kPasid2, 0x7000'0000)).translation.address, Bench::kData + 0x9000);
}

// One walk at a time: those that find none free wait, in order, and nobody is lost.
TEST(IommuTiming, WalksAreLimited) {
  IommuBenchOptions options;
  options.iommu.walks = 1;
  Bench bench(options);
  for (unsigned i = 0; i < 4; ++i) {
    bench.first->map(0x7000'0000 + i * 0x1000, Bench::kData + i * 0x1000, 12, kUsed);
  }
  preset(*bench.first, 0x7000'0000);
  bench.enable();
  bench.ask(bench.read(Bench::kPasid, 0x7000'0000));
  const Ps sent = now_ps();
  std::vector<std::size_t> numbers;
  for (unsigned i = 1; i < 4; ++i) {
    numbers.push_back(bench.device().send(bench.read(Bench::kPasid, 0x7000'0000 + i * 0x1000), i * 10 * kNs));
  }
  bench.run_for(5000 * kNs);
  for (unsigned i = 0; i < 3; ++i) {
    EXPECT_EQ(bench.device().answer(numbers[i]).at, sent + 10 * kNs + own_time(bench.params) +
                                                        (i + 1) * walk_time(bench.params, 1) +
                                                        Bench::memory_time(64))
        << i;
  }
}

// A write must not overtake an earlier write of its requester that still walks.
TEST(IommuTiming, WritesOfOneRequesterStayInOrder) {
  for (const bool ordered : {true}) {
    IommuBenchOptions options;
    options.iommu.ordered_writes = ordered;
    Bench bench(options);
    bench.first->map(0x7000'0000, Bench::kData, 12, kUsed);
    bench.first->map(0x7000'1000, Bench::kData + 0x1000, 12, kUsed);
    bench.enable();
    bench.ask(bench.read(Bench::kPasid, 0x7000'0000));
    const std::size_t miss =
        bench.device().send(Bench::as_write(bench.read(Bench::kPasid, 0x7000'1000)), 1 * kNs);
    const std::size_t hit =
        bench.device().send(Bench::as_write(bench.read(Bench::kPasid, 0x7000'0000)), 2 * kNs);
    const std::size_t read = bench.device().send(bench.read(Bench::kPasid, 0x7000'0000), 3 * kNs);
    bench.run_for(5000 * kNs);
    EXPECT_LE(bench.device().answer(miss).at, bench.device().answer(hit).at);
    EXPECT_LT(bench.device().answer(read).at, bench.device().answer(miss).at) << "a read may pass";
  }
}

TEST(IommuTiming, NothingIsLeftBehind) {
  Bench bench;
  bench.first->map(0x7000'0000, Bench::kData, 12, kUsed);
  bench.enable();
  for (unsigned i = 0; i < 64; ++i) {
    bench.device().send(bench.read(Bench::kPasid, 0x7000'0000 + (i % 3) * 0x1000), (i + 1) * kNs);
  }
  EXPECT_GT(bench.iommu->in_flight(), 0U);
  bench.run_for(100'000 * kNs);
  EXPECT_EQ(bench.iommu->in_flight(), 0U);
  EXPECT_EQ(bench.pool.live(), 0U);
  const IommuStats& s = bench.iommu->stats();
  EXPECT_EQ(s.untranslated.value, s.completed.value + s.faulted.value + s.rejected.value);
  EXPECT_EQ(s.walks_started.value, s.walks_finished.value);
  bench.checkers[0]->finish();
  EXPECT_EQ(bench.checkers[0]->violations().count(), 0U) << bench.checkers[0]->violations();
}

}  // namespace
}  // namespace svasim::test
