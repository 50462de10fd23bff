// A nested walk step by step, where the random tests do not look: how many accesses it takes, what a cached
// table saves, and entries that software changes while the walk wants to mark them.
#include <gtest/gtest.h>

#include <functional>
#include <map>

#include "models/formats/vtd_second_stage.h"
#include "models/formats/x86_first_stage.h"
#include "models/walker/page_walk.h"

namespace svasim {
namespace {

constexpr Addr kGuest = 0x10'0000'0000;  // guest-physical = host + this, by 4-KiB pages
constexpr Addr kIova = 0x7f12'3456'7000;
constexpr std::uint64_t kFirstAll = 7 | FirstStageEntry::A::kMask;

class PageWalkTest : public testing::Test {
 protected:
  PageWalkTest() {
    for (unsigned level = 4; level > 1; --level) set(level, (kGuest + table(level - 1)) | kFirstAll);
    set(1, (kGuest + 0x9000) | 7);
    for (Addr page = 0; page < 0x20000; page += kPageSize) map_second(kGuest + page, page | 3);
    request_.format = &first_;
    request_.level = 4;
    request_.table = kGuest + table(4);
    request_.iova = kIova;
    request_.update_ad = true;
    request_.nested.format = &second_;
    request_.nested.root = 0x100000;
    request_.nested.input_bits = 48;
  }
  static Addr table(unsigned level) { return level * kPageSize; }
  static Addr place(unsigned level) { return table(level) + ((kIova >> (3 + 9 * level)) & 511) * 8; }
  void set(unsigned level, std::uint64_t entry) { memory_[place(level)] = entry; }
  // Second-stage tables at 1 MiB and up, one per level.
  void map_second(Addr guest, std::uint64_t leaf) {
    for (unsigned level = 4; level > 1; --level) {
      memory_[second_table(level) + ((guest >> (3 + 9 * level)) & 511) * 8] = second_table(level - 1) | 3;
    }
    memory_[second_table(1) + ((guest >> 12) & 511) * 8] = leaf;
  }
  static Addr second_table(unsigned level) { return 0x100000 + (4 - level) * kPageSize; }

  const WalkResult& walk() {
    using Need = PageWalk::Need;
    for (Need need = walk_.start(request_); need != Need::kDone;) {
      if (need == Need::kLookUp) {
        told_ += walk_.found_steps();
        ++asked_;
        need = walk_.on_table(known_ ? known_(walk_.guest()) : WalkResult::Step());
        continue;
      }
      const Addr address = walk_.address();
      if (before_) before_(address, need == Need::kUpdate);
      std::uint64_t& word = memory_[address];
      if (need == Need::kRead) {
        need = walk_.on_read(true, word);
        continue;
      }
      const std::uint64_t seen = word;
      if (seen == walk_.expected()) word = walk_.desired();
      need = walk_.on_update(true, seen);
    }
    return walk_.result();
  }

  PageTableFormat first_ = make_x86_first_stage(4, {});
  PageTableFormat second_ = make_vtd_second_stage(4, {});
  std::map<Addr, std::uint64_t> memory_;
  std::function<void(Addr, bool)> before_;
  std::function<WalkResult::Step(Addr)> known_;
  unsigned asked_ = 0;
  unsigned told_ = 0;  // steps of second-stage walks
  WalkRequest request_;
  PageWalk walk_;
};

TEST_F(PageWalkTest, CountsItsAccesses) {
  const WalkResult& result = walk();
  EXPECT_EQ(result.fault, FaultReason::kNone);
  EXPECT_EQ(result.page, 0x9000u);
  EXPECT_EQ(result.reads, (4 + 1) * 4 + 4);
  EXPECT_EQ(result.updates, 1);  // A of the leaf
  ASSERT_EQ(result.steps, 3);
  for (unsigned i = 0; i < 3; ++i) {
    EXPECT_EQ(result.step[i].level, 3 - i);
    EXPECT_EQ(result.step[i].table, table(3 - i));
  }
}

TEST_F(PageWalkTest, AKnownTableIsAHostAddress) {
  for (unsigned level = 1; level <= 4; ++level) {
    request_.level = level;
    request_.table = table(level);
    request_.nested.table_known = true;
    const WalkResult& result = walk();
    EXPECT_EQ(result.page, 0x9000u);
    // The first entry is read at once.
    EXPECT_EQ(result.reads, 1 + (level - 1) * 5 + 4);
  }
}

// With a table of level k known for every guest-physical address: (F + 1) * k + F reads, from whichever first
// table the walk starts.
TEST_F(PageWalkTest, AKnownSecondStageTableSavesItsUpperLevels) {
  request_.nested.cached = true;
  for (unsigned k = 1; k <= 4; ++k) {
    known_ = [&](Addr guest) {
      EXPECT_EQ(guest >> 20, kGuest >> 20);
      return WalkResult::Step{second_table(k), static_cast<std::uint8_t>(k), true, true, true, true};
    };
    for (unsigned level = 1; level <= 4; ++level) {
      request_.level = level;
      request_.table = level == 4 ? kGuest + table(4) : table(level);
      request_.nested.table_known = level != 4;
      asked_ = told_ = 0;
      const WalkResult& result = walk();
      EXPECT_EQ(result.fault, FaultReason::kNone);
      EXPECT_EQ(result.page, 0x9000u);
      const unsigned translations = level - (level != 4 ? 1 : 0) + 1;
      EXPECT_EQ(asked_, translations);
      EXPECT_EQ(result.reads, translations * k + level);
      // Each walk tells the tables below the one it started from; the last one's are still to be told.
      EXPECT_EQ(told_, (translations - 1) * (k - 1));
      EXPECT_EQ(walk_.found_steps(), k - 1);
      if (k > 1) {
        EXPECT_EQ(walk_.found().step[k - 2].table, second_table(1));
      }
      EXPECT_EQ(walk_.found_guest(), kGuest + 0x9000 + (kIova & 0xFFF));
    }
  }
}

// Nothing known: the whole walk, and all it went through is told.
TEST_F(PageWalkTest, TellsWhatItFound) {
  request_.nested.cached = true;
  EXPECT_EQ(walk().reads, (4 + 1) * 4 + 4);
  EXPECT_EQ(asked_, 5u);
  EXPECT_EQ(told_, 4u * 3);
  // A second-stage walk that faults tells nothing.
  map_second(kGuest + 0x9000, 0);
  told_ = 0;
  EXPECT_EQ(walk().fault, FaultReason::kSecondStageNotPresent);
  EXPECT_EQ(told_, 4u * 3);
  EXPECT_EQ(walk_.found_steps(), 0u);
}

// The rights of the entries above a known table count.
TEST_F(PageWalkTest, RightsAboveAKnownTableCount) {
  request_.nested.cached = true;
  bool read = true;
  bool write = false;
  known_ = [&](Addr) { return WalkResult::Step{second_table(1), 1, read, write, true, true}; };
  // A of the leaf is due: its table must be writable.
  EXPECT_EQ(walk().fault, FaultReason::kNestedAccessedDirtyNoWrite);
  set(1, (kGuest + 0x9000) | kFirstAll);
  EXPECT_EQ(walk().fault, FaultReason::kNone);
  request_.is_read = false;
  request_.is_write = true;
  EXPECT_EQ(walk().fault, FaultReason::kNoWrite);
  write = true;
  EXPECT_EQ(walk().fault, FaultReason::kNone);
  read = false;
  EXPECT_EQ(walk().fault, FaultReason::kNestedTopNoRead);
}

// A top table whose entries lead to itself is walked as any other: an entry per level, and an end.
TEST_F(PageWalkTest, ATableThatPointsToItselfTakesOneReadPerLevel) {
  memory_.clear();
  const Addr self = table(4);
  memory_[self + 511 * 8] = self | kFirstAll;
  request_.nested = NestedStage();
  request_.table = self;
  request_.iova = ~Addr{0} << 12;
  const WalkResult& result = walk();
  EXPECT_EQ(result.fault, FaultReason::kNone);
  EXPECT_EQ(result.page, self);
  EXPECT_EQ(result.reads, 4);
  EXPECT_EQ(result.entry, self + 511 * 8);
}

TEST_F(PageWalkTest, ASecondStageThatPointsToItselfEndsTheNestedWalk) {
  memory_.clear();
  // Guest address 0 leads to the second stage's own top table, where the first stage is looked for.
  memory_[second_table(4)] = second_table(4) | 3;
  request_.table = 0;
  request_.iova = 0;
  // As a first-stage entry it has P and R/W, and U/S is missing. Its address is a guest address beyond the
  // map.
  const WalkResult& result = walk();
  EXPECT_EQ(result.fault, FaultReason::kSecondStageNotPresent);
  EXPECT_EQ(result.reads, 4 + 1 + 4);
  EXPECT_TRUE(result.entry_nested);
}

// What a fault was met at, by host address.
TEST_F(PageWalkTest, NamesTheEntryThatFaulted) {
  set(2, 0);
  EXPECT_EQ(walk().fault, FaultReason::kFirstStageNotPresent);
  EXPECT_EQ(walk().entry, place(2));
  EXPECT_EQ(walk().fault_level, 2);
  EXPECT_FALSE(walk().entry_nested);
  set(2, (kGuest + table(1)) | kFirstAll);
  map_second(kGuest + table(1), 0);
  EXPECT_EQ(walk().fault, FaultReason::kSecondStageNotPresent);
  EXPECT_EQ(walk().entry, second_table(1) + (((kGuest + table(1)) >> 12) & 511) * 8);
  EXPECT_EQ(walk().fault_level, 1);
  EXPECT_TRUE(walk().entry_nested);
  request_.iova = Addr{1} << 47;  // not canonical: nothing was read
  EXPECT_EQ(walk().fault, FaultReason::kNotCanonical);
  EXPECT_EQ(walk().entry, 0u);
}

// Software moves the page while the walk marks its entry: the other page is walked to, and marked.
TEST_F(PageWalkTest, AMovedPageIsWalkedToAnew) {
  before_ = [&](Addr address, bool update) {
    if (update && address == place(1) && memory_[address] == ((kGuest + 0x9000) | 7))
      set(1, (kGuest + 0xA000) | 7);
  };
  const WalkResult& result = walk();
  EXPECT_EQ(result.page, 0xA000u);
  EXPECT_EQ(memory_[place(1)], (kGuest + 0xA000) | kFirstAll);
  EXPECT_EQ(result.reads, 24 + 4);
}

// It takes the right to write away meanwhile: the write faults, and D is not set.
TEST_F(PageWalkTest, RightsAreLookedAtAgain) {
  request_.is_read = false;
  request_.is_write = true;
  before_ = [&](Addr address, bool update) {
    if (update && address == place(1)) set(1, (kGuest + 0x9000) | 5);
  };
  EXPECT_EQ(walk().fault, FaultReason::kNoWrite);
  EXPECT_EQ(memory_[place(1)], (kGuest + 0x9000) | 5);
}

// The second stage may fail at any entry; the fault says so.
TEST_F(PageWalkTest, FaultsNameTheStage) {
  map_second(kGuest + table(2), 0);
  EXPECT_EQ(walk().fault, FaultReason::kSecondStageNotPresent);
  map_second(kGuest + table(2), table(2) | 2);
  EXPECT_EQ(walk().fault, FaultReason::kNestedEntryNoRead);
  map_second(kGuest + table(4), table(4) | 2);
  EXPECT_EQ(walk().fault, FaultReason::kNestedTopNoRead);
  map_second(kGuest + table(4), table(4) | 3);
  map_second(kGuest + table(2), table(2) | 3);
  map_second(kGuest + table(1), table(1) | 1);
  EXPECT_EQ(walk().fault, FaultReason::kNestedAccessedDirtyNoWrite);
  request_.snooped = false;
  map_second(kGuest + table(1), table(1) | 3);
  EXPECT_EQ(walk().fault, FaultReason::kFirstStageUpdateNotSnooped);
  request_.nested.input_bits = 36;
  EXPECT_EQ(walk().fault, FaultReason::kNestedBeyondWidth);
}

}  // namespace
}  // namespace svasim
