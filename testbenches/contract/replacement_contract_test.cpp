// Every replacement policy of the table keeps the contract of replacement.h.
#include <gtest/gtest.h>

#include <set>

#include "models/tlb/replacement.h"

namespace svasim {
namespace {

class ReplacementContract : public testing::TestWithParam<std::string> {
 protected:
  std::unique_ptr<ReplacementPolicy> make(unsigned sets, unsigned ways) {
    return make_replacement(GetParam(), ReplacementShape{sets, ways}, rng_);
  }
  RngStream rng_{3, "replacement"};
};

TEST_P(ReplacementContract, VictimIsAWayOfTheSet) {
  for (const unsigned ways : {1U, 2U, 3U, 4U, 6U, 8U, 12U, 16U}) {
    const auto policy = make(4, ways);
    RngStream rng(ways, "use");
    for (unsigned set = 0; set < 4; ++set) {
      for (unsigned way = 0; way < ways; ++way) {
        policy->fill(set, way);
      }
    }
    for (int i = 0; i < 1000; ++i) {
      const auto set = static_cast<unsigned>(rng.below(4));
      const unsigned victim = policy->victim(set);
      ASSERT_LT(victim, ways);
      ASSERT_EQ(policy->victim(set), victim) << "victim() changed state";
      policy->fill(set, victim);
      policy->touch(set, static_cast<unsigned>(rng.below(ways)));
    }
  }
}

TEST_P(ReplacementContract, SetsDoNotInfluenceEachOther) {
  if (GetParam() == "random") {
    return;  // one stream serves all sets
  }
  const auto alone = make(2, 4);
  const auto busy = make(2, 4);
  RngStream rng(5, "use");
  for (unsigned way = 0; way < 4; ++way) {
    alone->fill(0, way);
    busy->fill(0, way);
    busy->fill(1, 3 - way);
  }
  for (int i = 0; i < 500; ++i) {
    const auto way = static_cast<unsigned>(rng.below(4));
    alone->touch(0, way);
    busy->touch(0, way);
    busy->touch(1, static_cast<unsigned>(rng.below(4)));
    ASSERT_EQ(alone->victim(0), busy->victim(0));
  }
}

TEST_P(ReplacementContract, EveryWayIsEvictedSometimes) {
  const auto policy = make(1, 8);
  if (policy->clears()) {
    return;  // the table starts with the way victim() names, and has room for the rest
  }
  for (unsigned way = 0; way < 8; ++way) {
    policy->fill(0, way);
  }
  std::set<unsigned> evicted;
  for (int i = 0; i < 1000; ++i) {
    const unsigned victim = policy->victim(0);
    evicted.insert(victim);
    policy->fill(0, victim);
  }
  EXPECT_EQ(evicted.size(), 8U);
}

// What is used all the time stays, where use counts at all.
TEST_P(ReplacementContract, UseProtects) {
  const std::set<std::string> blind = {"fifo", "random", "clear_when_full"};
  if (blind.count(GetParam()) != 0) {
    return;
  }
  const auto policy = make(1, 4);
  for (unsigned way = 0; way < 4; ++way) {
    policy->fill(0, way);
  }
  for (int i = 0; i < 100; ++i) {
    policy->touch(0, 2);
    const unsigned victim = policy->victim(0);
    ASSERT_NE(victim, 2U);
    policy->fill(0, victim);
  }
}

INSTANTIATE_TEST_SUITE_P(All, ReplacementContract, testing::ValuesIn(replacement_names()),
                         [](const auto& test) { return test.param; });

// Known answers by hand.
TEST(Lru, EvictsTheWayUsedLongestAgo) {
  RngStream rng(1, "x");
  const auto policy = make_replacement("lru", ReplacementShape{1, 4}, rng);
  for (const unsigned way : {2U, 0U, 3U, 1U}) {
    policy->fill(0, way);
  }
  EXPECT_EQ(policy->victim(0), 2U);
  policy->touch(0, 2);
  EXPECT_EQ(policy->victim(0), 0U);
  policy->invalidate(0, 1);
  EXPECT_EQ(policy->victim(0), 1U);
}

TEST(Fifo, UseDoesNotProtect) {
  RngStream rng(1, "x");
  const auto policy = make_replacement("fifo", ReplacementShape{1, 3}, rng);
  for (const unsigned way : {1U, 0U, 2U}) {
    policy->fill(0, way);
  }
  policy->touch(0, 1);
  EXPECT_EQ(policy->victim(0), 1U);
}

TEST(TreePlru, FollowsTheBits) {
  RngStream rng(1, "x");
  const auto policy = make_replacement("plru", ReplacementShape{1, 4}, rng);
  for (unsigned way = 0; way < 4; ++way) {
    policy->fill(0, way);
  }
  // After 0, 1, 2, 3: root points left, left node points to 0.
  EXPECT_EQ(policy->victim(0), 0U);
  policy->touch(0, 0);  // root now points right, right node to 2
  EXPECT_EQ(policy->victim(0), 2U);
  policy->touch(0, 2);
  EXPECT_EQ(policy->victim(0), 1U);
}

// Values by hand: 2 after a fill, 0 after a hit, the first 3 leaves.
TEST(Srrip, FollowsTheValues) {
  RngStream rng(1, "x");
  const auto policy = make_replacement("srrip", ReplacementShape{1, 4}, rng);
  for (unsigned way = 0; way < 4; ++way) {
    policy->fill(0, way);  // 2 2 2 2
  }
  policy->touch(0, 0);               // 0 2 2 2
  EXPECT_EQ(policy->victim(0), 1U);  // would age to 1 3 3 3
  policy->fill(0, 1);                // 1 2 3 3
  EXPECT_EQ(policy->victim(0), 2U);
  policy->fill(0, 2);   // 1 2 2 3
  policy->touch(0, 3);  // 1 2 2 0
  EXPECT_EQ(policy->victim(0), 1U);
  policy->fill(0, 1);  // ages by 1: 2 2 3 1
  EXPECT_EQ(policy->victim(0), 2U);
  policy->fill(0, 2);                // 2 2 2 1
  EXPECT_EQ(policy->victim(0), 0U);  // would age to 3 3 3 2
  policy->fill(0, 0);                // 2 3 3 2
  EXPECT_EQ(policy->victim(0), 1U);
}

TEST(Srrip, AnEmptyWayAgesNobody) {
  RngStream rng(1, "x");
  const auto policy = make_replacement("srrip", ReplacementShape{1, 3}, rng);
  for (unsigned way = 0; way < 3; ++way) {
    policy->fill(0, way);
  }
  policy->touch(0, 0);       // 0 2 2
  policy->touch(0, 1);       // 0 0 2
  policy->invalidate(0, 2);  // 0 0 3
  policy->fill(0, 2);        // 0 0 2
  policy->touch(0, 2);       // 0 0 0
  policy->invalidate(0, 1);
  policy->fill(0, 1);  // 0 2 0
  EXPECT_EQ(policy->victim(0), 1U);
  policy->fill(0, 1);   // 1 2 1
  policy->touch(0, 1);  // 1 0 1
  EXPECT_EQ(policy->victim(0), 0U);
}

// The pages of a reference string, one page per letter.
struct StringFuture : FutureUses {
  std::string uses;
  std::uint64_t at = 0;
  std::uint64_t now() const override { return at; }
  std::uint64_t next_use(const PageName& page) const override {
    const std::size_t next = uses.find(static_cast<char>(page.first >> 12U), at + 1);
    return next == std::string::npos ? kNever : next;
  }
};

TEST(Oracle, EvictsTheFarthestUse) {
  RngStream rng(1, "x");
  const auto policy = make_replacement("oracle", ReplacementShape{1, 3}, rng);
  StringFuture future;
  future.uses = "abcdcabd";
  policy->set_future(&future);
  for (unsigned way = 0; way < 3; ++way) {
    future.at = way;
    policy->name(0, way, {0, (Addr{'a'} + way) << 12U, 12});
    policy->fill(0, way);
  }
  future.at = 3;                     // d misses: a comes at 5, b at 6, c at 4
  EXPECT_EQ(policy->victim(0), 1U);  // b
  policy->name(0, 1, {0, Addr{'d'} << 12U, 12});
  policy->fill(0, 1);
  future.at = 4;
  policy->touch(0, 2);  // c never again
  EXPECT_EQ(policy->victim(0), 2U);
  future.at = 5;
  policy->touch(0, 0);  // a never again; c was used longer ago
  EXPECT_EQ(policy->victim(0), 2U);
}

}  // namespace
}  // namespace svasim
