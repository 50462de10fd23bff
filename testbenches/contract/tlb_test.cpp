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
