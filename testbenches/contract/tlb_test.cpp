// The set-associative cache against a list that is searched from end to end.
#include <gtest/gtest.h>

#include <list>
#include <map>

#include "models/tlb/tlb.h"

namespace svasim {
namespace {

struct Data {
  std::uint64_t value = 0;
};

TlbParams shape(unsigned entries, unsigned ways, const std::string& policy = "lru") {
  TlbParams params = tlb_params().defaults();
  params.entries = entries;
  params.ways = ways;
  params.policy = policy;
  return params;
}

// LRU by definition: per set a list, most recent first.
class ListTlb {
 public:
  ListTlb(unsigned sets, unsigned ways) : sets_(sets), ways_(ways) {}
  const std::uint64_t* lookup(std::uint64_t space, Addr address) {
    for (const unsigned shift : {12U, 21U, 30U}) {
      auto& set = set_[(address >> shift) % sets_];
      for (auto entry = set.begin(); entry != set.end(); ++entry) {
        if (entry->space == space && entry->shift == shift && entry->page == address >> shift) {
          set.splice(set.begin(), set, entry);
          return &set.begin()->value;
        }
      }
    }
    return nullptr;
  }
  void fill(std::uint64_t space, Addr address, unsigned shift, std::uint64_t value) {
    auto& set = set_[(address >> shift) % sets_];
    set.remove_if(
        [&](const Entry& e) { return e.space == space && e.shift == shift && e.page == address >> shift; });
    if (set.size() == ways_) {
      set.pop_back();
    }
    set.push_front({space, shift, address >> shift, value});
  }
  void invalidate(std::uint64_t space, Addr first, Addr last) {
    for (auto& [index, set] : set_) {
      set.remove_if([&](const Entry& e) {
        const Addr low = e.page << e.shift;
        const Addr high = low + (Addr{1} << e.shift) - 1;
        return e.space == space && low <= last && high >= first;
      });
    }
  }

 private:
  struct Entry {
    std::uint64_t space;
    unsigned shift;
    std::uint64_t page;
    std::uint64_t value;
  };
  unsigned sets_;
  unsigned ways_;
  std::map<std::uint64_t, std::list<Entry>> set_;
};

TEST(Tlb, RandomUseMatchesTheList) {
  for (const auto& [entries, ways] :
       {std::pair{1U, 1U}, {8U, 1U}, {8U, 2U}, {64U, 4U}, {16U, 16U}, {24U, 3U}}) {
    Tlb<Data> tlb(shape(entries, ways), 1, "tlb");
    ListTlb list(entries / ways, ways);
    RngStream rng(entries * 100 + ways, "use");
    // The models choose the same victim only while no way was emptied; emptied ways are filled
    // first by both, so the contents stay equal.
    for (std::uint64_t step = 1; step < 30000; ++step) {
      const std::uint64_t space = rng.below(3);
      const unsigned shift = std::array{12U, 12U, 12U, 21U, 30U}[rng.below(5)];
      const Addr address =
          (rng.below(40) << 12U) + (rng.below(3) << 21U) + (rng.below(2) << 30U) + rng.below(4096);
      switch (rng.below(10)) {
        case 0: {
          const Addr last = address + (Addr{1} << (12 + rng.below(4))) - 1;
          tlb.invalidate_if([&](std::uint64_t s, Addr first, unsigned page_shift, const Data&) {
            return s == space && first <= last && first + (Addr{1} << page_shift) - 1 >= address;
          });
          list.invalidate(space, address, last);
          break;
        }
        case 1:
        case 2:
        case 3: {
          // A region is mapped with one page size at a time, as in a page table.
          const Addr low = (address >> shift) << shift;
          tlb.invalidate_if([&](std::uint64_t s, Addr first, unsigned page_shift, const Data&) {
            return s == space && first <= low + (Addr{1} << shift) - 1 &&
                   first + (Addr{1} << page_shift) - 1 >= low;
          });
          list.invalidate(space, low, low + (Addr{1} << shift) - 1);
          tlb.fill(space, address, shift, Data{step});
          list.fill(space, address, shift, step);
          break;
        }
        default: {
          const Data* got = tlb.lookup(space, address);
          const std::uint64_t* want = list.lookup(space, address);
          ASSERT_EQ(got == nullptr, want == nullptr) << "step " << step;
          if (got != nullptr) {
            ASSERT_EQ(got->value, *want);
          }
        }
      }
    }
  }
}

TEST(Tlb, SpacesDoNotAnswerForEachOther) {
  Tlb<Data> tlb(shape(16, 4), 1, "tlb");
  tlb.fill(1, 0x1000, 12, Data{11});
  tlb.fill(2, 0x1000, 12, Data{22});
  EXPECT_EQ(tlb.lookup(1, 0x1FFF)->value, 11U);
  EXPECT_EQ(tlb.lookup(2, 0x1000)->value, 22U);
  EXPECT_EQ(tlb.lookup(3, 0x1000), nullptr);
  EXPECT_EQ(tlb.lookup(1, 0x2000), nullptr);
}

// Every policy, against what any cache must do: it answers only what was filled and not dropped, and
// holds no more than it has room for.
class TlbPolicy : public testing::TestWithParam<std::string> {};

TEST_P(TlbPolicy, AnswersOnlyWhatIsThere) {
  for (const auto& [entries, ways] : {std::pair{1U, 1U}, {16U, 1U}, {16U, 4U}, {12U, 0U}}) {
    Tlb<Data> tlb(shape(entries, ways, GetParam()), 1, "tlb");
    std::map<std::pair<std::uint64_t, Addr>, std::uint64_t> filled;
    RngStream rng(entries + ways, "use");
    for (std::uint64_t step = 1; step < 20000; ++step) {
      const std::uint64_t space = rng.below(2);
      const Addr page = rng.below(30);
      if (rng.below(50) == 0) {
        const auto dropped = [&](std::uint64_t s, Addr first, unsigned, const Data&) {
          return s == space && first >> 12U >= page;
        };
        tlb.invalidate_if(dropped);
        for (auto entry = filled.begin(); entry != filled.end();) {
          const bool gone = entry->first.first == space && entry->first.second >= page;
          entry = gone ? filled.erase(entry) : std::next(entry);
        }
      }
      const Data* got = tlb.lookup(space, page << 12U);
      if (got != nullptr) {
        const auto entry = filled.find({space, page});
        ASSERT_NE(entry, filled.end()) << "step " << step;
        ASSERT_EQ(got->value, entry->second);
      }
      if (got == nullptr || rng.below(20) == 0) {
        tlb.fill(space, page << 12U, 12, Data{step});
        filled[{space, page}] = step;
        ASSERT_NE(tlb.peek(space, page << 12U), nullptr);
        ASSERT_EQ(tlb.peek(space, page << 12U)->value, step);
      }
      ASSERT_LE(tlb.valid_entries(), entries);
    }
    EXPECT_GT(tlb.stats().evictions.value, 0U);
  }
}

INSTANTIATE_TEST_SUITE_P(All, TlbPolicy, testing::ValuesIn(replacement_names()),
                         [](const auto& test) { return test.param; });

TEST(Tlb, ClearsWhenFull) {
  Tlb<Data> tlb(shape(4, 0, "clear_when_full"), 1, "tlb");
  for (Addr page = 0; page < 4; ++page) {
    tlb.fill(0, page << 12U, 12, Data{page});
  }
  tlb.fill(0, 2U << 12U, 12, Data{9});  // is there: no room needed
  EXPECT_EQ(tlb.valid_entries(), 4U);
  EXPECT_EQ(tlb.peek(0, 2U << 12U)->value, 9U);
  tlb.fill(0, 4U << 12U, 12, Data{4});
  EXPECT_EQ(tlb.valid_entries(), 1U);
  EXPECT_EQ(tlb.peek(0, 0), nullptr);
  EXPECT_EQ(tlb.peek(0, 4U << 12U)->value, 4U);
  EXPECT_EQ(tlb.stats().clears.value, 1U);
  EXPECT_EQ(tlb.stats().evictions.value, 4U);
}

// MIN by definition: of a string of random uses no policy may hit more, whatever is invalidated.
TEST(Tlb, OracleIsNeverBeaten) {
  struct Future : FutureUses {
    std::vector<Addr> pages;  // ~0: everything is invalidated before the next use
    std::uint64_t at = 0;
    std::uint64_t now() const override { return at; }
    std::uint64_t next_use(const PageName& page) const override {
      for (std::uint64_t i = at + 1; i < pages.size() && pages[i] != ~Addr{0}; ++i) {
        if (pages[i] == page.first >> page.shift) return i;
      }
      return kNever;
    }
  };
  for (unsigned round = 0; round < 20; ++round) {
    Future future;
    RngStream rng(round, "string");
    for (int i = 0; i < 600; ++i) {
      future.pages.push_back(rng.below(60) == 0  ? ~Addr{0}
                             : rng.below(4) == 0 ? rng.below(40)
                                                 : rng.below(12));
    }
    std::map<std::string, std::uint64_t> hits;
    for (const std::string& policy : replacement_names()) {
      Tlb<Data> tlb(shape(8, 0, policy), 1, "tlb");
      tlb.set_future(&future);
      for (future.at = 0; future.at < future.pages.size(); ++future.at) {
        const Addr page = future.pages[future.at];
        if (page == ~Addr{0}) {
          tlb.invalidate_all();
        } else if (tlb.lookup(0, page << 12U) == nullptr) {
          tlb.fill(0, page << 12U, 12, Data{page});
        }
      }
      hits[policy] = tlb.stats().hits.value;
    }
    for (const auto& [policy, count] : hits) {
      EXPECT_LE(count, hits[kOraclePolicy]) << policy;
    }
    EXPECT_LT(hits["lru"], hits[kOraclePolicy]);
  }
}

TEST(Tlb, InfiniteForgetsOnlyWhatIsDropped) {
  TlbParams params = shape(1, 1);
  params.infinite = true;
  Tlb<Data> tlb(params, 1, "tlb");
  std::map<std::tuple<std::uint64_t, unsigned, Addr>, std::uint64_t> all;
  RngStream rng(4, "use");
  for (std::uint64_t step = 1; step < 20000; ++step) {
    const std::uint64_t space = rng.below(3);
    const unsigned shift = space == 2 ? 21 : 12;  // one page size per space: pages do not overlap
    const Addr page = rng.below(3000);
    const Data* got = tlb.lookup(space, page << shift | 5U);
    const auto known = all.find({space, shift, page});
    ASSERT_EQ(got != nullptr, known != all.end());
    if (got != nullptr) {
      ASSERT_EQ(got->value, known->second);
    }
    tlb.fill(space, page << shift, shift, Data{step});
    all[{space, shift, page}] = step;
    if (step % 500 == 0) {
      tlb.invalidate_if(
          [&](std::uint64_t s, Addr, unsigned, const Data& d) { return s == space && d.value % 2 != 0; });
      for (auto entry = all.begin(); entry != all.end();) {
        const bool gone = std::get<0>(entry->first) == space && entry->second % 2 != 0;
        entry = gone ? all.erase(entry) : std::next(entry);
      }
    }
    ASSERT_EQ(tlb.valid_entries(), all.size());
  }
  EXPECT_EQ(tlb.stats().evictions.value, 0U);
}

// Two owners in two halves: one that streams does not cost the other a hit.
TEST(Tlb, PartsKeepOwnersApart) {
  Tlb<Data> tlb(shape(16, 2), 1, "tlb", {2, 20});
  const std::uint64_t quiet = 1U << 20U;
  const std::uint64_t streams = 2U << 20U;
  for (Addr page = 0; page < 8; ++page) {
    tlb.fill(quiet, page << 12U, 12, Data{page});
  }
  for (Addr page = 0; page < 1000; ++page) {
    tlb.fill(streams, page << 12U, 12, Data{page});
  }
  for (Addr page = 0; page < 8; ++page) {
    EXPECT_NE(tlb.lookup(quiet, page << 12U), nullptr);
  }
  EXPECT_EQ(tlb.valid_entries(), 16U);
  // A third owner shares the part of the first: 3 mod 2.
  tlb.fill(3U << 20U, 0, 12, Data{1});
  tlb.fill(3U << 20U, 4U << 12U, 12, Data{1});
  EXPECT_EQ(tlb.lookup(quiet, 0), nullptr);
}

TEST(Tlb, DisabledKeepsNothing) {
  TlbParams params = shape(16, 4);
  params.enable = false;
  Tlb<Data> tlb(params, 1, "tlb");
  tlb.fill(1, 0x1000, 12, Data{1});
  EXPECT_EQ(tlb.lookup(1, 0x1000), nullptr);
  EXPECT_EQ(tlb.stats().misses.value, 1U);
}

TEST(Tlb, CountsAddUp) {
  Tlb<Data> tlb(shape(8, 2), 1, "tlb");
  RngStream rng(9, "use");
  for (int i = 0; i < 1000; ++i) {
    const Addr address = rng.below(32) << 12U;
    if (tlb.lookup(0, address) == nullptr) {
      tlb.fill(0, address, 12, Data{});
    }
  }
  const unsigned left = tlb.valid_entries();
  EXPECT_EQ(tlb.stats().hits.value + tlb.stats().misses.value, 1000U);
  EXPECT_EQ(tlb.stats().fills.value, tlb.stats().misses.value);
  EXPECT_EQ(tlb.stats().fills.value, tlb.stats().evictions.value + left);
  EXPECT_EQ(tlb.invalidate_all(), left);
  EXPECT_EQ(tlb.valid_entries(), 0U);
}

}  // namespace
}  // namespace svasim
