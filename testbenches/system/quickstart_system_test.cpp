// The whole loop: processes share their address spaces with a DSA device.
#include "system/quickstart_system.h"

#include <gtest/gtest.h>

namespace svasim {
namespace {

ProcessParams process(const char* name) {
  ProcessParams p = process_params().defaults();
  p.name = name;
  p.device = "dsa0";
  p.buffers = {buffer("source", 1U << 20U, 0.5, "random"), buffer("target", 1U << 20U, 0.25, "zero")};
  p.steps = {step("memmove", "source", "target", 16384, 100), step("remap", "", "target"),
             step("memmove", "source", "target", 16384, 100)};
  p.steps[0].order = "random";
  p.steps[2].order = "random";
  return p;
}

SystemParams quickstart(Timing timing) {
  SystemParams p;
  p.timing = timing;
  p.host.devices = {"dsa0"};
  p.host.processes = {process("alice"), process("bob")};
  return p;
}

void expect_all_right(SvaSystem& system) {
  EXPECT_TRUE(system.host.done()) << system.dump();
  EXPECT_EQ(system.in_flight(), 0U) << system.dump();
  EXPECT_EQ(system.pool.live(), 0U);
  EXPECT_EQ(system.host_log(), "");
  for (const HostCheck& check : system.host.checks()) {
    EXPECT_TRUE(check.ok) << check.name << ": " << check.figure << ", expected " << check.expected;
  }
  EXPECT_EQ(system.violations(), "");
}

class Quickstart : public testing::TestWithParam<Timing> {};

// SPEC: [VTD 6.5.3.3]: after unbinding, nothing of the PASID is left anywhere.
void expect_nothing_cached(const SvaSystem& system) {
  EXPECT_EQ(system.atc.cache().valid_entries(), 0U);
  EXPECT_EQ(system.iommu.caches().iotlb().valid_entries(), 0U);
  EXPECT_EQ(system.iommu.caches().first_stage_tables().valid_entries(), 0U);
  EXPECT_EQ(system.iommu.caches().pasids().valid_entries(), 0U);
}

TEST_P(Quickstart, BytesArriveThroughFaultsAndUnmaps) {
  SvaSystem system("system", quickstart(GetParam()));
  system.run(100'000'000'000);
  expect_all_right(system);
  expect_nothing_cached(system);
  const HostStats& s = system.host.stats();
  EXPECT_EQ(s.operations.value, 400U);
  EXPECT_EQ(s.bytes.value, 400U * 16384);
  EXPECT_GE(s.bytes_verified.value, s.bytes.value);
  EXPECT_EQ(s.binds.value, 2U);
  EXPECT_EQ(s.unmaps.value, 2U);
  EXPECT_GT(s.pages_mapped.value, 100U);
  EXPECT_GT(s.pages_unmapped.value, 100U);
  EXPECT_GT(system.prq.stats().queued.value, 100U);
}

INSTANTIATE_TEST_SUITE_P(Timings, Quickstart, testing::Values(Timing::kApproximate, Timing::kLoose),
                         [](const auto& param) {
                           return param.param == Timing::kLoose ? std::string("loose")
                                                                : std::string("approximate");
                         });

constexpr Ps kUs = 1'000'000;
constexpr Ps kSecond = 1'000'000 * kUs;

// Moves within buffers none of whose pages is there.
SystemParams all_pages_fault(std::uint64_t pages) {
  SystemParams p;
  p.host.devices = {"dsa0"};
  ProcessParams only = process_params().defaults();
  only.name = "only";
  only.device = "dsa0";
  only.buffers = {buffer("source", pages * 4096, 0, "random"), buffer("target", pages * 4096, 0, "zero")};
  only.steps = {step("memmove", "source", "target", 4096, pages)};
  p.host.processes = {only};
  return p;
}

TEST(HostSystem, EveryPageFaultsOnceAndTheHandlersBoundTheThroughput) {
  SystemParams p = all_pages_fault(64);
  p.host.faults.handlers = 1;
  p.host.faults.distribution = "fixed";
  p.host.faults.service_time = 10 * kUs;
  SvaSystem system("system", p);
  system.run(kSecond);
  expect_all_right(system);
  const HostStats& s = system.host.stats();
  EXPECT_EQ(s.pages_mapped.value, 128U);
  EXPECT_EQ(s.page_groups.value, 128U);
  EXPECT_EQ(s.pages_present.value, 0U);
  EXPECT_EQ(s.fault_service.min(), 10 * kUs);
  EXPECT_EQ(s.fault_service.max(), 10 * kUs);
  // One handler serves one after the other and is busy until the response is out.
  EXPECT_GE(now_ps(), 128 * 10 * kUs);
  EXPECT_GE(s.fault_total.sum(), s.fault_queue.sum() + s.fault_service.sum());
}

TEST(HostSystem, MoreHandlersServeInParallel) {
  SystemParams p = all_pages_fault(64);
  p.host.faults.handlers = 16;
  p.host.faults.distribution = "fixed";
  p.host.faults.service_time = 10 * kUs;
  SvaSystem system("system", p);
  system.run(kSecond);
  expect_all_right(system);
  // 16 operations outstanding keep up to 16 handlers busy; even 4 would stay below a quarter.
  EXPECT_LT(now_ps(), 128 * 10 * kUs / 3);
}

TEST(HostSystem, MunmapLatencyIsItsParts) {
  SystemParams p = all_pages_fault(16);
  p.host.munmap_time = 2 * kUs;
  p.host.munmap_page_time = 100'000;
  p.host.teardown = false;
  p.host.processes[0].steps.push_back(step("munmap", "", "target"));
  SvaSystem system("system", p);
  system.run(kSecond);
  expect_all_right(system);
  const HostStats& s = system.host.stats();
  ASSERT_EQ(s.unmap_latency.count(), 1U);
  EXPECT_EQ(s.pages_unmapped.value, 16U);
  // The last submission is the one of munmap: PIOTLB and device TLB.
  const Ps entries_cleared = 2 * kUs + 16 * 100'000;
  EXPECT_GT(s.unmap_latency.min(), entries_cleared + p.host.invalidation.submit_time);
  // Two messages over the link and some work: well below the latency of a fault.
  EXPECT_LT(s.unmap_latency.min(), entries_cleared + 3 * kUs);
  EXPECT_EQ(system.atc.stats().invalidations.value, 1U);
}

TEST(HostSystem, DroppedResponsesHangAndTheStuckOperationsAreNamed) {
  SystemParams p = all_pages_fault(64);
  p.host.faults.drop_prg_responses = true;
  SvaSystem system("system", p);
  system.run(5000 * kUs);
  EXPECT_FALSE(system.host.done());
  EXPECT_EQ(system.host.stats().operations.value, 0U);
  EXPECT_GT(system.host.stats().responses_dropped.value, 0U);
  EXPECT_EQ(system.host.stats().responses.value, 0U);
  EXPECT_EQ(system.host.in_flight(), 16U);
  const std::string dump = system.dump();
  EXPECT_NE(dump.find("only: memory move of 4096 bytes from 0x7f"), std::string::npos) << dump;
  EXPECT_NE(dump.find("atc0"), std::string::npos) << dump;
  // The checker at the device tells the same: groups without response.
  EXPECT_NE(system.violations().find("unanswered_group"), std::string::npos);
}

TEST(HostSystem, WritesToAReadOnlyBufferAreRefused) {
  SystemParams p = all_pages_fault(8);
  p.host.processes[0].buffers[1].writable = false;
  SvaSystem system("system", p);
  system.run(kSecond);
  EXPECT_TRUE(system.host.done()) << system.dump();
  EXPECT_EQ(system.in_flight(), 0U) << system.dump();
  const HostStats& s = system.host.stats();
  EXPECT_EQ(s.operations.value, 0U);
  EXPECT_EQ(s.operations_failed.value, 8U);
  EXPECT_EQ(s.bad_faults.value, 8U);
  EXPECT_EQ(s.bytes_wrong.value, 0U);
  EXPECT_EQ(s.dma_faults.value, 0U);  // recoverable: nothing is logged by the IOMMU
  EXPECT_NE(system.host_log().find("(0x84)"), std::string::npos) << system.host_log();  // 0x04, of a write
  EXPECT_EQ(system.violations(), "");
}

TEST(HostSystem, OverflowOfThePageRequestQueueLosesNothing) {
  SystemParams p = all_pages_fault(512);
  p.host.faults.queue_order = 0;  // 128 descriptors
  p.host.interrupt_latency = 200 * kUs;
  p.atc.page_requests.max_retries = 16;  // 1, 2, 4 ... us: longer than software takes to clear the overflow
  p.dsa.pages_ahead = 16;
  p.host.processes[0].steps[0].size = 131072;
  p.host.processes[0].steps[0].count = 16;
  SvaSystem system("system", p);
  system.run(kSecond);
  expect_all_right(system);
  EXPECT_GT(system.host.stats().overflows.value, 0U);
  EXPECT_GT(system.prq.stats().rejected.value, 0U);
  EXPECT_EQ(system.host.stats().pages_mapped.value, 1024U);
}

TEST(HostSystem, GroupsOfSeveralPagesGetOneResponse) {
  SystemParams p = all_pages_fault(256);
  p.atc.page_requests.pages_per_group = 8;
  p.dsa.pages_ahead = 8;
  p.host.processes[0].steps[0].size = 65536;
  p.host.processes[0].steps[0].count = 16;
  SvaSystem system("system", p);
  system.run(kSecond);
  expect_all_right(system);
  const HostStats& s = system.host.stats();
  EXPECT_EQ(s.pages_mapped.value, 512U);
  EXPECT_LT(s.page_groups.value, s.page_requests.value);
  EXPECT_EQ(s.responses.value, s.page_groups.value);
}

TEST(HostSystem, ManyProcessesShareADevice) {
  SystemParams p;
  p.host.devices = {"dsa0"};
  for (const char* name : {"a", "b", "c", "d", "e", "f", "g", "h"}) {
    ProcessParams one = process(name);
    one.steps.resize(1);
    one.steps[0].count = 50;
    p.host.processes.push_back(one);
  }
  SvaSystem system("system", p);
  system.run(kSecond);
  expect_all_right(system);
  expect_nothing_cached(system);
  EXPECT_EQ(system.host.stats().operations.value, 400U);
}

TEST(HostSystem, MoreProcessesThanWorkQueuesAreRefused) {
  SystemParams p = quickstart(Timing::kApproximate);
  p.dsa.queues = 1;
  SvaSystem system("system", p);
  system.run(1000 * kUs);
  EXPECT_TRUE(system.host.done());
  EXPECT_LT(system.host.work_done(), system.host.work_total());
  EXPECT_NE(system.host_log().find("2 work queues are asked for, but it has 1"), std::string::npos)
      << system.host_log();
}

TEST(HostSystem, SmallInvalidationQueueWithInterrupts) {
  SystemParams p = quickstart(Timing::kApproximate);
  p.host.invalidation.order = 0;
  p.host.invalidation.wait = "interrupt";
  SvaSystem system("system", p);
  system.run(kSecond);
  expect_all_right(system);
  // More descriptors than the ring has entries: it went round.
  EXPECT_GT(system.host.stats().invalidation_descriptors.value, 4U * 128);
}

TEST(HostSystem, ANewPlaceAfterUnmap) {
  SystemParams p = quickstart(Timing::kApproximate);
  p.host.processes[0].steps[1].place = "new";
  p.host.processes[0].steps.push_back(step("fill", "", "target", 4096, 100));
  p.host.processes[0].steps.push_back(step("noop", "", "", 0, 20));
  SvaSystem system("system", p);
  system.run(kSecond);
  expect_all_right(system);
  EXPECT_EQ(system.host.stats().operations.value, 520U);
}

TEST(HostSystem, AnIommuWithoutPageRequestsIsRefused) {
  SystemParams p = quickstart(Timing::kApproximate);
  p.iommu.capabilities.scalable_mode = false;
  SvaSystem system("system", p);
  system.run(1000 * kUs);
  EXPECT_TRUE(system.host.done());
  EXPECT_LT(system.host.work_done(), system.host.work_total());
  EXPECT_NE(system.host_log().find("scalable mode"), std::string::npos) << system.host_log();
}

}  // namespace
}  // namespace svasim
