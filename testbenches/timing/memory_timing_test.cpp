// When a memory answers, by formula: arrival, turn on the channel, transfer, latency.
#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

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

LlcParams small_llc() {
  LlcParams llc = llc_params().defaults();
  llc.enable = true;
  llc.size = 4096;  // 16 sets of 4 lines
  llc.ways = 4;
  llc.latency = 9 * kNs;
  return llc;
}

// Hit: the cache's latency. Miss: that, and then what a memory without cache takes.
TEST(MemoryTiming, LastLevelCacheAnswersHits) {
  Bench bench;
  bench.params.llc = small_llc();
  bench.memory = nullptr;
  bench.memory = std::make_unique<Memory>("cached", bench.params, bench.context);
  bench.a.socket().bind(bench.memory->socket());
  sc_core::sc_start(sc_core::SC_ZERO_TIME);
  const std::size_t write = bench.a.write64(0x1000, 5, 10 * kNs);  // enters its line
  const std::size_t hit = bench.a.read(0x1008, 8, 100 * kNs);      // of that line
  const std::size_t miss = bench.a.read(0x2000, 64, 200 * kNs);    // reads of devices do not enter
  const std::size_t again = bench.a.read(0x2000, 64, 300 * kNs);
  const std::size_t half = bench.a.read(0x1000, 128, 400 * kNs);  // the second line is not there
  const std::size_t outside = bench.a.read(std::uint64_t{1} << 40U, 64, 500 * kNs);
  sc_core::sc_start(to_sc(1000 * kNs));
  const Ps eight = 125;  // 8 B at 64 GB/s
  EXPECT_EQ(bench.a.answered_at(write), (10 + 9 + 50) * kNs + eight);
  EXPECT_EQ(bench.a.answered_at(hit), (100 + 9) * kNs);
  EXPECT_EQ(bench.a.answered_at(miss), (200 + 9 + 1 + 50) * kNs);
  EXPECT_EQ(bench.a.answered_at(again), (300 + 9 + 1 + 50) * kNs);
  EXPECT_EQ(bench.a.answered_at(half), (400 + 9 + 2 + 50) * kNs);
  EXPECT_EQ(bench.a.answered_at(outside), (500 + 1 + 50) * kNs);
  EXPECT_EQ(bench.a.word(hit), 0U);
  EXPECT_EQ(bench.a.word(half), 5U);
  EXPECT_EQ(bench.memory->stats().llc_hits.value, 1U);
  EXPECT_EQ(bench.memory->stats().llc_misses.value, 4U);
}

// A hit behind a miss overtakes it, and keeps no channel from anybody.
TEST(MemoryTiming, LastLevelCacheHitsTakeNoTurn) {
  Bench bench;
  bench.params.llc = small_llc();
  bench.memory = nullptr;
  bench.memory = std::make_unique<Memory>("cached", bench.params, bench.context);
  bench.a.socket().bind(bench.memory->socket());
  sc_core::sc_start(sc_core::SC_ZERO_TIME);
  bench.a.write64(0x1000, 5, 1 * kNs);
  const std::size_t first = bench.a.read(0x8000, 64, 100 * kNs);
  const std::size_t hit = bench.a.read(0x1000, 64, 100 * kNs);
  const std::size_t second = bench.a.read(0x9000, 64, 100 * kNs);
  sc_core::sc_start(to_sc(1000 * kNs));
  EXPECT_EQ(bench.a.answered_at(first), (100 + 9 + 1 + 50) * kNs);
  EXPECT_EQ(bench.a.answered_at(hit), (100 + 9) * kNs);
  EXPECT_EQ(bench.a.answered_at(second), (100 + 9 + 2 + 50) * kNs);
}

// Against a list per set, most recent first.
TEST(LastLevelCache, IsLeastRecentlyUsedPerSet) {
  LlcParams params = small_llc();
  params.device_reads = true;
  LastLevelCache cache(params, 1, "llc");
  RngStream rng(7, "last_level_cache");
  std::vector<std::vector<std::uint64_t>> sets(16);
  unsigned hits = 0;
  for (unsigned i = 0; i < 20'000; ++i) {
    const std::uint64_t line = rng.below(120);
    std::vector<std::uint64_t>& set = sets[line % 16];
    const auto found = std::find(set.begin(), set.end(), line);
    const bool expected = found != set.end();
    if (expected) set.erase(found);
    set.insert(set.begin(), line);
    if (set.size() > 4) set.pop_back();
    ASSERT_EQ(cache.access(line * 64 + rng.below(64), 1, rng.below(2) != 0, AccessOrigin::kDevice), expected)
        << i;
    hits += expected ? 1 : 0;
  }
  EXPECT_GT(hits, 5000U);
}

TEST(LastLevelCache, WhatEntersIsAParameter) {
  for (const bool tables : {false, true}) {
    for (const bool reads : {false, true}) {
      for (const bool writes : {false, true}) {
        LlcParams params = small_llc();
        params.table_reads = tables;
        params.device_reads = reads;
        params.device_writes = writes;
        LastLevelCache cache(params, 1, "llc");
        const auto twice = [&](std::uint64_t address, bool write, AccessOrigin origin) {
          EXPECT_FALSE(cache.access(address, 8, write, origin));
          return cache.access(address, 8, write, origin);
        };
        EXPECT_EQ(twice(0x1000, false, AccessOrigin::kWalk), tables);
        EXPECT_EQ(twice(0x2000, false, AccessOrigin::kStructure), tables);
        EXPECT_EQ(twice(0x3000, false, AccessOrigin::kDevice), reads);
        EXPECT_EQ(twice(0x4040, true, AccessOrigin::kDevice), writes);
      }
    }
  }
}

}  // namespace
}  // namespace svasim
