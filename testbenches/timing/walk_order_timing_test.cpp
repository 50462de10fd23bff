// Who waits how long in a walker's queue, by formula, for every order and for priorities.
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>

#include "models/formats/vtd_second_stage.h"
#include "models/formats/x86_first_stage.h"
#include "models/walker/walker.h"
#include "support/scripted_memory.h"
#include "support/walk_requester.h"

namespace svasim::test {
namespace {

constexpr Ps kNs = 1000;
constexpr Ps kMemory = 50 * kNs;
constexpr Ps kStep = 2 * kNs;
constexpr Ps kStart = 1 * kNs;
const RequesterId kFlood(8);
const RequesterId kVictim(3);

// For how long a walk of n reads keeps its slot.
constexpr Ps occupied(unsigned reads) { return reads * (kStep + kMemory); }

// One slot. The tables' entries map a page of every level.
struct Bench {
  explicit Bench(const std::function<void(WalkerParams&)>& change) {
    WalkerParams params = walker_params().defaults();
    params.slots = 1;
    params.step_latency = kStep;
    change(params);
    walker = std::make_unique<PageTableWalker>("walker", params, context);
    walker->memory_socket().bind(memory.socket());
    requester.socket().bind(walker->requester(0));
    memory.latency = kMemory;
    for (unsigned level = 1; level <= 4; ++level) {
      const std::uint64_t next = level == 1 ? 0x12345000 : (level - 1) * kPageSize;
      memory.write64(level * kPageSize, next | 0x67);
    }
    sc_core::sc_start(sc_core::SC_ZERO_TIME);
  }
  std::size_t send(RequesterId device, unsigned level = 4, WalkClass walk_class = WalkClass::kDemand,
                   Ps arrival = kStart) {
    WalkRequest walk;
    walk.format = &format;
    walk.level = level;
    walk.table = level * kPageSize;
    walk.update_ad = true;
    walk.requester = device;
    walk.walk_class = walk_class;
    return requester.send(walk, arrival);
  }
  void run() { sc_core::sc_start(to_sc(1'000'000 * kNs)); }
  // The walk is answered when what is before it and itself, in reads, have had the slot.
  void expect_after(std::size_t walk, unsigned reads) {
    EXPECT_EQ(requester.result(walk).fault, FaultReason::kNone);
    EXPECT_EQ(requester.answered_at(walk), kStart + occupied(reads) + kStep) << "walk " << walk;
    EXPECT_EQ(requester.attribution(walk).total(), requester.answered_at(walk));
  }

  TransactionPool pool;
  StatRegistry stats;
  SimContext context{1, Timing::kApproximate, pool, stats};
  PageTableFormat format = make_x86_first_stage(4, PageFormatOptions());
  ScriptedMemory memory{"memory"};
  WalkRequester requester{"requester"};
  std::unique_ptr<PageTableWalker> walker;
};

std::function<void(WalkerParams&)> order(const char* name) {
  return [name](WalkerParams& params) { params.order = name; };
}

// A device floods the queue; another asks a moment later. In order of arrival it waits for the whole flood.
TEST(WalkOrderTiming, AFloodDelaysOthersUnderFifo) {
  Bench bench(order("fifo"));
  for (unsigned i = 0; i < 20; ++i) bench.send(kFlood);
  const std::size_t victim = bench.send(kVictim, 4, WalkClass::kDemand, kStart + 1);
  bench.run();
  bench.expect_after(victim, 20 * 4 + 4);
}

// When devices take turns it waits for the walk under way, and its i-th walk for i of the other's.
TEST(WalkOrderTiming, AFloodDelaysNobodyUnderRoundRobin) {
  Bench bench(order("round_robin"));
  std::vector<std::size_t> flood;
  std::vector<std::size_t> victims;
  for (unsigned i = 0; i < 20; ++i) flood.push_back(bench.send(kFlood));
  for (unsigned i = 0; i < 5; ++i) {
    victims.push_back(bench.send(kVictim, 4, WalkClass::kDemand, kStart + 1));
  }
  bench.run();
  for (unsigned i = 0; i < 5; ++i) bench.expect_after(victims[i], (i + 1) * 4 + i * 4 + 4);
  for (unsigned i = 0; i < 20; ++i) bench.expect_after(flood[i], (i + 1) * 4 + std::min(i, 5U) * 4);
}

// With d devices that never run out, everyone gets every d-th slot.
TEST(WalkOrderTiming, RoundRobinSharesEqually) {
  Bench bench(order("round_robin"));
  std::vector<std::size_t> walks[3];
  for (unsigned i = 0; i < 6; ++i) {
    // The first device asks for as much as the others together.
    for (const unsigned device : {0U, 0U, 1U, 2U}) {
      walks[device].push_back(bench.send(RequesterId(static_cast<std::uint16_t>(0x100 * (device + 1)))));
    }
  }
  bench.run();
  for (unsigned i = 0; i < 6; ++i) {
    for (const unsigned device : {0U, 1U, 2U}) {
      bench.expect_after(walks[device][i], (3 * i + device + 1) * 4);
    }
  }
  for (unsigned i = 6; i < 12; ++i) bench.expect_after(walks[0][i], (18 + i - 5) * 4);
}

TEST(WalkOrderTiming, ShortestFirst) {
  Bench bench(order("shortest_first"));
  std::size_t walk[5];
  unsigned place = 0;
  for (const unsigned level : {4U, 2U, 3U, 2U, 1U}) walk[place++] = bench.send(kFlood, level);
  bench.run();
  bench.expect_after(walk[4], 1);
  bench.expect_after(walk[1], 1 + 2);
  bench.expect_after(walk[3], 1 + 2 + 2);
  bench.expect_after(walk[2], 1 + 2 + 2 + 3);
  bench.expect_after(walk[0], 1 + 2 + 2 + 3 + 4);
}

// A nested walk is as long as the entries of both stages: (F + 1) * S + F, or F * S + F from a known table.
TEST(WalkOrderTiming, ShortestFirstCountsBothStages) {
  Bench bench(order("shortest_first"));
  const PageTableFormat second = make_vtd_second_stage(4, {});
  WalkRequest nested;
  nested.format = &bench.format;
  nested.nested.format = &second;
  nested.nested.root = 0x80000;  // maps nothing: they fault at once
  nested.nested.input_bits = 48;
  const auto send = [&](unsigned level, bool known) {
    nested.level = level;
    nested.table = 0x90000;
    nested.nested.table_known = known;
    return bench.requester.send(nested, kStart);
  };
  const std::size_t long_one = send(1, false);  // 2 * 4 + 1
  const std::size_t short_one = send(1, true);  // 1 * 4 + 1
  const std::size_t plain = bench.send(kFlood, 4);
  bench.run();
  EXPECT_LT(bench.requester.answered_at(plain), bench.requester.answered_at(short_one));
  EXPECT_LT(bench.requester.answered_at(short_one), bench.requester.answered_at(long_one));
}

// Classes go by their priorities; equal ones share a line. Waits are counted by class.
struct Priorities {
  const char* name;
  unsigned demand, page_request, prefetch;
  unsigned turn[3];  // of a prefetch, a page request and a demand walk that arrive in this order
};
void PrintTo(const Priorities& p, std::ostream* out) { *out << p.name; }

class WalkPriorities : public testing::TestWithParam<Priorities> {};

TEST_P(WalkPriorities, TheBestClassGoesFirst) {
  const Priorities& p = GetParam();
  Bench bench([&](WalkerParams& params) {
    params.demand_priority = p.demand;
    params.page_request_priority = p.page_request;
    params.prefetch_priority = p.prefetch;
  });
  constexpr WalkClass kOrder[] = {WalkClass::kPrefetch, WalkClass::kPageRequest, WalkClass::kDemand};
  std::size_t walk[3];
  for (unsigned i = 0; i < 3; ++i) walk[i] = bench.send(kFlood, 4, kOrder[i]);
  bench.run();
  for (unsigned i = 0; i < 3; ++i) {
    bench.expect_after(walk[i], (p.turn[i] + 1) * 4);
    const WalkerStats::Class& its = bench.walker->stats().by_class[static_cast<std::size_t>(kOrder[i])];
    EXPECT_EQ(its.walks.value, 1U);
    EXPECT_EQ(its.wait.count(), 1U);
    EXPECT_EQ(its.wait.sum(), occupied(4 * p.turn[i]));
  }
}
INSTANTIATE_TEST_SUITE_P(WalkOrderTiming, WalkPriorities,
                         testing::Values(Priorities{"none", 0, 0, 0, {0, 1, 2}},
                                         Priorities{"demand_first", 0, 1, 2, {2, 1, 0}},
                                         Priorities{"page_requests_first", 1, 0, 2, {2, 0, 1}},
                                         Priorities{"prefetch_first", 1, 1, 0, {0, 1, 2}},
                                         Priorities{"demand_before_both", 0, 1, 1, {1, 2, 0}},
                                         Priorities{"reversed", 2, 1, 0, {0, 1, 2}}),
                         [](const auto& test) { return test.param.name; });

// Within a class the order holds: the victim's prefetch waits for all demand, and then for one walk.
TEST(WalkOrderTiming, OrdersHoldWithinAPriority) {
  Bench bench([](WalkerParams& params) {
    params.order = "round_robin";
    params.prefetch_priority = 1;
  });
  for (unsigned i = 0; i < 4; ++i) bench.send(kFlood, 4, WalkClass::kPrefetch);
  for (unsigned i = 0; i < 4; ++i) bench.send(kFlood, 4, WalkClass::kDemand);
  const std::size_t ahead = bench.send(kVictim, 4, WalkClass::kPrefetch);
  const std::size_t demand = bench.send(kVictim, 4, WalkClass::kDemand);
  bench.run();
  bench.expect_after(demand, 4);         // the lower number has the first turn
  bench.expect_after(ahead, 5 * 4 + 4);  // the flood had the last one
}

}  // namespace
}  // namespace svasim::test
