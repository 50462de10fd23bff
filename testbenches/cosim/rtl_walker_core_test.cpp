// The bare Verilated walker: every fault, every page size, A/D updates, cycle counts, handshakes.
#include <gtest/gtest.h>

#include "base/rng.h"
#include "cosim/rtl_memory.h"
#include "models/formats/vtd_faults.h"
#include "models/formats/x86_first_stage.h"
#include "models/rtl/rtl_walker_core.h"

namespace svasim::testing {
namespace {

constexpr std::uint64_t kP = FirstStageEntry::P::kMask;
constexpr std::uint64_t kRw = FirstStageEntry::RW::kMask;
constexpr std::uint64_t kUs = FirstStageEntry::US::kMask;
constexpr std::uint64_t kA = FirstStageEntry::A::kMask;
constexpr std::uint64_t kD = FirstStageEntry::D::kMask;
constexpr std::uint64_t kPs = FirstStageEntry::PS::kMask;
constexpr std::uint64_t kEa = FirstStageEntry::EA::kMask;
constexpr std::uint64_t kXd = FirstStageEntry::XD::kMask;
constexpr std::uint64_t kAll = kP | kRw | kUs;
constexpr std::uint64_t kPat = 1U << 12;  // of a large page

constexpr Addr kIova = 0x0000'7ABC'DEF1'2345;
constexpr Addr kTable4 = 0x1000;
constexpr Addr kTable3 = 0x2000;
constexpr Addr kTable2 = 0x3000;
constexpr Addr kTable1 = 0x4000;
constexpr Addr kPage4K = 0x12'3456'7000;
constexpr Addr kPage2M = 0x12'3460'0000;
constexpr Addr kPage1G = 0x13'4000'0000;

constexpr Addr entry_address(Addr table, unsigned level, Addr iova) {
  return table + ((iova >> (12 + 9 * (level - 1))) & 511) * 8;
}

class RtlWalkerCoreTest : public ::testing::Test {
 protected:
  RtlWalkerCoreTest() {
    request.table = kTable4;
    request.iova = kIova;
    set(4, kTable3 | kAll | kA);
    set(3, kTable2 | kAll | kA);
    set(2, kTable1 | kAll | kA);
    set(1, kPage4K | kAll | kA | kD);
  }

  static Addr table(unsigned level) {
    constexpr Addr kTables[] = {0, kTable1, kTable2, kTable3, kTable4};
    return kTables[level];
  }
  Addr address(unsigned level) const { return entry_address(table(level), level, request.iova); }
  void set(unsigned level, std::uint64_t entry) { memory.write(address(level), entry); }
  std::uint64_t get(unsigned level) const { return memory.read(address(level)); }

  void expect_page(Addr page, unsigned shift) {
    const RtlWalkResult& result = driver.walk(request);
    EXPECT_EQ(result.fault, 0);
    EXPECT_EQ(result.page, page);
    EXPECT_EQ(result.page_shift, shift);
  }
  // The fault found at `level`, after one read per level down to it.
  void expect_fault(FaultReason reason, unsigned level) {
    const RtlWalkResult& result = driver.walk(request);
    EXPECT_EQ(result.fault, static_cast<unsigned>(reason));
    EXPECT_EQ(result.page, 0U);
    EXPECT_EQ(result.page_shift, 0);
    EXPECT_EQ(result.level, level);
    EXPECT_EQ(result.reads, 5 - level);
  }

  RtlWalkerCore core;
  WordMemory memory;
  WalkDriver driver{core, memory};
  RtlWalkRequest request;
};

TEST_F(RtlWalkerCoreTest, FourKibPageReadsOneEntryPerLevel) {
  expect_page(kPage4K, 12);
  EXPECT_EQ(driver.reads, (std::vector<Addr>{address(4), address(3), address(2), address(1)}));
  EXPECT_TRUE(driver.updates.empty());
}

TEST_F(RtlWalkerCoreTest, TwoMibPage) {
  set(2, kPage2M | kAll | kPs | kA);
  expect_page(kPage2M, 21);
  EXPECT_EQ(driver.reads.size(), 3U);
}

TEST_F(RtlWalkerCoreTest, OneGibPage) {
  set(3, kPage1G | kAll | kPs | kA);
  expect_page(kPage1G, 30);
  EXPECT_EQ(driver.reads.size(), 2U);
}

TEST_F(RtlWalkerCoreTest, PatOfALargePageIsNeitherAddressNorReserved) {
  set(2, kPage2M | kAll | kPs | kA | kPat);
  expect_page(kPage2M, 21);
}

TEST_F(RtlWalkerCoreTest, IgnoredBitsChangeNothing) {
  const std::uint64_t ignored = kXd | (std::uint64_t{0x7FF} << 52) | (1U << 8) | (1U << 9) | (1U << 11) | kEa;
  set(4, kTable3 | kAll | kA | kD | ignored);
  set(1, kPage4K | kAll | kA | kPs | ignored);  // bit 7 is PAT at level 1
  expect_page(kPage4K, 12);
}

TEST_F(RtlWalkerCoreTest, LowerStartSkipsTheUpperTables) {
  for (std::uint8_t level = 1; level <= 4; ++level) {
    request.level = level;
    request.table = table(level);
    expect_page(kPage4K, 12);
    EXPECT_EQ(driver.reads.size(), level);
    EXPECT_EQ(core.result().steps, level - 1);
  }
}

TEST_F(RtlWalkerCoreTest, LowerStartKeepsTheUpperRights) {
  request.level = 2;
  request.table = kTable2;
  request.upper_write = false;
  driver.walk(request);
  EXPECT_FALSE(core.result().write);
  EXPECT_TRUE(core.result().user);
  request.upper_user = false;
  driver.walk(request);
  EXPECT_EQ(core.result().fault, static_cast<unsigned>(FaultReason::kUserNotAllowed));
}

TEST_F(RtlWalkerCoreTest, StepsNameTheTablesWithTheRightsSoFar) {
  set(3, kTable2 | kP | kUs | kA);
  driver.walk(request);
  const RtlWalkResult& result = core.result();
  ASSERT_EQ(result.steps, 3);
  const Addr tables[] = {kTable3, kTable2, kTable1};
  const bool writes[] = {true, false, false};
  for (unsigned i = 0; i < 3; ++i) {
    EXPECT_EQ(result.step[i].table, tables[i]);
    EXPECT_EQ(result.step[i].level, 3 - i);
    EXPECT_EQ(result.step[i].write, writes[i]);
    EXPECT_TRUE(result.step[i].user);
  }
}

TEST_F(RtlWalkerCoreTest, NotCanonicalFaultsWithoutARead) {
  for (const Addr iova :
       {Addr{0x0000'8000'0000'0000}, Addr{0xFFFF'7FFF'FFFF'FFFF}, Addr{0x8000'0000'0000'0000}}) {
    request.iova = iova;
    const RtlWalkResult& result = driver.walk(request);
    EXPECT_EQ(result.fault, static_cast<unsigned>(FaultReason::kNotCanonical));
    EXPECT_EQ(result.reads, 0);
    EXPECT_TRUE(driver.reads.empty());
  }
}

TEST_F(RtlWalkerCoreTest, UpperHalfIsCanonical) {
  request.iova = 0xFFFF'8000'0000'0000 | kIova;
  set(4, kTable3 | kAll | kA);
  set(3, kTable2 | kAll | kA);
  set(2, kTable1 | kAll | kA);
  set(1, kPage4K | kAll | kA);
  expect_page(kPage4K, 12);
}

TEST_F(RtlWalkerCoreTest, ReadErrorOfTheTopTableHasItsOwnCode) {
  for (unsigned level = 4; level >= 1; --level) {
    WordMemory fresh = memory;
    fresh.break_page(table(level));
    WalkDriver breaking(core, fresh);
    breaking.walk(request);
    EXPECT_EQ(core.result().fault, static_cast<unsigned>(level == 4 ? FaultReason::kFirstStageTopAccess
                                                                    : FaultReason::kFirstStageAccess));
    EXPECT_EQ(core.result().level, level);
  }
}

TEST_F(RtlWalkerCoreTest, NotPresentAtEveryLevel) {
  for (unsigned level = 1; level <= 4; ++level) {
    set(level, ~kP);  // everything else set: P comes first
    expect_fault(FaultReason::kFirstStageNotPresent, level);
  }
}

TEST_F(RtlWalkerCoreTest, AddressBitsBeyondTheHostWidthAreReservedAtEveryLevel) {
  for (const unsigned width : {39U, 46U, 52U}) {
    request.host_address_width = static_cast<std::uint8_t>(width);
    for (unsigned level = 1; level <= 4; ++level) {
      const std::uint64_t good = get(level);
      for (unsigned bit = width; bit < 52; ++bit) {
        set(level, good | (std::uint64_t{1} << bit));
        expect_fault(FaultReason::kFirstStageReserved, level);
      }
      set(level, good | (std::uint64_t{1} << (width - 1)));
      EXPECT_EQ(driver.walk(request).fault,
                level == 1 ? 0U : static_cast<unsigned>(FaultReason::kFirstStageNotPresent));
      set(level, good);
    }
  }
}

TEST_F(RtlWalkerCoreTest, PageSizeBitIsReservedWhereNoLargePageExists) {
  set(4, kTable3 | kAll | kPs);
  expect_fault(FaultReason::kFirstStageReserved, 4);
  set(4, kTable3 | kAll);
  set(3, kPage1G | kAll | kPs);
  request.one_gib_pages = false;
  expect_fault(FaultReason::kFirstStageReserved, 3);
}

TEST_F(RtlWalkerCoreTest, LowAddressBitsOfALargePageAreReserved) {
  for (unsigned bit = 13; bit < 21; ++bit) {
    set(2, kPage2M | kAll | kPs | (1U << bit));
    expect_fault(FaultReason::kFirstStageReserved, 2);
  }
  for (unsigned bit = 13; bit < 30; ++bit) {
    set(3, kPage1G | kAll | kPs | (1U << bit));
    expect_fault(FaultReason::kFirstStageReserved, 3);
  }
}

// SPEC: [VTD 3.6.1]: U/S binds user requests at every level, R/W binds writes of user requests, and
// of others only with WPE.
TEST_F(RtlWalkerCoreTest, RightsOfAllLevelsBind) {
  for (unsigned weak = 0; weak <= 4; ++weak) {
    for (unsigned mask = 0; mask < 64; ++mask) {
      const bool us = mask & 1;
      const bool rw = mask & 2;
      request.user = mask & 4;
      request.is_write = mask & 8;
      request.write_protect = mask & 16;
      request.need_access = mask & 32;
      for (unsigned level = 1; level <= 4; ++level) {
        const std::uint64_t target = level == 1 ? kPage4K : table(level - 1);
        const bool here = level == weak;
        set(level, target | kP | kA | kD | (here && !us ? 0 : kUs) | (here && !rw ? 0 : kRw));
      }
      const bool all_us = weak == 0 || us;
      const bool all_rw = weak == 0 || rw;
      FaultReason expected = FaultReason::kNone;
      if (request.need_access) {
        if (request.user && !all_us) {
          expected = FaultReason::kUserNotAllowed;
        } else if (request.is_write && !all_rw && (request.user || request.write_protect)) {
          expected = FaultReason::kNoWrite;
        }
      }
      const RtlWalkResult& result = driver.walk(request);
      ASSERT_EQ(result.fault, static_cast<unsigned>(expected)) << "weak level " << weak << " case " << mask;
      EXPECT_EQ(result.write, all_rw);
      EXPECT_EQ(result.user, all_us);
    }
  }
}

TEST_F(RtlWalkerCoreTest, AccessedIsSetOnEveryEntryUsedAndDirtyOnTheLeafOfAWrite) {
  for (const bool write : {false, true}) {
    for (const bool extended : {false, true}) {
      request.is_write = write;
      request.extended_access = extended;
      for (unsigned level = 1; level <= 4; ++level) {
        set(level, (level == 1 ? kPage4K : table(level - 1)) | kAll);
      }
      expect_page(kPage4K, 12);
      const std::uint64_t marks = kA | (extended ? kEa : 0);
      EXPECT_EQ(get(4), kTable3 | kAll | marks);
      EXPECT_EQ(get(3), kTable2 | kAll | marks);
      EXPECT_EQ(get(2), kTable1 | kAll | marks);
      EXPECT_EQ(get(1), kPage4K | kAll | marks | (write ? kD : 0));
      EXPECT_EQ(core.result().updates, 4);
      EXPECT_EQ(core.result().dirty, write);
      // Again: everything is marked already.
      expect_page(kPage4K, 12);
      EXPECT_EQ(core.result().updates, 0);
    }
  }
}

TEST_F(RtlWalkerCoreTest, DirtyIsNotSetWithoutTheRightToWrite) {
  request.is_write = true;
  request.need_access = false;
  set(1, kPage4K | kP | kUs | kA);
  expect_page(kPage4K, 12);
  EXPECT_FALSE(core.result().dirty);
  EXPECT_EQ(core.result().updates, 0);
}

TEST_F(RtlWalkerCoreTest, LeafARequestMustNotUseStaysAsItIs) {
  for (const bool need_access : {true, false}) {
    request.need_access = need_access;
    request.is_write = true;
    set(2, kTable1 | kAll);
    set(1, kPage4K | kP | kRw);
    driver.walk(request);
    EXPECT_EQ(get(1), kPage4K | kP | kRw);
    EXPECT_EQ(get(2), kTable1 | kAll | kA);
  }
}

TEST_F(RtlWalkerCoreTest, NeededUpdateOfAWalkThatIsNotSnoopedIsAFault) {
  request.snooped = false;
  expect_page(kPage4K, 12);
  request.is_write = true;
  set(1, kPage4K | kAll | kA);
  expect_fault(FaultReason::kFirstStageUpdateNotSnooped, 1);
  set(3, kTable2 | kAll);
  expect_fault(FaultReason::kFirstStageUpdateNotSnooped, 3);
}

TEST_F(RtlWalkerCoreTest, FailedUpdateIsAFault) {
  set(2, kTable1 | kAll);
  driver.fail_updates = true;
  expect_fault(FaultReason::kFirstStageUpdateFailed, 2);
  driver.fail_updates = false;
  expect_page(kPage4K, 12);  // the error is not remembered
}

TEST_F(RtlWalkerCoreTest, EntryChangedMeanwhileIsLookedAtAnew) {
  set(1, kPage4K | kAll);
  bool raced = false;
  driver.before_update = [&](Addr address) {
    if (!raced) memory.write(address, (kPage4K + 0x5000) | kAll);
    raced = true;
  };
  expect_page(kPage4K + 0x5000, 12);
  EXPECT_EQ(core.result().updates, 2);
  EXPECT_EQ(core.result().reads, 4);
  EXPECT_EQ(get(1), (kPage4K + 0x5000) | kAll | kA);

  // Unmapped between read and update: the walk must see it.
  set(1, kPage4K | kAll);
  driver.before_update = [&](Addr address) { memory.write(address, 0); };
  driver.walk(request);
  EXPECT_EQ(core.result().fault, static_cast<unsigned>(FaultReason::kFirstStageNotPresent));
  EXPECT_EQ(get(1), 0U);
}

// The formula of rtl/README.md: 1 + sum over reads (m + 2) + sum over updates (u + 2).
TEST_F(RtlWalkerCoreTest, CycleCountsFollowTheFormula) {
  for (const unsigned m : {1U, 2U, 7U, 100U}) {
    for (const unsigned u : {1U, 3U, 50U}) {
      driver.read_latency = m;
      driver.update_latency = u;
      for (std::uint8_t level = 1; level <= 4; ++level) {
        request.level = level;
        request.table = table(level);
        for (unsigned n = 1; n <= 4; ++n) set(n, (n == 1 ? kPage4K : table(n - 1)) | kAll);
        driver.walk(request);
        EXPECT_EQ(driver.edges, 1 + level * (m + 2) + level * (u + 2));
        driver.walk(request);
        EXPECT_EQ(driver.edges, 1 + level * (m + 2));
      }
    }
  }
  request.iova = Addr{1} << 60;
  driver.walk(request);
  EXPECT_EQ(driver.edges, 2U);
}

TEST_F(RtlWalkerCoreTest, BackPressureOnEveryChannelOnlyDelays) {
  RngStream rng(7, "back_pressure");
  for (unsigned n = 1; n <= 4; ++n) set(n, (n == 1 ? kPage4K : table(n - 1)) | kAll);
  request.is_write = true;
  core.start(request);
  unsigned reads = 0;
  unsigned updates = 0;
  for (unsigned edge = 0; edge < 10000; ++edge) {
    core.set_ready(rng.chance(0.2), rng.chance(0.2), rng.chance(0.2));
    const RtlWalkerCore::Event event = core.clock();
    if (event == RtlWalkerCore::Event::kRead) {
      EXPECT_EQ(core.read_address(), address(4 - reads++));
      core.answer_read(memory.read(core.read_address()), false);
    } else if (event == RtlWalkerCore::Event::kUpdate) {
      memory.write(core.update().address, core.update().new_value);
      core.answer_update(core.update().old_value, false);
      ++updates;
    } else if (event == RtlWalkerCore::Event::kResult) {
      EXPECT_EQ(core.result().page, kPage4K);
      EXPECT_EQ(reads, 4U);
      EXPECT_EQ(updates, 4U);
      EXPECT_GT(edge, 1 + 4 * 3 + 4 * 3U);
      return;
    }
  }
  FAIL() << "the walk did not end";
}

TEST_F(RtlWalkerCoreTest, RequestWaitsUntilTheWalkBeforeIsDone) {
  core.start(request);
  core.clock();
  RtlWalkRequest second = request;
  second.iova = Addr{1} << 60;
  core.start(second);
  EXPECT_THROW(core.start(second), InternalError);
  std::vector<unsigned> faults;
  while (faults.size() < 2) {
    const RtlWalkerCore::Event event = core.clock();
    if (event == RtlWalkerCore::Event::kRead) core.answer_read(memory.read(core.read_address()), false);
    if (event == RtlWalkerCore::Event::kResult) faults.push_back(core.result().fault);
  }
  EXPECT_EQ(faults, (std::vector<unsigned>{0, static_cast<unsigned>(FaultReason::kNotCanonical)}));
  EXPECT_TRUE(core.idle());
}

TEST_F(RtlWalkerCoreTest, ResetLeavesNothingOfTheStartValues) {
  set(1, kPage4K | kAll);
  request.is_write = true;
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    RtlWalkerCore::Options options;
    options.start_value_seed = seed;
    RtlWalkerCore random_core(options);
    WordMemory fresh = memory;
    WalkDriver random_driver(random_core, fresh);
    const RtlWalkResult& result = random_driver.walk(request);
    EXPECT_EQ(result.page, kPage4K);
    EXPECT_EQ(result.reads, 4);
    EXPECT_EQ(result.updates, 1);
    EXPECT_EQ(random_driver.edges, 1 + 4 * 3 + 3U);
  }
}

// A check that cannot fail checks nothing: each kind of violation must be noticed.
TEST_F(RtlWalkerCoreTest, AssertionsAreOn) {
  {
    RtlWalkerCore bad;
    RtlWalkRequest misaligned = request;
    misaligned.table = 0x1008;
    bad.start(misaligned);
    EXPECT_THROW(bad.clock(), InternalError);
  }
  {
    RtlWalkerCore bad;
    RtlWalkRequest too_high = request;
    too_high.level = 5;
    bad.start(too_high);
    EXPECT_THROW(bad.clock(), InternalError);
  }
  {
    RtlWalkerCore bad;
    RtlWalkRequest width = request;
    width.host_address_width = 53;
    bad.start(width);
    EXPECT_THROW(bad.clock(), InternalError);
  }
}

TEST_F(RtlWalkerCoreTest, AnswersNobodyWaitsForAreRefused) {
  EXPECT_THROW(core.answer_read(0, false), InternalError);
  EXPECT_THROW(core.answer_update(0, false), InternalError);
}

}  // namespace
}  // namespace svasim::testing
