// What every order of a walker's queue owes: each walk is served once, by a rule that depends on nothing but
// what waits and who was served; where the table says so, nobody starves.
#include <gtest/gtest.h>

#include <algorithm>

#include "base/rng.h"
#include "models/formats/x86_first_stage.h"
#include "models/walker/walker.h"
#include "support/scripted_memory.h"
#include "support/walk_requester.h"

namespace svasim::test {
namespace {

constexpr Ps kNs = 1000;

class WalkOrders : public testing::TestWithParam<std::string> {
 protected:
  static const WalkOrderEntry& entry() {
    return *std::find_if(walk_order_table().begin(), walk_order_table().end(),
                         [](const WalkOrderEntry& e) { return e.name == GetParam(); });
  }
};

TEST_P(WalkOrders, NamesOneThatWaits) {
  RngStream rng(1, "orders");
  const auto order = make_walk_order(GetParam());
  const auto twin = make_walk_order(GetParam());
  std::vector<WaitingWalk> waiting;
  for (int step = 0; step < 5000; ++step) {
    for (std::uint64_t n = rng.below(3); n != 0; --n) {
      waiting.push_back({rng.below(5), static_cast<unsigned>(1 + rng.below(24))});
    }
    if (waiting.empty()) continue;
    const std::size_t place = order->next(waiting);
    ASSERT_LT(place, waiting.size());
    ASSERT_EQ(twin->next(waiting), place);
    // Of equal walks the one that came first.
    for (std::size_t i = 0; i < place; ++i) {
      EXPECT_FALSE(waiting[i].device == waiting[place].device && waiting[i].reads == waiting[place].reads);
    }
    waiting.erase(waiting.begin() + static_cast<std::ptrdiff_t>(place));
  }
}

// One long walk, and others that keep arriving faster than they are served.
TEST_P(WalkOrders, FairOnesStarveNobody) {
  const auto order = make_walk_order(GetParam());
  std::vector<WaitingWalk> waiting;
  const auto arrive = [&](unsigned number) { waiting.push_back({number % 3, 4}); };
  for (unsigned i = 0; i < 20; ++i) arrive(i);
  constexpr std::uint64_t kVictim = 7;
  waiting.push_back({kVictim, 24});
  const std::size_t before = waiting.size();
  unsigned served = 0;
  bool victim_served = false;
  for (; served < 10'000 && !victim_served; ++served) {
    arrive(served);
    arrive(served + 1);
    const std::size_t place = order->next(waiting);
    victim_served = waiting[place].device == kVictim;
    waiting.erase(waiting.begin() + static_cast<std::ptrdiff_t>(place));
  }
  EXPECT_EQ(victim_served, entry().fair);
  if (entry().fair) {
    EXPECT_LE(served, before);
  }
}

// Walks of two IOMMUs with several devices each, at times that often coincide. The second system is built
// and asked the other way round.
TEST_P(WalkOrders, ServeEveryWalkOnceWhoeverAsksFirst) {
  struct System {
    System(const std::string& prefix, bool reversed)
        : memory((prefix + "memory").c_str()),
          first((prefix + (reversed ? "b" : "a")).c_str()),
          second((prefix + (reversed ? "a" : "b")).c_str()),
          requester{reversed ? &second : &first, reversed ? &first : &second} {
      WalkerParams params = walker_params().defaults();
      params.order = GetParam();
      params.slots = 2;
      params.page_request_priority = 1;
      walker = std::make_unique<PageTableWalker>((prefix + "walker").c_str(), params, context, 2);
      walker->memory_socket().bind(memory.socket());
      for (unsigned i : {0U, 1U}) requester[i]->socket().bind(walker->requester(i));
      for (unsigned level = 1; level <= 4; ++level) memory.write64(level * kPageSize, 0);
    }
    TransactionPool pool;
    StatRegistry stats;
    SimContext context{1, Timing::kApproximate, pool, stats};
    ScriptedMemory memory;
    WalkRequester first;
    WalkRequester second;
    WalkRequester* requester[2];
    std::unique_ptr<PageTableWalker> walker;
  };
  System straight("straight_", false);
  System reversed("reversed_", true);
  sc_core::sc_start(sc_core::SC_ZERO_TIME);
  const PageTableFormat format = make_x86_first_stage(4, PageFormatOptions());
  RngStream rng(2, "walks");
  constexpr std::size_t kWalks = 300;
  for (std::size_t i = 0; i < kWalks; ++i) {
    WalkRequest walk[2];
    Ps delay[2];
    for (unsigned port : {0U, 1U}) {
      walk[port].format = &format;
      walk[port].level = 1 + static_cast<unsigned>(rng.below(4));
      walk[port].table = walk[port].level * kPageSize;
      walk[port].requester = RequesterId(static_cast<std::uint16_t>(rng.below(3)));
      walk[port].walk_class = static_cast<WalkClass>(rng.below(3));
      delay[port] = (1 + rng.below(4)) * 10 * kNs;
    }
    for (unsigned port : {0U, 1U}) straight.requester[port]->send(walk[port], delay[port]);
    for (unsigned port : {1U, 0U}) reversed.requester[port]->send(walk[port], delay[port]);
    sc_core::sc_start(to_sc(rng.below(3) * 40 * kNs + 1));
  }
  sc_core::sc_start(to_sc(1'000'000 * kNs));
  EXPECT_GT(straight.walker->stats().wait.max(), 1000 * kNs) << "a queue was needed";
  for (const System* system : {&straight, &reversed}) {
    EXPECT_EQ(system->walker->in_flight(), 0U);
    EXPECT_EQ(system->walker->stats().started.value, 2 * kWalks);
    EXPECT_EQ(system->walker->stats().finished.value, 2 * kWalks);
  }
  for (unsigned port : {0U, 1U}) {
    EXPECT_EQ(straight.requester[port]->outstanding(), 0U);
    for (std::size_t i = 0; i < kWalks; ++i) {
      ASSERT_EQ(straight.requester[port]->answered_at(i), reversed.requester[port]->answered_at(i));
    }
  }
}

INSTANTIATE_TEST_SUITE_P(All, WalkOrders, testing::ValuesIn(walk_order_names()),
                         [](const auto& test) { return test.param; });

}  // namespace
}  // namespace svasim::test
