// The paging-structure cache of the second stage in nested walks: how many reads it saves, how long a walk
// then takes, who shares it, and what removes its entries.
#include <gtest/gtest.h>

#include "support/iommu_bench.h"

namespace svasim::test {
namespace {

using Bench = IommuBench;
constexpr Ps kNs = 1000;
constexpr Addr kA = 0x7000'0000;
constexpr Addr kGuestData = 0x1080'0000;  // guest-physical addresses are the host's
constexpr LeafRights kUsed{true, true, true, FirstStageEntry::A::kMask | FirstStageEntry::D::kMask};
constexpr Pasid kNested{0x50};
constexpr Pasid kNested2{0x51};  // other first-stage tables, the same second stage
// Entries per walk: each stage has 4 levels.
constexpr unsigned kFirstLevels = 4;
constexpr unsigned kSecondLevels = 4;
// Each first-stage entry lies at a guest-physical address, and so does the page.
constexpr unsigned kCold = (kFirstLevels + 1) * kSecondLevels + kFirstLevels;
constexpr unsigned kWarm = (kFirstLevels + 1) * 1 + kFirstLevels;

class NestedCache : public testing::TestWithParam<bool> {
 protected:
  explicit NestedCache(bool first_stage_cache = false)
      : bench([&] {
          IommuBenchOptions options;
          options.loose = GetParam();
          options.iommu.iotlb.enable = false;
          options.iommu.first_stage_cache.enable = first_stage_cache;
          return options;
        }()) {
    bench.tables->set_pasid_entry(
        Bench::kDevice, kNested,
        nested_pasid_entry(bench.first->root(), 4, bench.second->root(), 4, Bench::kSecondDomain));
    bench.tables->set_pasid_entry(
        Bench::kDevice, kNested2,
        nested_pasid_entry(bench.first2->root(), 4, bench.second->root(), 4, Bench::kSecondDomain));
    bench.first->map(kA, kGuestData, 12, kUsed);
    bench.first->map(kA + kPageSize, kGuestData + kPageSize, 12, kUsed);
    bench.first2->map(kA, kGuestData, 12, kUsed);
    // Tables lie within the first 2 MiB of their region, so that one second-stage table maps them all.
    bench.second->map_range(0x1000000, 0x1000000, 0x200000, {}, 12);
    bench.second->map_range(kGuestData, kGuestData, 0x200000, {}, 12);
    bench.enable();
  }
  // Entries read for one request.
  unsigned reads(Pasid pasid, Addr address = kA) {
    const std::uint64_t before = bench.walker->stats().reads.value;
    const DeviceAnswer& answer = bench.ask(bench.read(pasid, address));
    EXPECT_EQ(answer.fault, FaultReason::kNone);
    return static_cast<unsigned>(bench.walker->stats().reads.value - before);
  }
  // The first walk knows nothing when it begins. Its later steps know the table that maps the tables, but the
  // data lies in another 2 MiB of the same 1 GiB: its translation starts at level 2.
  static constexpr unsigned kFirstWalk = kSecondLevels + (kFirstLevels - 1) * 1 + 2 + kFirstLevels;

  Bench bench;
};

class NestedTables : public NestedCache {};

TEST_P(NestedTables, LearntOnTheWayAndForTheNextWalk) {
  EXPECT_EQ(reads(kNested), kFirstWalk);
  EXPECT_EQ(reads(kNested), kWarm);
  // Another guest page table, the same second stage: its tables are known. SPEC: [VTD Table 17]
  EXPECT_EQ(reads(kNested2), kWarm);
  // The second stage alone starts at its lowest table, too, and what it learns serves the others.
  EXPECT_EQ(reads(Bench::kSecond, kGuestData), 1U);
  const TlbStats& stats = bench.iommu->caches().second_stage_tables().stats();
  EXPECT_EQ(stats.misses.value, 1U);
  // A question per translation of the second stage: F + 1 per nested walk.
  EXPECT_EQ(stats.hits.value + stats.misses.value, 3 * (kFirstLevels + 1) + 1);
}

// A walk of n reads, each answered in M, and a translations of the second stage takes
// (n + 1) * step_latency + n * M + a * paging_latency.
TEST_P(NestedTables, TimeOfAWarmWalk) {
  reads(kNested);
  const Ps sent = now_ps();
  const DeviceAnswer& answer = bench.ask(bench.read(kNested, kA));
  const IommuParams& p = bench.params;
  const Ps step = walker_params().defaults().step_latency;
  const Ps walk = (kWarm + 1) * step + kWarm * Bench::memory_time(8) + (kFirstLevels + 1) * p.paging_latency;
  EXPECT_EQ(answer.at, sent + kNs + p.lookup_latency() + p.paging_latency + walk + p.forward_latency +
                           p.response_latency + Bench::memory_time(64));
  EXPECT_EQ(answer.attribution[Stage::kWalkRead], kWarm * Bench::memory_time(8));
  EXPECT_EQ(answer.attribution.total(), answer.at - sent);
}

// Which invalidation leaves how much of a nested walk, first-stage caches being off. SPEC:
// [VTD 6.5.2.3, 6.5.2.4]
TEST_P(NestedTables, Invalidations) {
  struct Row {
    const char* what;
    InvalidationDescriptor descriptor;
    unsigned reads;
  };
  const DomainId domain = Bench::kSecondDomain;
  const Row rows[] = {
      {"global", make_iotlb_global(), kFirstWalk},
      {"domain", make_iotlb_domain(domain), kFirstWalk},
      {"other domain", make_iotlb_domain(DomainId(7)), kWarm},
      {"other domain's page", make_iotlb_page(DomainId(7), kGuestData, 0, false), kWarm},
      // All tables on the way to the page go; those of the other 2 MiB lie below the same 1 GiB: of them the
      // lowest stays.
      {"page", make_iotlb_page(domain, kGuestData, 0, false), kWarm + 3},
      {"page, leaves only", make_iotlb_page(domain, kGuestData, 0, true), kWarm},
      {"far page", make_iotlb_page(domain, Addr{1} << 40, 0, false), kWarm + 0},
      // Nothing of a second stage.
      {"pasid", make_pasid_iotlb_pasid(domain, kNested), kWarm},
      {"page of the pasid", make_pasid_iotlb_page(domain, kNested, kA, 0, false), kWarm},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.what);
    reads(kNested);
    ASSERT_EQ(reads(kNested), kWarm);
    ASSERT_TRUE(bench.invalidate({row.descriptor}));
    EXPECT_EQ(reads(kNested), row.reads);
  }
}

// A second-stage table that software replaces is found after its invalidation, and its old one not used.
TEST_P(NestedTables, AReplacedTableIsFound) {
  EXPECT_EQ(reads(kNested), kFirstWalk);
  // The data's lowest table moves, with another page in it.
  const Addr moved = bench.pages.allocate();
  const Addr old = bench.second->entry(kGuestData, 2);
  bench.memory->contents().write64(moved + ((kGuestData >> 12) & 511) * 8, (Bench::kData + 0x5000) | 3);
  bench.second->set_entry(kGuestData, 2, (old & 0xFFF) | moved);
  ASSERT_TRUE(bench.invalidate({make_iotlb_page(Bench::kSecondDomain, kGuestData, 0, false)}));
  EXPECT_EQ(bench.ask(bench.read(kNested, kA)).translation.address, Bench::kData + 0x5000);
}

class BothCaches : public NestedCache {
 protected:
  BothCaches() : NestedCache(true) {}
};

// With the first stage's lowest table known too, a walk is one entry of each stage.
TEST_P(BothCaches, TwoReads) {
  EXPECT_EQ(reads(kNested), kFirstWalk);
  EXPECT_EQ(reads(kNested, kA + kPageSize), 2U);
  EXPECT_EQ(reads(kNested), 2U);
}

const auto kName = [](const testing::TestParamInfo<bool>& test) {
  return std::string(test.param ? "loose" : "approximate");
};
INSTANTIATE_TEST_SUITE_P(IommuNestedCache, NestedTables, testing::Bool(), kName);
INSTANTIATE_TEST_SUITE_P(IommuNestedCache, BothCaches, testing::Bool(), kName);

IommuBenchOptions quiet(bool second_stage_cache) {
  IommuBenchOptions options;
  options.iommu.iotlb.enable = false;
  options.iommu.first_stage_cache.enable = false;
  options.iommu.second_stage_cache.enable = second_stage_cache;
  return options;
}

void make_nested(Bench& bench) {
  bench.tables->set_pasid_entry(
      Bench::kDevice, kNested,
      nested_pasid_entry(bench.first->root(), 4, bench.second->root(), 4, Bench::kSecondDomain));
  bench.first->map(kA, kGuestData, 12, kUsed);
  bench.second->map_range(0x1000000, 0x1000000, 0x200000, {}, 12);
  bench.second->map_range(kGuestData, kGuestData, 0x200000, {}, 12);
}

// Off, every walk is of full length and nothing is asked.
TEST(IommuNestedCache, CanBeOff) {
  Bench bench(quiet(false));
  make_nested(bench);
  bench.enable();
  for (unsigned i = 1; i <= 3; ++i) {
    bench.ask(bench.read(kNested, kA));
    EXPECT_EQ(bench.walker->stats().reads.value, i * kCold);
  }
  const TlbStats& stats = bench.iommu->caches().second_stage_tables().stats();
  EXPECT_EQ(stats.hits.value + stats.misses.value, 0U);
}

// An invalidation that overtakes a nested walk: what the walk found before it is not kept.
TEST(IommuNestedCache, AnInvalidationOvertakes) {
  for (const unsigned when : {1U, 8U, 14U}) {
    // One simulation at a time: the systems stand side by side.
    static std::vector<std::unique_ptr<Bench>> benches;
    IommuBenchOptions options = quiet(true);
    options.prefix = "at" + std::to_string(when);
    options.walker_step = 5'000'000;  // longer than the invalidation
    options.start = when == 14;
    benches.push_back(std::make_unique<Bench>(options));
    if (when != 14) continue;
    unsigned steps = 1;
    for (const auto& each : benches) {
      Bench& bench = *each;
      make_nested(bench);
      bench.enable();
      bench.device().send(bench.read(kNested, kA));
      bench.run_for(steps * 5'000'000);
      ASSERT_EQ(bench.device().answer(0).done, false);
      bench.submit({make_iotlb_domain(Bench::kSecondDomain)});
      bench.run_for(400'000'000);
      EXPECT_EQ(bench.device().answer(0).fault, FaultReason::kNone);
      EXPECT_EQ(bench.iommu->caches().second_stage_tables().valid_entries(), 0U) << "after " << steps;
      steps += 7;
    }
  }
}

// A walk whose context is outdated neither learns nor teaches: the domain may belong to other tables by now.
TEST(IommuNestedCache, AnOutdatedContextTeachesNothing) {
  IommuBenchOptions options = quiet(true);
  options.walker_step = 5'000'000;
  Bench bench(options);
  make_nested(bench);
  bench.enable();
  bench.device().send(bench.read(kNested, kA));
  bench.run_for(4'000'000);
  ASSERT_FALSE(bench.device().answer(0).done);
  bench.submit({make_pasid_cache(PasidCacheGranularity::kPasid, Bench::kSecondDomain, kNested)});
  bench.run_for(400'000'000);
  EXPECT_EQ(bench.device().answer(0).fault, FaultReason::kNone);
  EXPECT_EQ(bench.walker->stats().reads.value, kCold) << "each second-stage walk from the top";
  EXPECT_EQ(bench.iommu->caches().second_stage_tables().valid_entries(), 0U);
}

// A page of 2 MiB of the first stage over pages of 4 KiB of the second is cached in 4 KiB. SPEC:
// [VTD 6.5.2.4, 11.4.8.2 AM]: what software names goes, and for a larger page it has to name all of it (AM at
// least 9).
TEST(IommuNestedCache, APageOfThePasidTakesWhatItsMaskNames) {
  IommuBenchOptions options;
  Bench bench(options);
  constexpr Addr kLarge = 0x4000'0000;
  make_nested(bench);
  bench.first->map(kLarge, kGuestData, 21, kUsed);
  bench.enable();
  const auto misses = [&](Addr address) {
    const std::uint64_t before = bench.walker->stats().reads.value;
    EXPECT_EQ(bench.ask(bench.read(kNested, address)).fault, FaultReason::kNone);
    return bench.walker->stats().reads.value != before;
  };
  for (const Addr at : {kLarge, kLarge + 0x5000, kLarge + 0x1FF000}) {
    EXPECT_TRUE(misses(at));
    EXPECT_FALSE(misses(at));
  }
  ASSERT_TRUE(bench.invalidate({make_pasid_iotlb_page(Bench::kSecondDomain, kNested, kLarge, 0)}));
  EXPECT_TRUE(misses(kLarge));
  EXPECT_FALSE(misses(kLarge + 0x5000));
  EXPECT_FALSE(misses(kLarge + 0x1FF000));
  ASSERT_TRUE(bench.invalidate({make_pasid_iotlb_page(Bench::kSecondDomain, kNested, kLarge, 9)}));
  for (const Addr at : {kLarge, kLarge + 0x5000, kLarge + 0x1FF000}) EXPECT_TRUE(misses(at));
}

}  // namespace
}  // namespace svasim::test
