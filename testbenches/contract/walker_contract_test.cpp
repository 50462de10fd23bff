// What every kind of walker owes its requesters, whatever its timing; for the first-stage format,
// which all kinds know. Every test runs with both ways of simulating where it says so.
#include <gtest/gtest.h>

#include <memory>

#include "models/formats/x86_first_stage.h"
#include "models/rtl/make_walker.h"
#include "support/scripted_memory.h"
#include "support/walk_requester.h"
#include "tlm/transaction.h"

namespace svasim::test {
namespace {

using Entry = FirstStageEntry;
constexpr std::uint64_t kP = Entry::P::kMask;
constexpr std::uint64_t kRw = Entry::RW::kMask;
constexpr std::uint64_t kUs = Entry::US::kMask;
constexpr std::uint64_t kA = Entry::A::kMask;
constexpr std::uint64_t kD = Entry::D::kMask;
constexpr std::uint64_t kPs = Entry::PS::kMask;
constexpr std::uint64_t kAll = kP | kRw | kUs;
constexpr Ps kNs = 1000;

struct Subject {
  const char* kind;
  bool loose;
  bool lines = false;  // reads them, and keeps some
};

void PrintTo(const Subject& subject, std::ostream* out) {
  *out << subject.kind << (subject.loose ? " loose" : " approximate") << (subject.lines ? " lines" : "");
}

class WalkerContract : public ::testing::TestWithParam<Subject> {
 protected:
  static constexpr Addr kTable4 = 0x10000;
  static constexpr Addr kTable3 = 0x11000;
  static constexpr Addr kTable2 = 0x12000;
  static constexpr Addr kTable1 = 0x13000;
  static constexpr Addr kPage = 0x7'6543'2000;
  static constexpr Addr kIova = 0x0000'7ABC'DEF1'2345;

  WalkerContract() {
    WalkerParams params = walker_params().defaults();
    params.kind = GetParam().kind;
    params.slots = 4;
    if (GetParam().lines) {
      params.read_bytes = 64;
      params.line_buffer_entries = 4;
    }
    walker = make_walker("walker", params, context, 2);
    walker->memory_socket().bind(memory.socket());
    requester0.socket().bind(walker->requester(0));
    requester1.socket().bind(walker->requester(1));
    sc_core::sc_start(sc_core::SC_ZERO_TIME);
    map_all();
  }

  void TearDown() override {
    EXPECT_EQ(walker->in_flight(), 0U);
    EXPECT_EQ(walker->stats().started.value, walker->stats().finished.value);
    for (const auto& [figure, value] : walker->must_be_zero()) EXPECT_EQ(value, 0U) << figure;
  }

  static Addr table(unsigned level) {
    constexpr Addr kTables[] = {0, kTable1, kTable2, kTable3, kTable4};
    return kTables[level];
  }
  // Where the entry of `level` on the way to kIova lies: 9 index bits per level, 8 bytes each.
  static Addr place(unsigned level) { return table(level) + ((kIova >> (3 + 9 * level)) & 511) * 8; }
  void set(unsigned level, std::uint64_t entry) { memory.write64(place(level), entry); }
  std::uint64_t get(unsigned level) const { return memory.read64(place(level)); }
  // 4-KiB mapping with these rights and bits at every level.
  void map_all(std::uint64_t bits = kAll | kA | kD) {
    for (unsigned level = 4; level > 1; --level) set(level, table(level - 1) | (bits & ~kD));
    set(1, kPage | bits);
  }

  WalkRequest request() const {
    WalkRequest walk;
    walk.format = &format;
    walk.level = 4;
    walk.table = kTable4;
    walk.iova = kIova;
    walk.update_ad = true;
    return walk;
  }

  const WalkResult& walk(const WalkRequest& request) {
    if (GetParam().loose) return requester0.walk_now(request);
    const std::size_t number = requester0.send(request, 1);
    sc_core::sc_start(to_sc(100'000 * kNs));
    EXPECT_TRUE(requester0.answered(number));
    return requester0.result(number);
  }
  void expect_fault(const WalkRequest& request, FaultReason reason, unsigned level, unsigned reads) {
    const WalkResult& result = walk(request);
    EXPECT_EQ(result.fault, reason);
    EXPECT_EQ(result.fault_level, level);
    EXPECT_EQ(result.reads, reads);
  }

  TransactionPool pool;
  StatRegistry stats;
  SimContext context{1, Timing::kApproximate, pool, stats};
  PageTableFormat format = make_x86_first_stage(4, PageFormatOptions());
  ScriptedMemory memory{"memory"};
  WalkRequester requester0{"requester0"};
  WalkRequester requester1{"requester1"};
  std::unique_ptr<Walker> walker;
};

TEST_P(WalkerContract, PagesOfEverySize) {
  const WalkResult small = walk(request());
  EXPECT_EQ(small.page, kPage);
  EXPECT_EQ(small.page_shift, 12);
  EXPECT_EQ(small.reads, 4);
  set(2, 0x40'0020'0000 | kAll | kA | kD | kPs);
  const WalkResult medium = walk(request());
  EXPECT_EQ(medium.page, 0x40'0020'0000U);
  EXPECT_EQ(medium.page_shift, 21);
  EXPECT_EQ(medium.reads, 3);
  set(3, 0x41'4000'0000 | kAll | kA | kD | kPs);
  const WalkResult large = walk(request());
  EXPECT_EQ(large.page, 0x41'4000'0000U);
  EXPECT_EQ(large.page_shift, 30);
  EXPECT_EQ(large.reads, 2);
}

TEST_P(WalkerContract, EveryFault) {
  for (unsigned level = 1; level <= 4; ++level) {
    map_all();
    memory.broken_reads = {table(level)};
    expect_fault(request(), level == 4 ? FaultReason::kFirstStageTopAccess : FaultReason::kFirstStageAccess,
                 level, 5 - level);
    memory.broken_reads.clear();
    set(level, ~kP);
    expect_fault(request(), FaultReason::kFirstStageNotPresent, level, 5 - level);
    map_all();
    set(level, get(level) | Addr{1} << 51);
    expect_fault(request(), FaultReason::kFirstStageReserved, level, 5 - level);
    map_all();
    set(level, get(level) & ~kUs);
    expect_fault(request(), FaultReason::kUserNotAllowed, 1, 4);
    map_all();
    set(level, get(level) & ~kRw);
    WalkRequest write = request();
    write.is_write = true;
    expect_fault(write, FaultReason::kNoWrite, 1, 4);
    map_all();
    set(level, get(level) & ~kA);
    WalkRequest loose_walk = request();
    loose_walk.snooped = false;
    expect_fault(loose_walk, FaultReason::kFirstStageUpdateNotSnooped, level, 5 - level);
    memory.broken_updates = {table(level)};
    expect_fault(request(), FaultReason::kFirstStageUpdateFailed, level, 5 - level);
    memory.broken_updates.clear();
  }
  WalkRequest odd = request();
  odd.iova = kIova | Addr{1} << 47;
  expect_fault(odd, FaultReason::kNotCanonical, 4, 0);
}

TEST_P(WalkerContract, AFaultLeavesNothingBehind) {
  set(4, 0);
  walk(request());
  map_all();
  const WalkResult& result = walk(request());
  EXPECT_EQ(result.fault, FaultReason::kNone);
  EXPECT_EQ(result.page, kPage);
}

TEST_P(WalkerContract, StartsWhereItIsToldWithTheRightsItIsTold) {
  for (unsigned level = 1; level <= 4; ++level) {
    WalkRequest walk_from = request();
    walk_from.level = level;
    walk_from.table = table(level);
    walk_from.upper_write = false;
    const WalkResult result = walk(walk_from);
    EXPECT_EQ(result.page, kPage);
    EXPECT_EQ(result.reads, level);
    EXPECT_EQ(result.steps, level - 1);
    EXPECT_TRUE(result.read);
    EXPECT_FALSE(result.write);
    walk_from.upper_user = false;
    EXPECT_EQ(walk(walk_from).fault, FaultReason::kUserNotAllowed);
  }
}

TEST_P(WalkerContract, NamesTheTablesItPassed) {
  set(3, kTable2 | kP | kUs | kA);
  const WalkResult result = walk(request());
  ASSERT_EQ(result.steps, 3);
  for (unsigned i = 0; i < 3; ++i) {
    EXPECT_EQ(result.step[i].level, 3 - i);
    EXPECT_EQ(result.step[i].table, table(3 - i));
    EXPECT_TRUE(result.step[i].read);
    EXPECT_TRUE(result.step[i].user);
    EXPECT_EQ(result.step[i].write, i == 0);
  }
}

// Without need_access missing rights are reported and no fault. SPEC: [VTD 3.6.1]
TEST_P(WalkerContract, ReportsRightsOfTheWeakestLevel) {
  for (unsigned level = 1; level <= 4; ++level) {
    WalkRequest ask = request();
    ask.need_access = false;
    ask.is_write = true;
    map_all();
    set(level, get(level) & ~kRw);
    WalkResult result = walk(ask);
    EXPECT_EQ(result.fault, FaultReason::kNone);
    EXPECT_FALSE(result.write);
    EXPECT_TRUE(result.user);
    map_all();
    set(level, get(level) & ~kUs);
    result = walk(ask);
    EXPECT_EQ(result.fault, FaultReason::kNone);
    EXPECT_TRUE(result.write);
    EXPECT_FALSE(result.user);
  }
}

TEST_P(WalkerContract, PrivilegedRequests) {
  map_all(kP | kA);
  WalkRequest privileged = request();
  privileged.privileged = true;
  EXPECT_EQ(walk(privileged).fault, FaultReason::kNone);
  privileged.is_write = true;
  EXPECT_EQ(walk(privileged).fault, FaultReason::kNone);
  EXPECT_EQ(get(1), kPage | kP | kA | kD);
  privileged.write_protect = true;
  EXPECT_EQ(walk(privileged).fault, FaultReason::kNoWrite);
}

TEST_P(WalkerContract, SetsAccessedAndDirty) {
  for (const bool extended : {false, true}) {
    PageFormatOptions options;
    options.extended_accessed = extended;
    format = make_x86_first_stage(4, options);
    const std::uint64_t marks = kA | (extended ? Entry::EA::kMask : 0);
    map_all(kAll);
    WalkResult result = walk(request());
    for (unsigned level = 2; level <= 4; ++level) EXPECT_EQ(get(level), table(level - 1) | kAll | marks);
    EXPECT_EQ(get(1), kPage | kAll | marks);
    EXPECT_EQ(result.updates, 4);
    EXPECT_FALSE(result.dirty);
    WalkRequest write = request();
    write.is_write = true;
    result = walk(write);
    EXPECT_EQ(get(1), kPage | kAll | marks | kD);
    EXPECT_EQ(result.updates, 1);
    EXPECT_TRUE(result.dirty);
    EXPECT_EQ(walk(write).updates, 0);
    map_all(kAll);
    write.update_ad = false;
    EXPECT_EQ(walk(write).updates, 0);
    EXPECT_EQ(get(1), kPage | kAll);
  }
}

// Software changes the entry between its read and its update.
TEST_P(WalkerContract, AnUpdateNeverOverwritesWhatSoftwareWrote) {
  map_all(kAll);
  memory.before = [&](Addr address, bool update) {
    if (update && address == place(1) && get(1) == (kPage | kAll)) set(1, (kPage + 0x1000) | kAll);
  };
  const WalkResult moved = walk(request());
  EXPECT_EQ(moved.page, kPage + 0x1000);
  EXPECT_EQ(get(1), (kPage + 0x1000) | kAll | kA);

  map_all(kAll);
  memory.before = [&](Addr address, bool update) {
    if (update && address == place(1)) set(1, 0);
  };
  EXPECT_EQ(walk(request()).fault, FaultReason::kFirstStageNotPresent);
  EXPECT_EQ(get(1), 0U);
}

TEST_P(WalkerContract, CountsWhatItDid) {
  map_all(kAll);
  walk(request());
  set(2, 0);
  walk(request());
  EXPECT_EQ(walker->stats().finished.value, 2U);
  EXPECT_EQ(walker->stats().faulted.value, 1U);
  EXPECT_EQ(walker->stats().reads.value, memory.reads);
  EXPECT_EQ(walker->stats().updates.value, memory.updates);
  EXPECT_EQ(memory.reads, 4U + 3U);
}

INSTANTIATE_TEST_SUITE_P(Tlm, WalkerContract,
                         ::testing::Values(Subject{"tlm", false}, Subject{"tlm", true},
                                           Subject{"tlm", false, true}, Subject{"tlm", true, true}));
#ifdef SVASIM_WITH_RTL
INSTANTIATE_TEST_SUITE_P(Rtl, WalkerContract, ::testing::Values(Subject{"rtl", false}, Subject{"rtl", true}));
INSTANTIATE_TEST_SUITE_P(Lockstep, WalkerContract,
                         ::testing::Values(Subject{"lockstep", false}, Subject{"lockstep", true},
                                           Subject{"lockstep", false, true},
                                           Subject{"lockstep", true, true}));
#endif

// Several walks at a time; only with contention modelled.
class WalkerQueueContract : public WalkerContract {};

TEST_P(WalkerQueueContract, EveryWalkIsAnsweredOnceAndToItsRequester) {
  set(4, kTable3 | kAll | kA);
  for (unsigned i = 0; i < 512; ++i) memory.write64(kTable1 + 8 * i, (Addr{i + 1} << 12) | kAll | kA);
  std::vector<std::size_t> numbers[2];
  for (unsigned i = 0; i < 200; ++i) {
    WalkRequest walk = request();
    walk.iova = (kIova & ~Addr{0x1FF000}) | Addr{i} << 12;
    numbers[i % 2].push_back((i % 2 == 0 ? requester0 : requester1).send(walk, 1 + i % 7 * 40 * kNs));
  }
  EXPECT_EQ(walker->in_flight(), 200U);
  std::ostringstream dump;
  walker->dump_in_flight(dump);
  const std::string lines = dump.str();
  EXPECT_EQ(std::count(lines.begin(), lines.end(), '\n'), 200);
  sc_core::sc_start(to_sc(1'000'000 * kNs));
  for (unsigned i = 0; i < 200; ++i) {
    const WalkRequester& requester = i % 2 == 0 ? requester0 : requester1;
    const std::size_t number = numbers[i % 2][i / 2];
    ASSERT_TRUE(requester.answered(number)) << i;
    EXPECT_EQ(requester.result(number).page, Addr{i + 1} << 12);
  }
  EXPECT_EQ(requester0.outstanding() + requester1.outstanding(), 0U);
}

TEST_P(WalkerQueueContract, EarlyFaultsFreeTheirPlace) {
  for (unsigned i = 0; i < 20; ++i) {
    WalkRequest odd = request();
    odd.iova = Addr{1} << 60;
    requester0.send(odd, 1);
  }
  const std::size_t good = requester0.send(request(), 1);
  sc_core::sc_start(to_sc(10'000 * kNs));
  EXPECT_EQ(requester0.outstanding(), 0U);
  EXPECT_EQ(requester0.result(good).page, kPage);
}

TEST_P(WalkerQueueContract, TimeIsAttributedToTheLastPicosecond) {
  map_all(kAll);
  std::vector<std::size_t> numbers;
  for (unsigned i = 0; i < 12; ++i) numbers.push_back(requester0.send(request(), 1 + i * 333));
  sc_core::sc_start(to_sc(100'000 * kNs));
  for (const std::size_t number : numbers) {
    // The requester's own part, up to the arrival, is not charged by anybody here and so falls to
    // the first stage that is.
    const Attribution& parts = requester0.attribution(number);
    EXPECT_EQ(parts.total(), requester0.answered_at(number));
    EXPECT_EQ(parts.total(), parts[Stage::kWalkWait] + parts[Stage::kWalkLogic] + parts[Stage::kWalkRead]);
    const WalkResult& result = requester0.result(number);
    EXPECT_EQ(parts[Stage::kWalkRead], (result.reads + result.updates) * memory.latency);
  }
}

INSTANTIATE_TEST_SUITE_P(Tlm, WalkerQueueContract,
                         ::testing::Values(Subject{"tlm", false}, Subject{"tlm", false, true}));
#ifdef SVASIM_WITH_RTL
INSTANTIATE_TEST_SUITE_P(Rtl, WalkerQueueContract, ::testing::Values(Subject{"rtl", false}));
INSTANTIATE_TEST_SUITE_P(Lockstep, WalkerQueueContract,
                         ::testing::Values(Subject{"lockstep", false}, Subject{"lockstep", false, true}));
#endif

}  // namespace
}  // namespace svasim::test
