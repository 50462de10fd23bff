// The lockstep comparison must notice every way in which model and RTL walker can differ.
#include <gtest/gtest.h>

#include <functional>

#include "models/formats/page_table_format.h"
#include "models/formats/x86_first_stage.h"
#include "models/rtl/lockstep_checker.h"

namespace svasim {
namespace {

constexpr Ps kClock = 1000;
constexpr std::uint64_t kBits = 0x7;  // P, R/W, U/S

// A two-level walk as a model would tell it: two reads, each followed by the update of A.
struct Told {
  PageTableFormat format = make_x86_first_stage(4, PageFormatOptions());
  WalkRequest request;
  std::vector<WalkAccess> accesses;
  WalkResult result;

  Told() {
    request.format = &format;
    request.level = 2;
    request.table = 0x1000;
    request.iova = Addr{5} << 21 | Addr{6} << 12;
    request.update_ad = true;
    read(0x1000 + 5 * 8, 0x2000 | kBits);
    update(0x1000 + 5 * 8, 0x2000 | kBits);
    read(0x2000 + 6 * 8, 0x9000 | kBits);
    update(0x2000 + 6 * 8, 0x9000 | kBits);
    result.page = 0x9000;
    result.page_shift = 12;
    result.read = result.write = result.user = true;
    result.reads = 2;
    result.updates = 2;
    result.steps = 1;
    result.step[0] = {0x2000, 1, true, true, true};
  }
  void read(Addr address, std::uint64_t entry) {
    WalkAccess access;
    access.address = address;
    access.ok = true;
    access.value = entry;
    time(access);
  }
  void update(Addr address, std::uint64_t entry) {
    WalkAccess access;
    access.update = true;
    access.address = address;
    access.expected = access.value = entry;
    access.desired = entry | FirstStageEntry::A::kMask;
    access.ok = true;
    time(access);
  }
  void time(WalkAccess& access) {
    access.left = 10'000 + 100'000 * accesses.size();
    access.answered = access.left + 4500;  // 5 cycles
    accesses.push_back(access);
  }
};

void tell(LockstepChecker& checker, const Told& told, unsigned slot = 0) {
  checker.walk_started(slot, told.request, 10'000);
  for (const WalkAccess& access : told.accesses) checker.walk_accessed(slot, access);
  checker.walk_finished(slot, told.result, 500'000);
}

TEST(Lockstep, AgreementIsSilent) {
  LockstepChecker checker("walker", 1, kClock, "");
  for (unsigned i = 0; i < 10; ++i) tell(checker, Told());
  EXPECT_EQ(checker.stats().compared.value, 10U);
  EXPECT_EQ(checker.stats().mismatches.value, 0U);
  // 1 + 2 reads and 2 updates of (5 + 2) cycles: the formula of rtl/README.md.
  EXPECT_EQ(checker.stats().cycles.min(), 1U + 4 * 7);
  EXPECT_EQ(checker.stats().cycles.max(), 1U + 4 * 7);
}

TEST(Lockstep, SlotsDoNotMix) {
  LockstepChecker checker("walker", 2, kClock, "");
  Told told;
  checker.walk_started(0, told.request, 0);
  tell(checker, Told(), 1);
  for (const WalkAccess& access : told.accesses) checker.walk_accessed(0, access);
  checker.walk_finished(0, told.result, 1);
  EXPECT_EQ(checker.stats().compared.value, 2U);
  EXPECT_EQ(checker.stats().mismatches.value, 0U);
}

TEST(Lockstep, EveryDifferenceIsNoticed) {
  const std::vector<std::pair<const char*, std::function<void(Told&)>>> lies = {
      {"fault", [](Told& t) { t.result.fault = FaultReason::kNoWrite; }},
      {"page", [](Told& t) { t.result.page ^= 0x1000; }},
      {"page size", [](Told& t) { t.result.page_shift = 21; }},
      {"write right", [](Told& t) { t.result.write = false; }},
      {"user right", [](Told& t) { t.result.user = false; }},
      {"read right", [](Told& t) { t.result.read = false; }},
      {"dirty", [](Told& t) { t.result.dirty = true; }},
      {"number of reads", [](Told& t) { t.result.reads = 3; }},
      {"number of updates", [](Told& t) { t.result.updates = 1; }},
      {"number of tables", [](Told& t) { t.result.steps = 0; }},
      {"table", [](Told& t) { t.result.step[0].table = 0x3000; }},
      {"right in a table", [](Told& t) { t.result.step[0].write = false; }},
      {"address read", [](Told& t) { t.accesses[2].address += 8; }},
      {"update missing", [](Told& t) { t.accesses.erase(t.accesses.begin() + 1); }},
      {"update of another bit", [](Told& t) { t.accesses[3].desired |= FirstStageEntry::D::kMask; }},
      {"last access missing", [](Told& t) { t.accesses.pop_back(); }},
      {"one access too many", [](Told& t) { t.read(0x9000, 0); }},
      {"no access at all", [](Told& t) { t.accesses.clear(); }},
      {"entry not present", [](Told& t) { t.accesses[2].value = 0; }},
      {"read failed", [](Told& t) { t.accesses[0].ok = false; }},
      {"entry changed before its update", [](Told& t) { t.accesses[1].value = 0; }},
  };
  LockstepChecker checker("walker", 1, kClock, "");
  std::uint64_t expected = 0;
  for (const auto& [what, lie] : lies) {
    Told told;
    lie(told);
    tell(checker, told);
    EXPECT_EQ(checker.stats().mismatches.value, ++expected) << what;
    tell(checker, Told());  // and the next walk is right again
    EXPECT_EQ(checker.stats().mismatches.value, expected) << "after " << what;
  }
  ASSERT_EQ(checker.mismatches().size(), lies.size());
  EXPECT_EQ(
      checker.mismatches()[0],
      "lockstep mismatch at 10000 ps: walk 0 of 0xa06000 (read) from level 2 table 0x1000: "
      "model: fault 0x85 level 0 page 0x9000 shift 12 rights RWU dirty false reads 2 updates 2 steps 1; "
      "rtl: fault 0x0 level 0 page 0x9000 shift 12 rights RWU dirty false reads 2 updates 2 steps 1");
}

TEST(Lockstep, FormatsTheRtlDoesNotKnowAreCounted) {
  LockstepChecker checker("walker", 1, kClock, "");
  Told told;
  const PageTableFormat other = find_format("vtd-ss4")->make(PageFormatOptions());
  told.request.format = &other;
  tell(checker, told);
  EXPECT_EQ(checker.stats().compared.value, 0U);
  EXPECT_EQ(checker.stats().uncovered.value, 1U);
  EXPECT_EQ(checker.stats().mismatches.value, 0U);
}

}  // namespace
}  // namespace svasim
