// When a memory answers, by formula: arrival, turn on the channel, transfer, latency.
#include <gtest/gtest.h>

#include "models/memory/memory.h"
#include "models/memory/memory_bus.h"
#include "support/memory_initiator.h"

namespace svasim {
namespace {

constexpr Ps kNs = 1000;

struct Bench {
  explicit Bench(unsigned channels = 1) {
    params.size = std::uint64_t{1} << 32U;
    params.latency = 50 * kNs;
    params.bandwidth = 64'000'000'000ULL;  // 64 B take 1 ns
    params.channels = channels;
    params.interleave = 256;
    memory = std::make_unique<Memory>("memory", params, context);
  }
  TransactionPool pool;
  StatRegistry stats;
  SimContext context{1, Timing::kApproximate, pool, stats};
  MemoryParams params = memory_params().defaults();
  std::unique_ptr<Memory> memory;
  test::MemoryInitiator a{"a", pool};
};

TEST(MemoryTiming, OneReadTakesTransferAndLatency) {
  Bench bench;
  bench.a.socket().bind(bench.memory->socket());
  test::MemoryInitiator& a = bench.a;
  sc_core::sc_start(sc_core::SC_ZERO_TIME);
  bench.memory->contents().write64(0x1000, 42);
  const std::size_t read = a.read(0x1000, 64, 5 * kNs);
  sc_core::sc_start(to_sc(56 * kNs - 1));
  EXPECT_FALSE(a.answered(read));
  sc_core::sc_start(to_sc(2));
  ASSERT_TRUE(a.answered(read));
  EXPECT_EQ(a.answered_at(read), 5 * kNs + 1 * kNs + 50 * kNs);
  EXPECT_EQ(a.word(read), 42U);
  EXPECT_EQ(bench.memory->wake().wakeups(), 1U);
  EXPECT_EQ(bench.memory->in_flight(), 0U);
  EXPECT_EQ(bench.pool.live(), 0U);
}

// n accesses that arrive together leave one transfer apart.
TEST(MemoryTiming, OneChannelServesOneAtATime) {
  Bench bench;
  bench.a.socket().bind(bench.memory->socket());
  sc_core::sc_start(sc_core::SC_ZERO_TIME);
  for (Addr i = 0; i < 10; ++i) {
    bench.a.read(i * 64, 64, 10 * kNs);
  }
  sc_core::sc_start(to_sc(1000 * kNs));
  for (std::size_t i = 0; i < 10; ++i) {
    EXPECT_EQ(bench.a.answered_at(i), (10 + (i + 1) + 50) * kNs) << i;
  }
}

TEST(MemoryTiming, ChannelsWorkInParallel) {
  Bench bench(4);
  bench.a.socket().bind(bench.memory->socket());
  sc_core::sc_start(sc_core::SC_ZERO_TIME);
  for (Addr i = 0; i < 8; ++i) {
    bench.a.read(i * 256, 64, 10 * kNs);
  }
  sc_core::sc_start(to_sc(1000 * kNs));
  for (std::size_t i = 0; i < 8; ++i) {
    EXPECT_EQ(bench.a.answered_at(i), (10 + (i / 4 + 1) + 50) * kNs) << i;
  }
}

// A write is seen by a read behind it and not by one before it, though both wait in the memory.
TEST(MemoryTiming, DataMovesInTheOrderOfTurns) {
  Bench bench;
  bench.a.socket().bind(bench.memory->socket());
  sc_core::sc_start(sc_core::SC_ZERO_TIME);
  const std::size_t late = bench.a.read(0x40, 8, 3 * kNs);
  const std::size_t early = bench.a.read(0x40, 8, 1 * kNs);
  bench.a.write64(0x40, 7, 2 * kNs);
  sc_core::sc_start(to_sc(1000 * kNs));
  EXPECT_EQ(bench.a.word(early), 0U);
  EXPECT_EQ(bench.a.word(late), 7U);
}

TEST(MemoryTiming, OutsideIsAnAddressError) {
  Bench bench;
  bench.a.socket().bind(bench.memory->socket());
  sc_core::sc_start(sc_core::SC_ZERO_TIME);
  const std::size_t straddling = bench.a.read((std::uint64_t{1} << 32U) - 32, 64);
  const std::size_t beyond = bench.a.write64(std::uint64_t{1} << 40U, 1);
  sc_core::sc_start(to_sc(1000 * kNs));
  EXPECT_EQ(bench.a.status(straddling), tlm::TLM_ADDRESS_ERROR_RESPONSE);
  EXPECT_EQ(bench.a.status(beyond), tlm::TLM_ADDRESS_ERROR_RESPONSE);
  EXPECT_EQ(bench.memory->stats().errors.value, 2U);
}

// Equal-time accesses of two initiators are served in the order of their ranks at the bus, whatever
// the order of their calls; the bus adds its latency each way.
TEST(MemoryTiming, BusRanksInitiatorsAndAddsLatency) {
  Bench bench;
  MemoryBusParams bus_params = memory_bus_params().defaults();
  bus_params.latency = 7 * kNs;
  MemoryBus bus("bus", bus_params, bench.context, 2, 1);
  bench.a.socket().bind(bus.initiator(0));
  test::MemoryInitiator b("b", bench.pool);
  b.socket().bind(bus.initiator(1));
  bus.target(0).bind(bench.memory->socket());
  bus.map(0, "memory", 0, bench.params.size);
  sc_core::sc_start(sc_core::SC_ZERO_TIME);
  const std::size_t of_b = b.read(0, 64, 10 * kNs);
  const std::size_t of_a = bench.a.read(0, 64, 10 * kNs);
  const std::size_t nowhere = bench.a.read(std::uint64_t{1} << 50U, 64, 10 * kNs);
  sc_core::sc_start(to_sc(1000 * kNs));
  EXPECT_EQ(bench.a.answered_at(of_a), (10 + 7 + 1 + 50 + 7) * kNs);
  EXPECT_EQ(b.answered_at(of_b), (10 + 7 + 2 + 50 + 7) * kNs);
  EXPECT_EQ(bench.a.answered_at(nowhere), (10 + 7 + 7) * kNs);
  EXPECT_EQ(bench.a.status(nowhere), tlm::TLM_ADDRESS_ERROR_RESPONSE);
}

}  // namespace
}  // namespace svasim
