// For what a wait descriptor waits. SPEC: [VTD 6.5.4, 7.10]
#include <gtest/gtest.h>

#include "support/iommu_bench.h"

namespace svasim::test {
namespace {

using Bench = IommuBench;
constexpr Ps kNs = 1000;
constexpr Addr kA = 0x7000'0000;
constexpr Addr kB = 0x7000'1000;
constexpr LeafRights kUsed{true, true, true, FirstStageEntry::A::kMask | FirstStageEntry::D::kMask};

// A request that is on its way to memory with the old translation holds the wait back.
TEST(IommuDrain, WaitsForDataAccessesUnderWay) {
  Bench bench;
  bench.first->map(kA, Bench::kData, 12, kUsed);
  bench.enable();
  bench.ask(bench.read(Bench::kPasid, kA));
  ASSERT_TRUE(bench.invalidate({}));
  // The descriptor fetch takes as long as a data access, so a stream of reads is always under way.
  std::vector<std::size_t> reads;
  for (unsigned i = 0; i < 200; ++i) {
    reads.push_back(bench.device().send(bench.read(Bench::kPasid, kA), (i + 1) * 5 * kNs));
  }
  bench.run_for(200 * kNs);
  bench.first->map(kA, Bench::kData + 0x5000, 12, kUsed);
  bench.put(make_pasid_iotlb_page(Bench::kFirstDomain, Bench::kPasid, kA, 0));
  bench.put(make_wait_status(Bench::kStatus, 99));
  bench.submit();
  Ps done = 0;
  while (bench.status() != 99) {
    bench.run_for(kNs);
    done = now_ps();
  }
  bench.run_for(10'000 * kNs);
  unsigned old_uses = 0;
  for (const std::size_t read : reads) {
    const DeviceAnswer& answer = bench.device().answer(read);
    ASSERT_TRUE(answer.done);
    if (answer.translation.address == Bench::kData) {
      ++old_uses;
      EXPECT_LE(answer.at - bench.params.response_latency, done)
          << "old page accessed after the wait completed";
    }
  }
  EXPECT_GT(old_uses, 20U);
  EXPECT_LT(old_uses, 180U);
  EXPECT_EQ(bench.iommu->stats().stale_uses.value, 0U);
}

// The wait completes exactly when the last earlier access has its data, plus its own status write.
TEST(IommuDrain, WaitCompletesWithTheLastEarlierAccess) {
  Bench bench;
  bench.first->map(kA, Bench::kData, 12, kUsed);
  bench.first->map(kB, Bench::kData + 0x1000, 12, kUsed);
  bench.enable();
  bench.ask(bench.read(Bench::kPasid, kA));
  // A walk with four reads outlasts the fetch and the execution of the descriptors.
  bench.invalidate({make_iotlb_global()});
  bench.put(make_iotlb_global());
  bench.put(make_wait_status(Bench::kStatus, 99));
  const std::size_t read = bench.device().send(bench.read(Bench::kPasid, kB), kNs);
  bench.submit();
  while (bench.status() != 99) {
    bench.run_for(1);
    ASSERT_LT(now_ps(), 100'000 * kNs);
  }
  const Ps written = now_ps() - 1;
  const Ps data = bench.device().answer(read).at - bench.params.response_latency;
  // The status is in memory when the write's turn is over: at the answer less the way back of 1 ns.
  EXPECT_EQ(written, data + 1 + Bench::memory_time(4) - kNs);
}

// The answer of an access under way may still be on the bus, already taken off the books.
TEST(IommuDrain, WaitsForAnswersOnTheBus) {
  IommuBenchOptions options;
  options.bus_latency = 300 * kNs;
  Bench bench(options);
  bench.first->map(kA, Bench::kData, 12, kUsed);
  bench.enable();
  bench.ask(bench.read(Bench::kPasid, kA));
  // The descriptors are in the IOMMU some 660 ns after the tail is written, the data of the read as late.
  for (unsigned i = 0; i < 40; ++i) {
    // Of another space, so that the page stays cached.
    bench.put(make_pasid_iotlb_pasid(Bench::kFirstDomain, Bench::kPasid2));
    bench.put(make_wait_interrupt());
    const std::uint64_t waits = bench.iommu->stats().waits.value;
    const std::uint64_t invalidations = bench.iommu->stats().cache_invalidations.value;
    bench.submit();
    bench.run_for((i + 1) * 10 * kNs);
    const std::size_t read = bench.device().send(bench.read(Bench::kPasid, kA), kNs);
    bench.run_for(kNs + bench.params.lookup_latency() + 1);
    ASSERT_EQ(bench.iommu->stats().cache_invalidations.value, invalidations)
        << "the read shall be older than the invalidation";
    while (bench.iommu->stats().waits.value == waits) {
      bench.run_for(kNs);
    }
    const Ps completed = now_ps();
    bench.run_for(2'000 * kNs);
    EXPECT_GE(completed, bench.device().answer(read).at - bench.params.response_latency) << i;
  }
}

// A wait with no invalidation before it has nothing to wait for, and one behind an invalidation does not wait
// for what came after that.
TEST(IommuDrain, RequestsAfterTheInvalidationAreNotDrained) {
  IommuBenchOptions options;
  options.walker_step = 2000 * kNs;
  Bench bench(options);
  bench.first->map(kA, Bench::kData, 12, kUsed);
  bench.enable();
  bench.ask(bench.read(Bench::kPasid, kA));
  bench.put(make_iotlb_global());
  bench.submit();
  bench.run_for(1000 * kNs);
  ASSERT_EQ(bench.iommu->stats().cache_invalidations.value, 1U);
  const std::size_t read = bench.device().send(bench.read(Bench::kPasid, kA), kNs);
  bench.run_for(500 * kNs);
  bench.submit({make_wait_status(Bench::kStatus, 1)});
  bench.run_for(1000 * kNs);
  EXPECT_EQ(bench.status(), 1U);
  EXPECT_FALSE(bench.device().answer(read).done);
}

// A page request's implicit invalidation is nobody's to complete: a walk that began before it may use what it
// finds, whatever wait completes meanwhile.
TEST(IommuDrain, ImplicitInvalidationsAreNotCompletedByWaits) {
  IommuBenchOptions options;
  options.walker_step = 2000 * kNs;
  Bench bench(options);
  bench.first->map(kA, Bench::kData, 12, kUsed);
  bench.enable();
  bench.ask(bench.read(Bench::kPasid, kA));
  ASSERT_TRUE(bench.invalidate({make_iotlb_global()}));
  const std::size_t read = bench.device().send(bench.read(Bench::kPasid, kA), kNs);
  bench.run_for(500 * kNs);
  bench.device().send(bench.page_request(Bench::kPasid, kA, false, true, 1), kNs);
  bench.run_for(500 * kNs);
  bench.submit({make_wait_status(Bench::kStatus, 77)});
  bench.run_for(1000 * kNs);
  EXPECT_EQ(bench.status(), 77U);
  ASSERT_FALSE(bench.device().answer(read).done);
  bench.run_for(20'000 * kNs);
  ASSERT_TRUE(bench.device().answer(read).done);
  EXPECT_EQ(bench.iommu->stats().stale_uses.value, 0U);
}

// DR and DW of a descriptor choose what is drained before major version 2; from then on it is always both.
struct Choice {
  unsigned version;
  bool drain_reads;
  bool drain_writes;
};
class IommuDrainBits : public testing::TestWithParam<Choice> {};

TEST_P(IommuDrainBits, ChooseReadsAndWrites) {
  const Choice& choice = GetParam();
  IommuBenchOptions options;
  options.walker_step = 2000 * kNs;
  options.iommu.capabilities.version = choice.version;
  Bench bench(options);
  bench.first->map(kA, Bench::kData, 12, kUsed);
  bench.enable();
  DeviceRequest read = bench.read(Bench::kPasid, kA);
  const bool both = choice.version >= 2;
  const struct {
    DeviceRequest request;
    bool drained;
  } cases[] = {{read, both || choice.drain_reads},
               {Bench::as_translation(read), both || choice.drain_reads},
               {Bench::as_write(read), both || choice.drain_writes}};
  std::uint32_t cookie = 10;
  for (const auto& [request, drained] : cases) {
    ASSERT_TRUE(bench.invalidate({make_iotlb_global()}));
    const std::size_t number = bench.device().send(request, kNs);
    bench.run_for(100 * kNs);
    InvalidationDescriptor descriptor = make_iotlb_global();
    IotlbDescriptor::DR::set(descriptor, choice.drain_reads);
    IotlbDescriptor::DW::set(descriptor, choice.drain_writes);
    bench.submit({descriptor, make_wait_status(Bench::kStatus, ++cookie)});
    // The walk takes more than 8,000 ns.
    bench.run_for(1000 * kNs);
    EXPECT_EQ(bench.status() != cookie, drained) << "after 1,000 ns";
    EXPECT_FALSE(bench.device().answer(number).done);
    while (bench.status() != cookie) {
      bench.run_for(kNs);
      ASSERT_LT(now_ps(), 1'000'000 * kNs);
    }
    EXPECT_EQ(bench.device().answer(number).done, drained) << "when the wait completed";
    bench.run_for(20'000 * kNs);
    ASSERT_TRUE(bench.device().answer(number).done);
  }
}
INSTANTIATE_TEST_SUITE_P(Version, IommuDrainBits,
                         testing::Values(Choice{1, false, false}, Choice{1, true, false},
                                         Choice{1, false, true}, Choice{1, true, true},
                                         Choice{2, false, false}, Choice{6, false, false}),
                         [](const auto& test) {
                           return "v" + std::to_string(test.param.version) +
                                  (test.param.drain_reads ? "_reads" : "") +
                                  (test.param.drain_writes ? "_writes" : "");
                         });

// PD=1: descriptors of page requests received before the wait are in memory when it completes. PD=0: it does
// not wait for them.
class IommuDrainPages : public testing::TestWithParam<bool> {};

TEST_P(IommuDrainPages, WhenAskedFor) {
  const bool drain = GetParam();
  Bench bench;
  bench.enable();
  bench.ask(bench.page_request(Bench::kPasid, kA, false, false, 1));
  constexpr unsigned kRequests = 20;
  for (unsigned i = 0; i < kRequests; ++i) {
    bench.device().send(bench.page_request(Bench::kPasid, kA + i * kPageSize, false, true, i), 1 * kNs);
  }
  bench.run_for(80 * kNs);  // all look-ups are done
  bench.submit({drain ? make_wait_drain(Bench::kStatus, 5) : make_wait_status(Bench::kStatus, 5)});
  while (bench.status() != 5) {
    ASSERT_LT(now_ps(), 100'000 * kNs);
    bench.run_for(kNs);
  }
  const std::uint64_t queued = bench.read64(vtd_reg::kPqt) / 32;
  EXPECT_EQ(queued == kRequests + 1, drain) << queued << " in the queue";
}
INSTANTIATE_TEST_SUITE_P(Pd, IommuDrainPages, testing::Bool(),
                         [](const auto& test) { return test.param ? "set" : "clear"; });

// What stands behind a fence is executed when what the fence waited for is done.
class IommuFence : public testing::TestWithParam<bool> {};

TEST_P(IommuFence, WaitsForPageRequestsUnderWay) {
  IommuBenchOptions options;
  options.loose = GetParam();
  Bench bench(options);
  bench.enable();
  bench.device().send(bench.page_request(Bench::kPasid, kA, false, true, 1), kNs);
  bench.run_for(2 * kNs + bench.params.lookup_latency());
  InvalidationDescriptor fence = make_wait_fence();
  WaitDescriptor::PD::set(fence, true);
  bench.submit({fence, make_wait_status(Bench::kStatus, 5)});
  EXPECT_NE(bench.status(), 5U);
  bench.run_for(100'000 * kNs);
  EXPECT_EQ(bench.status(), 5U);
  EXPECT_EQ(bench.read64(vtd_reg::kPqt) / 32, 1U);
}
INSTANTIATE_TEST_SUITE_P(Timing, IommuFence, testing::Bool(),
                         [](const auto& test) { return test.param ? "loose" : "approximate"; });

}  // namespace
}  // namespace svasim::test
