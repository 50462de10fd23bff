// The Verilated walker as a module: when it answers, by formula, and which cycles it is clocked.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "base/config.h"
#include "base/rng.h"
#include "models/formats/page_table_format.h"
#include "models/formats/x86_first_stage.h"
#include "models/rtl/rtl_walker.h"
#include "support/scripted_memory.h"
#include "support/walk_requester.h"
#include "tlm/transaction.h"

namespace svasim::test {
namespace {

constexpr Ps kNs = 1000;
constexpr Addr kTable = 0x10000;         // one table for all levels: every entry points back to it
constexpr std::uint64_t kMarked = 0x67;  // P, R/W, U/S, A, D

Ps round_up(Ps time, Ps period) { return (time + period - 1) / period * period; }

// The formula of rtl/README.md on the grid of the clock: taken at `edge`, an access leaves at the
// next edge; the answer is seen at the first edge not before it and not before the one after; one
// edge later the walker has decided. The result leaves one edge after the last decision.
struct Expected {
  Ps answered = 0;
  std::uint64_t busy = 0;
  std::uint64_t skipped = 0;
};
Expected expected_walk(Ps edge, unsigned accesses, Ps latency, Ps period) {
  Expected expected;
  for (unsigned i = 0; i < accesses; ++i) {
    const Ps left = edge + period;
    const Ps seen = std::max(round_up(left + latency, period), left + period);
    expected.skipped += (seen - left) / period - 1;
    edge = seen + period;
  }
  expected.busy = 2 + 3 * accesses;      // taken; left, seen, decided; result
  if (accesses == 0) expected.busy = 3;  // taken; found not canonical; result
  expected.answered = edge + (accesses == 0 ? 2 : 1) * period;
  return expected;
}

struct Bench {
  explicit Bench(Ps period, const std::string& waves = "") {
    WalkerParams params = walker_params().defaults();
    params.clock = period;
    walker = std::make_unique<RtlWalker>("walker", params, context, 1, waves);
    walker->memory_socket().bind(memory.socket());
    requester.socket().bind(walker->requester(0));
    sc_core::sc_start(sc_core::SC_ZERO_TIME);
    fill(kMarked);
  }
  void fill(std::uint64_t bits) {
    for (unsigned i = 0; i < 512; ++i) memory.write64(kTable + 8 * i, kTable | bits);
  }
  // A different entry at each level, so that each lacks its own bits.
  WalkRequest request(unsigned level = 4,
                      Addr iova = Addr{1} << 39 | Addr{2} << 30 | Addr{3} << 21 | Addr{4} << 12) {
    WalkRequest walk;
    walk.format = &format;
    walk.level = level;
    walk.table = kTable;
    walk.iova = iova;
    walk.update_ad = true;
    return walk;
  }

  TransactionPool pool;
  StatRegistry stats;
  SimContext context{1, Timing::kApproximate, pool, stats};
  PageTableFormat format = make_x86_first_stage(4, PageFormatOptions());
  ScriptedMemory memory{"memory"};
  WalkRequester requester{"requester"};
  std::unique_ptr<RtlWalker> walker;
};

class RtlWalkerTiming : public ::testing::TestWithParam<Ps> {};

TEST_P(RtlWalkerTiming, FollowsTheFormulaToThePicosecond) {
  const Ps period = GetParam();
  Bench bench(period);
  RngStream rng(1, "rtl_walker_timing");
  std::uint64_t busy = 0;
  std::uint64_t skipped = 0;
  for (unsigned i = 0; i < 200; ++i) {
    bench.memory.latency = 1 + rng.below(i % 2 == 0 ? 3 * period : 100 * kNs);
    const bool marked = rng.chance(0.5);
    bench.fill(marked ? kMarked : 0x7);
    const unsigned level = 1 + static_cast<unsigned>(rng.below(4));
    const bool odd = rng.chance(0.1);
    const WalkRequest request = odd ? bench.request(level, Addr{1} << 50) : bench.request(level);
    const Ps arrival = now_ps() + 1 + rng.below(5 * period);
    const std::size_t walk = bench.requester.send(request, arrival - now_ps());
    sc_core::sc_start(to_sc(10'000 * kNs));
    const Expected expected = expected_walk(round_up(arrival, period), odd ? 0 : level * (marked ? 1 : 2),
                                            bench.memory.latency, period);
    ASSERT_EQ(bench.requester.answered_at(walk), expected.answered) << "walk " << i;
    busy += expected.busy;
    skipped += expected.skipped;
  }
  EXPECT_EQ(bench.walker->core().busy_cycles().value, busy);
  EXPECT_EQ(bench.walker->core().skipped_cycles().value, skipped);
}

TEST_P(RtlWalkerTiming, LooseTimingTakesAsLong) {
  const Ps period = GetParam();
  Bench bench(period);
  bench.memory.latency = 70 * kNs + 1;
  sc_core::sc_start(to_sc(round_up(123 * kNs, period) + 1));
  Ps duration = 0;
  EXPECT_EQ(bench.requester.walk_now(bench.request(), &duration).page, kTable);
  EXPECT_EQ(now_ps() + duration,
            expected_walk(round_up(now_ps(), period), 4, bench.memory.latency, period).answered);
}

// The walker takes the next walk one edge after it has answered the one before.
TEST_P(RtlWalkerTiming, WaitingWalksFollowEachOther) {
  const Ps period = GetParam();
  Bench bench(period);
  std::vector<std::size_t> walks;
  for (unsigned i = 0; i < 5; ++i) walks.push_back(bench.requester.send(bench.request(), 1 + i));
  sc_core::sc_start(to_sc(100'000 * kNs));
  Ps edge = round_up(1, period);
  for (const std::size_t walk : walks) {
    const Ps answered = expected_walk(edge, 4, bench.memory.latency, period).answered;
    EXPECT_EQ(bench.requester.answered_at(walk), answered);
    edge = answered + period;
  }
}

INSTANTIATE_TEST_SUITE_P(Periods, RtlWalkerTiming, ::testing::Values(333, 500, 1000, 2500));

TEST(RtlWalker, IsNotClockedWhileIdle) {
  Bench bench(500);
  bench.requester.send(bench.request(), 1);
  sc_core::sc_start(to_sc(1'000'000 * kNs));
  EXPECT_EQ(bench.walker->core().busy_cycles().value, 2U + 3 * 4);
  EXPECT_EQ(bench.walker->wake().wakeups(), 1U);
}

TEST(RtlWalker, RefusesEveryFormatItDoesNotKnow) {
  Bench bench(500);
  for (const PageFormatEntry& entry : format_table()) {
    if (entry.name == "x86-fs4") continue;
    const PageTableFormat other = entry.make(PageFormatOptions());
    WalkRequest request = bench.request();
    request.format = &other;
    EXPECT_THROW(bench.requester.walk_now(request), ConfigError) << entry.name;
  }
}

TEST(RtlWalker, WritesWavesWhenAsked) {
  const std::filesystem::path file = std::filesystem::temp_directory_path() / "svasim_rtl_walker_test.fst";
  std::filesystem::remove(file);
  {
    Bench bench(500, file.string());
    bench.requester.send(bench.request(), 1);
    sc_core::sc_start(to_sc(1000 * kNs));
    EXPECT_EQ(bench.requester.outstanding(), 0U);
    bench.walker.reset();
  }
  std::ifstream in(file, std::ios::binary);
  char head[1] = {1};
  in.read(head, 1);
  EXPECT_EQ(head[0], 0) << "an FST file starts with its header block, type 0";
  EXPECT_GT(std::filesystem::file_size(file), 1000U);
  std::filesystem::remove(file);
}

}  // namespace
}  // namespace svasim::test
