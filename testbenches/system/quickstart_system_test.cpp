// The whole loop: processes share their address spaces with a DSA device.
#include "system/quickstart_system.h"

#include <gtest/gtest.h>

namespace svasim {
namespace {

BufferParams buffer(const char* name, std::uint64_t size, double resident, const char* content) {
  BufferParams b = buffer_params().defaults();
  b.name = name;
  b.size = size;
  b.resident = resident;
  b.content = content;
  return b;
}

StepParams step(const char* action, const char* from, const char* to, std::uint64_t size = 4096,
                std::uint64_t count = 1) {
  StepParams s = step_params().defaults();
  s.action = action;
  s.from = from;
  s.to = to;
  s.size = size;
  s.count = count;
  return s;
}

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

TEST_P(Quickstart, BytesArriveThroughFaultsAndUnmaps) {
  SvaSystem system("system", quickstart(GetParam()));
  system.run(100'000'000'000);
  if (getenv("DBG")) {
    auto q = const_cast<Registers&>(system.iommu.registers()).queue();
    printf("IQ head %lx tail %lx err %lx\n", q.head, q.tail, q.error);
    for (int k = -3; k < 3; ++k) {
      unsigned long o = (q.head + k * 32) & (q.size - 1);
      printf("%lx: %016lx %016lx %016lx %016lx\n", o, system.memory.contents().read64(q.base + o), system.memory.contents().read64(q.base + o + 8), system.memory.contents().read64(q.base + o + 16), system.memory.contents().read64(q.base + o + 24));
    }
    std::cout << system.stats.to_csv(now_ps());
    unsigned long w[4]; system.dsa.registers().read(0xc0, w, 32); printf("SWERR %lx %lx %lx\n", w[0], w[1], w[2]);
  }
  expect_all_right(system);
  const HostStats& s = system.host.stats();
  EXPECT_EQ(s.operations.value, 400U);
  EXPECT_EQ(s.bytes.value, 400U * 16384);
  EXPECT_GE(s.bytes_verified.value, s.bytes.value);
  EXPECT_EQ(s.binds.value, 2U);
  EXPECT_EQ(s.unmaps.value, 2U);
  EXPECT_GT(s.pages_mapped.value, 100U);
  EXPECT_GT(s.pages_unmapped.value, 100U);
  EXPECT_GT(system.prq.stats().queued.value, 100U);
  std::cout << now_ps() << " ps, " << s.pages_mapped.value << " pages mapped, " << s.page_groups.value
            << " groups, " << s.page_requests.value << " requests, " << s.operation_latency.mean()
            << " ps/op\n";
}

INSTANTIATE_TEST_SUITE_P(Timings, Quickstart, testing::Values(Timing::kApproximate, Timing::kLoose),
                         [](const auto& param) {
                           return param.param == Timing::kLoose ? std::string("loose")
                                                                : std::string("approximate");
                         });

}  // namespace
}  // namespace svasim
