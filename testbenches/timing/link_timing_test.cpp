// When packets arrive, by formula: wire time of data and overhead, latency, credits.
#include <gtest/gtest.h>

#include "models/link/link.h"
#include "support/memory_initiator.h"
#include "support/pcie_ends.h"

namespace svasim {
namespace {

constexpr Ps kNs = 1000;
constexpr Ps kLatency = 100 * kNs;
constexpr Ps kHold = 5 * kNs;
constexpr Ps kService = 40 * kNs;

// 1 byte per ns, 20 bytes of overhead, packets of at most 256 bytes.
LinkParams setup(unsigned credits) {
  LinkParams params = link_params().defaults();
  params.latency = kLatency;
  params.lanes = 1;
  params.lane_rate = 1'000'000'000ULL;
  params.overhead = 20;
  params.pasid_prefix = 4;
  params.max_payload = 256;
  params.posted_credits = credits;
  params.non_posted_credits = credits;
  return params;
}

struct Bench {
  explicit Bench(unsigned credits, Ps hold = kHold)
      : link("link", setup(credits), context),
        device("device", pool),
        root("root", hold, kService),
        cpu("cpu", pool) {
    device.req().bind(link.up_in());
    link.up_out().bind(root.req());
    root.msg().bind(link.down_in());
    link.down_out().bind(device.msg());
    cpu.socket().bind(link.mmio_in());
    sc_core::sc_start(sc_core::SC_ZERO_TIME);
  }
  void run() { sc_core::sc_start(to_sc(1'000'000 * kNs)); }

  TransactionPool pool;
  StatRegistry stats;
  SimContext context{1, Timing::kApproximate, pool, stats};
  PcieLink link;
  test::ScriptedDevice device;
  test::ScriptedRoot root;
  test::MemoryInitiator cpu;
};

TEST(LinkTiming, ReadGoesUpEmptyAndComesBackWithData) {
  Bench bench(8);
  const std::size_t read = bench.device.send(TlpKind::kMemRead, 0x1000, 64, 7 * kNs);
  const std::size_t with_pasid = bench.device.send(TlpKind::kMemRead, 0x2000, 600, 2000 * kNs, true);
  bench.run();
  EXPECT_EQ(bench.root.arrived_at().at(read), 7 * kNs + 20 * kNs + kLatency);
  EXPECT_EQ(bench.device.answered_at(read), (7 + 20 + 5 + 40 + 64 + 20) * kNs + 2 * kLatency);
  // 600 bytes come back in 3 packets; the prefix is on the request only.
  EXPECT_EQ(bench.device.answered_at(with_pasid), (2000 + 24 + 5 + 40 + 600 + 3 * 20) * kNs + 2 * kLatency);
  EXPECT_EQ(bench.device.attribution(read).total(), bench.device.answered_at(read) - 7 * kNs);
  EXPECT_EQ(bench.device.attribution(read)[Stage::kLink], (20 + 84) * kNs + 2 * kLatency);
  EXPECT_EQ(bench.pool.live(), 0U);
  EXPECT_EQ(bench.link.in_flight(), 0U);
}

TEST(LinkTiming, WriteCarriesItsDataUp) {
  Bench bench(8);
  const std::size_t write = bench.device.send(TlpKind::kMemWrite, 0x1000, 512, 1 * kNs);
  bench.run();
  EXPECT_EQ(bench.root.arrived_at().at(write), 1 * kNs + (512 + 2 * 20) * kNs + kLatency);
  // The answer of a posted request is no packet.
  EXPECT_EQ(bench.device.answered_at(write), bench.root.arrived_at().at(write) + kHold + kService + kLatency);
}

// A device is rid of a write when its last byte has left, long before the answer; a read has no such time.
TEST(LinkTiming, AWriteIsPostedWhenItHasLeft) {
  Bench bench(1);
  const std::size_t first = bench.device.send(TlpKind::kMemWrite, 0x1000, 200, 3 * kNs);
  const std::size_t second = bench.device.send(TlpKind::kMemWrite, 0x2000, 200, 4 * kNs);
  const std::size_t read = bench.device.send(TlpKind::kMemRead, 0x3000, 64, 5 * kNs);
  bench.run();
  EXPECT_EQ(bench.device.taken_at(first), (3 + 220) * kNs);
  // The only credit is back a flight after the receiver let go of the first.
  const Ps credit = bench.device.taken_at(first) + kLatency + kHold + kLatency;
  EXPECT_EQ(bench.device.taken_at(second), credit + 220 * kNs);
  EXPECT_EQ(bench.device.taken_at(read), kNever);
}

TEST(LinkTiming, TheWireTakesOnePacketAtATime) {
  Bench bench(64);
  for (unsigned i = 0; i < 10; ++i) {
    bench.device.send(TlpKind::kMemRead, 0x1000, 64, 1 * kNs);
  }
  bench.run();
  for (unsigned i = 0; i < 10; ++i) {
    EXPECT_EQ(bench.root.arrived_at().at(i), 1 * kNs + (i + 1) * 20 * kNs + kLatency) << i;
    // Completions (84 ns each) are the bottleneck on the way back.
    EXPECT_EQ(bench.device.answered_at(i),
              bench.root.arrived_at().at(0) + kHold + kService + (i + 1) * 84 * kNs + kLatency)
        << i;
  }
}

// With c credits, a request leaves when the one c before it has been taken and its credit is back.
TEST(LinkTiming, CreditsBoundWhatIsUnderWay) {
  constexpr unsigned kCredits = 2;
  Bench bench(kCredits);
  for (unsigned i = 0; i < 9; ++i) {
    bench.device.send(TlpKind::kMemRead, 0x1000, 8, 1 * kNs);
  }
  bench.run();
  Ps wire_free = 0;
  std::vector<Ps> arrival;
  for (unsigned i = 0; i < 9; ++i) {
    Ps ready = 1 * kNs;
    if (i >= kCredits) {
      ready = arrival[i - kCredits] + kHold + kLatency;
    }
    wire_free = std::max(wire_free, ready) + 20 * kNs;
    arrival.push_back(wire_free + kLatency);
    EXPECT_EQ(bench.root.arrived_at().at(i), arrival[i]) << i;
  }
  EXPECT_EQ(bench.link.stats().credit_stalls.value, 7U);
  EXPECT_EQ(bench.link.in_flight(), 0U);
}

// SPEC: [PCIE 2.4.1] a posted request may pass non-posted ones that wait, never the reverse.
TEST(LinkTiming, PostedPassesNonPosted) {
  Bench bench(1);
  const std::size_t first = bench.device.send(TlpKind::kMemRead, 0, 8, 1 * kNs);
  const std::size_t waits = bench.device.send(TlpKind::kMemRead, 0, 8, 1 * kNs);
  const std::size_t posted = bench.device.send(TlpKind::kMemWrite, 0, 8, 1 * kNs);
  const std::size_t posted_waits = bench.device.send(TlpKind::kPageRequest, 0, 0, 1 * kNs);
  const std::size_t last = bench.device.send(TlpKind::kMemRead, 0, 8, 1 * kNs);
  bench.run();
  EXPECT_EQ(bench.root.order(), (std::vector<std::uint64_t>{first, posted, posted_waits, waits, last}));
  EXPECT_EQ(bench.pool.live(), 0U);
}

TEST(LinkTiming, MemoryMappedAccessesReachTheDeviceAndReturn) {
  Bench bench(8);
  const std::size_t write = bench.cpu.write64(0xF000'0000, 1, 3 * kNs);
  bench.run();
  ASSERT_EQ(bench.device.received_at().size(), 1U);
  EXPECT_EQ(bench.device.received_at()[0], 3 * kNs + 28 * kNs + kLatency);
  EXPECT_EQ(bench.cpu.answered_at(write), bench.device.received_at()[0]);
  const Ps start = now_ps();
  const std::size_t read = bench.cpu.read(0xF000'0000, 8, 3 * kNs);
  bench.run();
  EXPECT_EQ(bench.cpu.answered_at(read), start + 3 * kNs + 20 * kNs + kLatency + 28 * kNs + kLatency);
  EXPECT_EQ(bench.cpu.word(read), 0x5A5A'5A5A'5A5A'5A5AULL);
  EXPECT_EQ(bench.pool.live(), 0U);
}

}  // namespace
}  // namespace svasim
