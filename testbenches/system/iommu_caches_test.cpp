// How the IOMMU's caches are organised: tags, split by page size, parts, walks ahead, merging, ports.
#include <gtest/gtest.h>

#include "support/iommu_bench.h"

namespace svasim::test {
namespace {

using Bench = IommuBench;
constexpr Addr kA = 0x7000'0000;
constexpr LeafRights kUsed{true, true, true, FirstStageEntry::A::kMask | FirstStageEntry::D::kMask};

bool hit(Bench& bench, const DeviceRequest& request) {
  const DeviceAnswer& answer = bench.ask(request);
  EXPECT_EQ(answer.fault, FaultReason::kNone);
  return answer.translation.hit;
}

IommuBenchOptions with(const std::function<void(IommuParams&)>& change, bool loose = false) {
  IommuBenchOptions options;
  options.loose = loose;
  change(options.iommu);
  return options;
}

constexpr RequesterId kOther = RequesterId::from_bdf(2, 4, 0);

// A second requester whose plain requests have the domain and the RID_PASID of the first.
void add_other(Bench& bench) {
  bench.tables->set_context(kOther, ScalableContext());
  bench.tables->set_pasid_entry(kOther, Bench::kRidPasid,
                                second_stage_pasid_entry(bench.second->root(), 4, Bench::kSecondDomain));
}

DeviceRequest other_read(const Bench& bench, Addr address) {
  DeviceRequest request = bench.plain_read(address);
  request.requester = kOther;
  return request;
}

// Requesters share the translations of a domain and a PASID, unless entries are told apart by requester.
// SPEC: [VTD Table 17] entries of different PASIDs are kept apart, second stages too.
TEST(IotlbTag, DomainAndPasidShare) {
  Bench bench;
  bench.second->map(kA, Bench::kData, 12);
  bench.enable();
  add_other(bench);
  EXPECT_FALSE(hit(bench, bench.plain_read(kA)));
  EXPECT_TRUE(hit(bench, other_read(bench, kA)));
  EXPECT_FALSE(hit(bench, bench.read(Bench::kSecond, kA)));
}

TEST(IotlbTag, RequesterAndPasidDoNot) {
  Bench bench(with([](IommuParams& p) { p.iotlb.tag = "requester"; }));
  bench.second->map(kA, Bench::kData, 12);
  bench.enable();
  add_other(bench);
  EXPECT_FALSE(hit(bench, bench.plain_read(kA)));
  EXPECT_FALSE(hit(bench, other_read(bench, kA)));
  EXPECT_FALSE(hit(bench, bench.read(Bench::kSecond, kA)));
  EXPECT_TRUE(hit(bench, bench.plain_read(kA)));
  EXPECT_TRUE(hit(bench, other_read(bench, kA)));
  EXPECT_TRUE(hit(bench, bench.read(Bench::kSecond, kA)));
  // An invalidation of the domain finds all of them.
  ASSERT_TRUE(bench.invalidate({make_iotlb_page(Bench::kSecondDomain, kA, 0)}));
  EXPECT_FALSE(hit(bench, bench.plain_read(kA)));
  EXPECT_FALSE(hit(bench, bench.read(Bench::kSecond, kA)));
}

// Requests of two requesters in one domain for one page: one walk, or one each.
TEST(IotlbTag, DecidesWhichWalksMerge) {
  for (const char* tag : {"domain", "requester"}) {
    IommuBenchOptions options = with([&](IommuParams& p) { p.iotlb.tag = tag; });
    options.prefix = tag;
    options.start = std::string(tag) == "requester";
    static std::vector<std::unique_ptr<Bench>> benches;  // elaborated together
    benches.push_back(std::make_unique<Bench>(options));
    if (!options.start) continue;
    for (const auto& bench : benches) {
      bench->second->map(kA, Bench::kData, 12);
      bench->enable();
      // Contexts and PASID entries are known, the page is not.
      bench->second->map(kA + kPageSize, Bench::kData, 12);
      add_other(*bench);
      hit(*bench, bench->plain_read(kA));
      hit(*bench, other_read(*bench, kA));
      const std::uint64_t before = bench->iommu->stats().walks_started.value;
      bench->device().send(bench->plain_read(kA + kPageSize));
      bench->device().send(other_read(*bench, kA + kPageSize));
      bench->run_for(10'000'000);
      const bool merges = bench == benches.front();
      EXPECT_EQ(bench->iommu->stats().walks_started.value - before, merges ? 1U : 2U);
      EXPECT_EQ(bench->iommu->stats().merged_walks.value, merges ? 1U : 0U);
    }
  }
}

class Loose : public testing::TestWithParam<bool> {};

// 16 large pages in use leave the cache of small pages alone.
TEST_P(Loose, SplitKeepsPageSizesApart) {
  Bench bench(with(
      [](IommuParams& p) {
        p.iotlb.split = true;
        p.iotlb.entries = p.iotlb.ways = 2;
        p.iotlb_2m.entries = p.iotlb_2m.ways = 16;
        p.iotlb_1g.entries = p.iotlb_1g.ways = 1;
      },
      GetParam()));
  bench.first->map(kA, Bench::kData, 12, kUsed);
  bench.first->map(kA + kPageSize, Bench::kData, 12, kUsed);
  for (Addr i = 0; i < 16; ++i) bench.first->map(0x8000'0000 + (i << 21U), 0x10200000, 21, kUsed);
  bench.first->map(Addr{1} << 38U, 0, 30, kUsed);
  bench.enable();
  std::vector<DeviceRequest> all = {bench.read(Bench::kPasid, kA), bench.read(Bench::kPasid, kA + kPageSize),
                                    bench.read(Bench::kPasid, (Addr{1} << 38U) + Bench::kData)};
  for (Addr i = 0; i < 16; ++i) all.push_back(bench.read(Bench::kPasid, 0x8000'0000 + (i << 21U)));
  for (const DeviceRequest& request : all) EXPECT_FALSE(hit(bench, request));
  for (const DeviceRequest& request : all) EXPECT_TRUE(hit(bench, request)) << std::hex << request.address;
  const Iotlb& iotlb = bench.iommu->caches().translations();
  EXPECT_EQ(iotlb.pages().stats().hits.value, 2U);
  EXPECT_EQ(iotlb.large().stats().hits.value, 16U);
  EXPECT_EQ(iotlb.huge().stats().hits.value, 1U);
  EXPECT_EQ(iotlb.pages().stats().misses.value, 19U);
  ASSERT_TRUE(bench.invalidate({make_iotlb_global()}));
  for (const DeviceRequest& request : all) EXPECT_FALSE(hit(bench, request));
}

// The page behind a miss is there when it is asked for; pages without accessed bit, and pages that are
// not present, are left alone, and nobody hears of it.
TEST_P(Loose, PrefetchWalksAhead) {
  Bench bench(with([](IommuParams& p) { p.iotlb.prefetch = 3; }, GetParam()));
  const LeafRights unused{true, true, true, 0};
  bench.first->map(kA, Bench::kData, 12, kUsed);
  bench.first->map(kA + kPageSize, Bench::kData + kPageSize, 12, kUsed);
  bench.first->map(kA + 2 * kPageSize, Bench::kData + 2 * kPageSize, 12, unused);
  bench.enable();
  EXPECT_FALSE(hit(bench, bench.read(Bench::kPasid, kA)));
  bench.run_for(10'000'000);
  const IommuStats& stats = bench.iommu->stats();
  EXPECT_EQ(stats.prefetch_walks.value, 3U);
  EXPECT_EQ(bench.walker->stats().by_class[static_cast<std::size_t>(WalkClass::kPrefetch)].walks.value, 3U);
  EXPECT_EQ(stats.prefetch_neighbours.value, 0U);
  EXPECT_EQ(stats.prefetches_dropped.value, 2U);  // bit to set; not present
  EXPECT_EQ(stats.faulted.value, 0U);
  EXPECT_EQ(bench.first->entry(kA + 2 * kPageSize, 1) & FirstStageEntry::A::kMask, 0U);
  EXPECT_EQ(bench.fault_reason(), FaultReason::kNone);
  EXPECT_EQ(bench.prq->in_flight(), 0U);
  const DeviceAnswer& second = bench.ask(bench.read(Bench::kPasid, kA + kPageSize));
  EXPECT_TRUE(second.translation.hit);
  EXPECT_EQ(second.translation.address, Bench::kData + kPageSize);
  EXPECT_EQ(stats.prefetches_used.value, 1U);
  EXPECT_TRUE(hit(bench, bench.read(Bench::kPasid, kA + kPageSize)));
  EXPECT_EQ(stats.prefetches_used.value, 1U) << "first uses only";
  EXPECT_EQ(stats.walks_started.value, 1U);
  EXPECT_FALSE(hit(bench, bench.read(Bench::kPasid, kA + 2 * kPageSize)));
  EXPECT_NE(bench.first->entry(kA + 2 * kPageSize, 1) & FirstStageEntry::A::kMask, 0U);
}

IommuBenchOptions with_lines(unsigned prefetch, bool loose) {
  IommuBenchOptions options = with([&](IommuParams& p) { p.iotlb.prefetch = prefetch; }, loose);
  options.walker = [](WalkerParams& p) { p.read_bytes = 64; };
  return options;
}

// A walk that reads lines has the entries of the pages beside: those are judged as a walk would, and nothing
// is walked or marked for them.
TEST_P(Loose, PrefetchTakesNeighbours) {
  Bench bench(with_lines(5, GetParam()));
  const LeafRights unused{true, true, true, 0};
  const LeafRights read_only{true, false, true, kUsed.extra};
  bench.first->map(kA, Bench::kData, 12, kUsed);
  bench.first->map(kA + kPageSize, Bench::kData + kPageSize, 12, read_only);
  bench.first->map(kA + 2 * kPageSize, Bench::kData + 2 * kPageSize, 12, unused);
  bench.first->map(kA + 4 * kPageSize, Bench::kData + 4 * kPageSize, 12, kUsed);
  bench.first->set_entry(kA + 4 * kPageSize, 1, bench.first->entry(kA + 4 * kPageSize, 1) | Addr{1} << 51);
  bench.first->map(kA + 5 * kPageSize, Bench::kData + 7 * kPageSize, 12, kUsed);
  bench.enable();
  EXPECT_FALSE(hit(bench, bench.read(Bench::kPasid, kA)));
  bench.run_for(10'000'000);
  const IommuStats& stats = bench.iommu->stats();
  EXPECT_EQ(stats.prefetch_neighbours.value, 5U);
  EXPECT_EQ(stats.prefetches_dropped.value, 3U);  // bit to set; not present; reserved bit
  EXPECT_EQ(stats.prefetch_walks.value, 0U);
  EXPECT_EQ(bench.walker->stats().reads.value, 4U);
  EXPECT_EQ(bench.first->entry(kA + 2 * kPageSize, 1) & FirstStageEntry::A::kMask, 0U);
  EXPECT_EQ(bench.fault_reason(), FaultReason::kNone);
  const DeviceAnswer& second = bench.ask(bench.read(Bench::kPasid, kA + kPageSize));
  EXPECT_TRUE(second.translation.hit);
  EXPECT_EQ(second.translation.address, Bench::kData + kPageSize);
  EXPECT_FALSE(second.translation.write);
  const DeviceAnswer& sixth = bench.ask(bench.read(Bench::kPasid, kA + 5 * kPageSize));
  EXPECT_TRUE(sixth.translation.hit);
  EXPECT_EQ(sixth.translation.address, Bench::kData + 7 * kPageSize);
  EXPECT_TRUE(sixth.translation.write);
  EXPECT_EQ(stats.prefetches_used.value, 2U);
  EXPECT_EQ(stats.walks_started.value, 1U);
  EXPECT_FALSE(hit(bench, bench.read(Bench::kPasid, kA + 2 * kPageSize)));
  EXPECT_EQ(bench.ask(bench.read(Bench::kPasid, kA + 4 * kPageSize)).fault, FaultReason::kFirstStageReserved);
}

// Rights above the leaf bind the pages beside, whether or not the walk came past them.
TEST_P(Loose, NeighboursHaveTheRightsAbove) {
  Bench bench(with_lines(1, GetParam()));
  for (Addr page = 0; page < 4; ++page) {
    bench.first->map(kA + page * kPageSize, Bench::kData + page * kPageSize, 12, kUsed);
  }
  bench.first->set_entry(kA, 2, bench.first->entry(kA, 2) & ~FirstStageEntry::RW::kMask);
  bench.enable();
  for (const Addr page : {0, 2}) {  // from the top; from a paging-structure cache
    EXPECT_FALSE(hit(bench, bench.read(Bench::kPasid, kA + page * kPageSize)));
    const DeviceAnswer& beside = bench.ask(bench.read(Bench::kPasid, kA + (page + 1) * kPageSize));
    EXPECT_TRUE(beside.translation.hit);
    EXPECT_FALSE(beside.translation.write);
  }
  EXPECT_EQ(bench.walker->stats().reads.value, 4U + 1U);
}

// Pages behind the end of the line, and tables beside a large page, need walks.
TEST_P(Loose, NeighboursEndWithTheLine) {
  Bench bench(with_lines(3, GetParam()));
  const Addr end = kA + 6 * kPageSize;
  for (Addr page = 0; page < 4; ++page) {
    bench.first->map(end + page * kPageSize, Bench::kData + page * kPageSize, 12, kUsed);
  }
  const Addr large = Addr{3} << 30;
  bench.second->map(large, 0x1000'0000, 21);
  bench.second->map(large + (1U << 21U), Bench::kData + 3 * kPageSize, 12);
  bench.second->map(large + (2U << 21U), 0x1040'0000, 21);
  bench.enable();
  EXPECT_FALSE(hit(bench, bench.read(Bench::kPasid, end)));
  bench.run_for(10'000'000);
  const IommuStats& stats = bench.iommu->stats();
  EXPECT_EQ(stats.prefetch_neighbours.value, 1U);
  EXPECT_EQ(stats.prefetch_walks.value, 2U);
  for (Addr page = 1; page < 4; ++page) {
    const DeviceAnswer& answer = bench.ask(bench.read(Bench::kPasid, end + page * kPageSize));
    EXPECT_TRUE(answer.translation.hit);
    EXPECT_EQ(answer.translation.address, Bench::kData + page * kPageSize);
  }
  EXPECT_FALSE(hit(bench, bench.plain_read(large)));
  bench.run_for(10'000'000);
  EXPECT_EQ(stats.prefetch_neighbours.value, 1U + 2U) << "the large page, and one not present";
  EXPECT_EQ(stats.prefetch_walks.value, 2U + 1U);
  EXPECT_TRUE(hit(bench, bench.plain_read(large + (1U << 21U))));
  const DeviceAnswer& beside = bench.ask(bench.plain_read(large + (2U << 21U) + 0x12345));
  EXPECT_TRUE(beside.translation.hit);
  EXPECT_EQ(beside.translation.page_shift, 21);
}

// A perfect IOTLB costs the time of a hit, sees tables as they are, and faults as they say.
TEST_P(Loose, PerfectAlwaysHits) {
  Bench bench(with([](IommuParams& p) { p.iotlb.perfect = true; }, GetParam()));
  const LeafRights unused{true, true, true, 0};
  bench.first->map(kA, Bench::kData, 12, unused);
  bench.enable();
  bench.ask(bench.read(Bench::kPasid, kA));  // contexts
  EXPECT_EQ(bench.first->entry(kA, 1) & FirstStageEntry::D::kMask, 0U);
  const Ps sent = now_ps();
  const DeviceAnswer& answer = bench.ask(Bench::as_write(bench.read(Bench::kPasid, kA)));
  EXPECT_TRUE(answer.translation.hit);
  EXPECT_EQ(answer.translation.address, Bench::kData);
  const IommuParams& p = bench.params;
  EXPECT_EQ(answer.at, sent + 1000 + p.lookup_latency() + p.forward_latency + p.response_latency +
                           Bench::memory_time(64));
  EXPECT_NE(bench.first->entry(kA, 1) & FirstStageEntry::D::kMask, 0U);
  bench.first->map(kA, Bench::kData + kPageSize, 12, kUsed);
  EXPECT_EQ(bench.ask(bench.read(Bench::kPasid, kA)).translation.address, Bench::kData + kPageSize);
  EXPECT_EQ(bench.ask(bench.read(Bench::kPasid, kA + kPageSize)).fault, FaultReason::kFirstStageNotPresent);
  EXPECT_EQ(bench.walker->stats().reads.value, 0U);
  EXPECT_EQ(bench.iommu->caches().iotlb().stats().misses.value, 0U);
  EXPECT_EQ(bench.iommu->caches().iotlb().stats().hits.value, 4U);
  EXPECT_EQ(bench.iommu->in_flight(), 0U);
}

INSTANTIATE_TEST_SUITE_P(IommuCaches, Loose, testing::Bool(),
                         [](const auto& test) { return test.param ? "loose" : "approximate"; });

// An invalidation that overtakes a prefetch walk: what it found is not kept.
TEST(IommuPrefetch, InvalidationOvertakes) {
  IommuBenchOptions options = with([](IommuParams& p) { p.iotlb.prefetch = 1; });
  options.walker_step = 5'000'000;  // longer than the invalidation
  Bench bench(options);
  bench.second->map(kA, Bench::kData, 12);
  bench.second->map(kA + kPageSize, Bench::kData, 12);
  bench.enable();
  bench.ask(bench.plain_read(kA));
  ASSERT_EQ(bench.iommu->stats().prefetch_walks.value, 1U);
  ASSERT_TRUE(bench.invalidate({make_iotlb_page(Bench::kSecondDomain, kA + kPageSize, 0)}));
  bench.run_for(200'000'000);
  EXPECT_EQ(bench.iommu->stats().stale_walks.value, 1U);
  EXPECT_FALSE(hit(bench, bench.plain_read(kA + kPageSize)));
}

// The same of a page beside: its entry may have been read before the invalidation.
TEST(IommuPrefetch, InvalidationOvertakesANeighbour) {
  IommuBenchOptions options = with_lines(1, false);
  options.walker_step = 5'000'000;
  Bench bench(options);
  bench.second->map(kA, Bench::kData, 12);
  bench.second->map(kA + kPageSize, Bench::kData, 12);
  bench.enable();
  const std::size_t number = bench.device().send(bench.plain_read(kA));
  bench.run_for(10'000'000);
  ASSERT_FALSE(bench.device().answer(number).done);
  bench.submit({make_iotlb_page(Bench::kSecondDomain, kA + kPageSize, 0, true)});
  bench.run_for(200'000'000);
  EXPECT_EQ(bench.iommu->stats().prefetch_neighbours.value, 1U);
  EXPECT_EQ(bench.iommu->stats().stale_walks.value, 1U);
  EXPECT_TRUE(hit(bench, bench.plain_read(kA)));
  EXPECT_FALSE(hit(bench, bench.plain_read(kA + kPageSize)));
}

// The walk of the translation request that repeats after a page request has a class of its own, once.
TEST(IommuWalkClass, PageRequestsAreRemembered) {
  Bench bench;
  bench.first->map(kA + kPageSize, Bench::kData, 12, kUsed);
  bench.enable();
  const auto walks = [&](WalkClass c) {
    return bench.walker->stats().by_class[static_cast<std::size_t>(c)].walks.value;
  };
  const auto ask = [&](Addr page) {
    return bench.ask(Bench::as_translation(bench.read(Bench::kPasid, page), true)).translation.read;
  };
  EXPECT_FALSE(ask(kA));
  bench.ask(bench.page_request(Bench::kPasid, kA, false, true, 1));
  EXPECT_EQ(walks(WalkClass::kDemand), 1U);
  EXPECT_EQ(walks(WalkClass::kPageRequest), 0U);
  bench.first->map(kA, Bench::kData, 12, kUsed);
  EXPECT_TRUE(ask(kA + kPageSize)) << "another page";
  EXPECT_EQ(walks(WalkClass::kPageRequest), 0U);
  EXPECT_TRUE(ask(kA));
  EXPECT_EQ(walks(WalkClass::kDemand), 2U);
  EXPECT_EQ(walks(WalkClass::kPageRequest), 1U);
  ASSERT_TRUE(bench.invalidate({make_iotlb_domain(Bench::kFirstDomain)}));
  EXPECT_TRUE(ask(kA));
  EXPECT_EQ(walks(WalkClass::kDemand), 3U);
  EXPECT_EQ(walks(WalkClass::kPageRequest), 1U);
  EXPECT_EQ(walks(WalkClass::kPrefetch), 0U);
}

// A request for a page that is being fetched ahead waits for that walk.
TEST(IommuPrefetch, RequestsJoin) {
  IommuBenchOptions options = with([](IommuParams& p) { p.iotlb.prefetch = 1; });
  options.walker_step = 5'000'000;
  Bench bench(options);
  const LeafRights unused{true, true, true, 0};
  bench.second->map(kA, Bench::kData, 12);
  bench.second->map(kA + kPageSize, Bench::kData + kPageSize, 12);
  bench.first->map(kA, Bench::kData, 12, kUsed);
  bench.first->map(kA + kPageSize, Bench::kData + kPageSize, 12, unused);
  bench.enable();
  for (const bool first_stage : {false, true}) {
    const auto read = [&](Addr address) {
      return first_stage ? bench.read(Bench::kPasid, address) : bench.plain_read(address);
    };
    bench.ask(read(kA));
    const std::uint64_t merged = bench.iommu->stats().merged_walks.value;
    const DeviceAnswer& answer = bench.ask(read(kA + kPageSize));
    EXPECT_EQ(bench.iommu->stats().merged_walks.value, merged + 1);
    EXPECT_EQ(answer.fault, FaultReason::kNone);
    EXPECT_EQ(answer.translation.address, Bench::kData + kPageSize);
    // The second stage keeps no accessed bit here; the first stage's is missing, so it walks itself.
    EXPECT_EQ(answer.translation.hit, !first_stage);
  }
  EXPECT_EQ(bench.iommu->stats().walks_started.value, 3U);
}

TEST(IommuMerge, OffMeansAWalkForEveryRequest) {
  Bench bench(with([](IommuParams& p) { p.merge_walks = false; }));
  bench.first->map(kA, Bench::kData, 12, kUsed);
  bench.first->map(kA + kPageSize, Bench::kData, 12, kUsed);
  bench.enable();
  hit(bench, bench.read(Bench::kPasid, kA));
  for (int i = 0; i < 5; ++i) bench.device().send(bench.read(Bench::kPasid, kA + kPageSize));
  bench.run_for(10'000'000);
  EXPECT_EQ(bench.iommu->stats().walks_started.value, 6U);
  EXPECT_EQ(bench.iommu->stats().merged_walks.value, 0U);
  EXPECT_EQ(bench.iommu->stats().completed.value, 6U);
}

// n look-ups that arrive together start in n / ports intervals.
TEST(IommuPorts, LookUpsPerInterval) {
  for (const unsigned ports : {4U, 2U, 1U}) {
    static std::vector<std::unique_ptr<Bench>> benches;
    IommuBenchOptions options = with([&](IommuParams& p) {
      p.lookup_ports = ports;
      p.lookup_interval = 3000;
    });
    options.prefix = "p" + std::to_string(ports);
    options.start = ports == 1;
    benches.push_back(std::make_unique<Bench>(options));
    if (ports != 1) continue;
    for (const auto& bench : benches) {
      bench->first->map(kA, Bench::kData, 12, kUsed);
      bench->enable();
      bench->ask(bench->read(Bench::kPasid, kA));
      bench->run_for(1'000'000);
      const std::size_t first = bench->device().send(bench->read(Bench::kPasid, kA));
      for (int i = 1; i < 8; ++i) bench->device().send(bench->read(Bench::kPasid, kA));
      bench->run_for(10'000'000);
      for (std::size_t i = 0; i < 8; ++i) {
        EXPECT_EQ(bench->device().answer(first + i).credit_at - bench->device().answer(first).credit_at,
                  i / bench->params.lookup_ports * 3000)
            << bench->params.lookup_ports << " ports, request " << i;
      }
    }
  }
}

}  // namespace
}  // namespace svasim::test
