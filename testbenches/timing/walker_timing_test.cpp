// When a walk is answered, by formula, and what a walker with few slots does.
#include <gtest/gtest.h>

#include "models/formats/x86_first_stage.h"
#include "models/memory/memory.h"
#include "models/walker/walker.h"
#include "support/walk_requester.h"

namespace svasim {
namespace {

constexpr Ps kNs = 1000;
constexpr Ps kMemory = 51 * kNs;  // 8 bytes take 1 ns, then 50 ns

struct Bench {
  explicit Bench(unsigned slots) {
    memory_parameters.bandwidth = 8'000'000'000ULL;
    memory_parameters.latency = 50 * kNs;
    memory_parameters.channels = 64;
    memory_parameters.interleave = 4096;
    memory = std::make_unique<Memory>("memory", memory_parameters, context);
    WalkerParams params = walker_params().defaults();
    params.slots = slots;
    params.step_latency = 2 * kNs;
    walker = std::make_unique<PageTableWalker>("walker", params, context);
    walker->memory_socket().bind(memory->socket());
    requester.socket().bind(walker->requester(0));
    sc_core::sc_start(sc_core::SC_ZERO_TIME);
  }

  // A chain of tables for one IOVA, each table on a channel of its own: every bank of pages with
  // the same number goes to another channel. Returns the top table.
  Addr map(Addr iova, Addr page, std::uint64_t leaf_bits = 0x67, unsigned leaf_level = 1) {
    const Addr top = next_table += kPageSize;
    Addr table = top;
    for (unsigned level = 4; level > leaf_level; --level) {
      const Addr lower = next_table += kPageSize;
      memory->contents().write64(format.entry_address(level, table, iova), lower | 0x67);
      table = lower;
    }
    memory->contents().write64(format.entry_address(leaf_level, table, iova),
                               page | leaf_bits | (leaf_level > 1 ? 0x80U : 0U));
    return top;
  }

  WalkRequest request(Addr top, Addr iova) const {
    WalkRequest walk;
    walk.format = &format;
    walk.level = 4;
    walk.table = top;
    walk.iova = iova;
    walk.update_ad = true;
    return walk;
  }

  TransactionPool pool;
  StatRegistry stats;
  SimContext context{1, Timing::kApproximate, pool, stats};
  MemoryParams memory_parameters = memory_params().defaults();
  PageTableFormat format = make_x86_first_stage(4, PageFormatOptions());
  Addr next_table = 0x100000;
  std::unique_ptr<Memory> memory;
  std::unique_ptr<PageTableWalker> walker;
  test::WalkRequester requester{"requester"};
};

TEST(WalkerTiming, FourLevelsWithoutUpdates) {
  Bench bench(1);
  const Addr top = bench.map(0x7F12'3456'7000, 0xABC000);
  const std::size_t walk = bench.requester.send(bench.request(top, 0x7F12'3456'7890), 3 * kNs);
  sc_core::sc_start(to_sc(1000 * kNs));
  const WalkResult& result = bench.requester.result(walk);
  EXPECT_EQ(result.fault, FaultReason::kNone);
  EXPECT_EQ(result.page, 0xABC000U);
  EXPECT_EQ(result.reads, 4);
  EXPECT_EQ(result.updates, 0);
  EXPECT_EQ(bench.requester.answered_at(walk), 3 * kNs + 5 * 2 * kNs + 4 * kMemory);
  const Attribution& parts = bench.requester.attribution(walk);
  EXPECT_EQ(parts[Stage::kWalkRead], 4 * kMemory);
  EXPECT_EQ(parts[Stage::kWalkLogic], 5 * 2 * kNs);
  EXPECT_EQ(parts.total(), bench.requester.answered_at(walk));
}

// Every entry lacks its accessed bit, the leaf its dirty bit too: one update per level, and the
// leaf's sets both at once.
TEST(WalkerTiming, UpdatesCostOneAccessEach) {
  Bench bench(1);
  const Addr iova = 0x1000;
  Addr top = bench.next_table += kPageSize;
  Addr table = top;
  for (unsigned level = 4; level > 1; --level) {
    const Addr lower = bench.next_table += kPageSize;
    bench.memory->contents().write64(bench.format.entry_address(level, table, iova), lower | 0x7);
    table = lower;
  }
  const Addr leaf = bench.format.entry_address(1, table, iova);
  bench.memory->contents().write64(leaf, 0x5000 | 0x7);
  WalkRequest walk = bench.request(top, iova);
  walk.is_write = true;
  const std::size_t number = bench.requester.send(walk, 1 * kNs);
  sc_core::sc_start(to_sc(2000 * kNs));
  EXPECT_EQ(bench.requester.result(number).reads, 4);
  EXPECT_EQ(bench.requester.result(number).updates, 4);
  EXPECT_EQ(bench.requester.answered_at(number), 1 * kNs + 9 * 2 * kNs + 8 * kMemory);
  EXPECT_EQ(bench.memory->contents().read64(leaf), 0x5000U | 0x67U);
  EXPECT_TRUE(bench.requester.result(number).dirty);
}

TEST(WalkerTiming, StartsAtTheLevelItIsTold) {
  Bench bench(1);
  const Addr iova = 0x4000'1000;
  bench.map(iova, 0x9000);
  const Addr last_table = bench.next_table;
  WalkRequest walk = bench.request(last_table, iova);
  walk.level = 1;
  walk.upper_write = false;
  const std::size_t number = bench.requester.send(walk, 1 * kNs);
  sc_core::sc_start(to_sc(1000 * kNs));
  EXPECT_EQ(bench.requester.result(number).reads, 1);
  EXPECT_EQ(bench.requester.result(number).page, 0x9000U);
  EXPECT_FALSE(bench.requester.result(number).write) << "rights of the levels skipped are lost";
  EXPECT_EQ(bench.requester.answered_at(number), 1 * kNs + 2 * 2 * kNs + kMemory);
}

// With s slots and n independent walks of duration w, the last is answered after ceil(n / s) * w.
TEST(WalkerTiming, SlotsWorkInParallelAndInOrder) {
  for (const unsigned slots : {3U}) {
    Bench bench(slots);
    std::vector<std::size_t> walks;
    for (unsigned i = 0; i < 7; ++i) {
      // Tables of different walks lie on different channels: 4 tables each, 64 channels.
      const Addr iova = Addr{i} << 39U;
      walks.push_back(
          bench.requester.send(bench.request(bench.map(iova, 0x10000 + i * 0x1000), iova), 1 * kNs));
    }
    EXPECT_EQ(bench.requester.outstanding(), 7U);
    sc_core::sc_start(to_sc(10000 * kNs));
    // A slot is free for its next walk when the last entry is in the walker.
    const Ps occupied = 4 * 2 * kNs + 4 * kMemory;
    for (unsigned i = 0; i < 7; ++i) {
      EXPECT_EQ(bench.requester.answered_at(walks[i]), 1 * kNs + (i / slots + 1) * occupied + 2 * kNs) << i;
    }
    EXPECT_EQ(bench.walker->stats().started.value, 7U);
    EXPECT_EQ(bench.walker->stats().finished.value, 7U);
    EXPECT_EQ(bench.walker->in_flight(), 0U);
  }
}

// A fault before the first memory read must free the slot and start the next walk.
TEST(WalkerTiming, EarlyFaultFreesItsSlot) {
  Bench bench(1);
  const Addr top = bench.map(0x1000, 0x2000);
  std::vector<std::size_t> bad;
  for (int i = 0; i < 5; ++i) {
    bad.push_back(bench.requester.send(bench.request(top, 0x0000'8000'0000'0000), 1 * kNs));
  }
  const std::size_t good = bench.requester.send(bench.request(top, 0x1000), 1 * kNs);
  sc_core::sc_start(to_sc(1000 * kNs));
  for (const std::size_t walk : bad) {
    EXPECT_EQ(bench.requester.result(walk).fault, FaultReason::kNotCanonical);
    EXPECT_EQ(bench.requester.result(walk).reads, 0);
  }
  EXPECT_EQ(bench.requester.result(good).page, 0x2000U);
  EXPECT_EQ(bench.walker->in_flight(), 0U);
}

// A superpage's answer keeps its size; the requester adds the low bits.
TEST(WalkerTiming, Superpages) {
  Bench bench(2);
  const Addr big = bench.map(0x4000'0000, 0x8000'0000, 0x67, 3);
  const std::size_t gib = bench.requester.send(bench.request(big, 0x4000'0000 + 0x123'4567), 1 * kNs);
  const Addr medium = bench.map(0x20'0000, 0x60'0000, 0x67, 2);
  const std::size_t mib = bench.requester.send(bench.request(medium, 0x20'0000 + 0x12345), 1 * kNs);
  sc_core::sc_start(to_sc(1000 * kNs));
  EXPECT_EQ(bench.requester.result(gib).page_shift, 30);
  EXPECT_EQ(bench.requester.result(gib).page, 0x8000'0000U);
  EXPECT_EQ(bench.requester.result(gib).reads, 2);
  EXPECT_EQ(bench.requester.result(mib).page_shift, 21);
  EXPECT_EQ(bench.requester.result(mib).page, 0x60'0000U);
  EXPECT_EQ(bench.requester.result(mib).reads, 3);
}

}  // namespace
}  // namespace svasim
