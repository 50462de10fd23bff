// Random walks over random, partly damaged tables: the timed walker, in both ways of simulating,
// against the reference. Seeds 1 to 10 for each of the five formats of VT-d; 1,000 walks for each seed and
// way. The same with the Verilated walker alone and in lockstep, for the format it knows.
#include <gtest/gtest.h>

#include <map>
#include <set>

#include "models/memory/memory.h"
#include "models/rtl/make_walker.h"
#include "support/random_space.h"
#include "support/reference_system.h"
#include "support/sparse_view.h"
#include "support/walk_requester.h"
#include "tlm/transaction.h"

namespace svasim::test {
namespace {

constexpr unsigned kSeeds = 10;
constexpr unsigned kWalks = 1000;
constexpr RequesterId kDevice = RequesterId::from_bdf(1, 0, 0);
constexpr Pasid kPasid{5};

struct Subject {
  const char* format;
  const char* kind;
};

void PrintTo(const Subject& subject, std::ostream* out) { *out << subject.format << " " << subject.kind; }

struct Bench {
  explicit Bench(const char* kind) {
    MemoryParams memory_parameters = memory_params().defaults();
    memory_parameters.size = std::uint64_t{1} << 32;
    memory = std::make_unique<Memory>("memory", memory_parameters, context);
    WalkerParams walker_parameters = walker_params().defaults();
    walker_parameters.slots = 8;
    walker_parameters.kind = kind;
    walker = make_walker("walker", walker_parameters, context);
    walker->memory_socket().bind(memory->socket());
    requester.socket().bind(walker->requester(0));
    sc_core::sc_start(sc_core::SC_ZERO_TIME);
  }
  TransactionPool pool;
  StatRegistry stats;
  SimContext context{1, Timing::kApproximate, pool, stats};
  std::unique_ptr<Memory> memory;
  std::unique_ptr<Walker> walker;
  WalkRequester requester{"requester"};
};

// What the PASID-table entry says beside the tables.
struct Mode {
  bool snooped = true;
  bool accessed_dirty = true;  // SSADE
  bool extended = false;
  bool write_protect = false;
};

struct Case {
  ReferenceRequest asked;
  ReferenceResult expected;
  ReferenceResult expected_snooped;  // as if A/D bits could be set
  WalkRequest walk;
};

class RandomWalk : public testing::TestWithParam<Subject> {
 protected:
  // One space of tables and `kWalks` walks in it.
  void run(std::uint64_t seed, bool loose) {
    RngStream rng(seed, GetParam().format);
    const PageFormatEntry& entry = *find_format(GetParam().format);
    Mode mode;
    mode.snooped = rng.below(4) != 0;
    mode.accessed_dirty = rng.below(2) != 0;
    mode.extended = rng.below(2) != 0;
    mode.write_protect = rng.below(2) != 0;
    registers_.ecap = full_reference_registers().ecap;
    PageFormatOptions options;
    options.host_address_width = kTestHostWidth;
    options.first_stage_1g = rng.below(4) != 0;
    options.second_stage_1g = rng.below(4) != 0;
    options.snoop_control = true;
    options.accessed_dirty = mode.accessed_dirty;
    options.extended_accessed = mode.extended;
    registers_.cap = VtdCap::FS1GP::set(full_reference_registers().cap, options.first_stage_1g);
    registers_.cap = VtdCap::SSLPS::set(registers_.cap, options.second_stage_1g ? 3 : 1);
    const PageTableFormat format = entry.make(options);
    const bool first = format.stage == TableStage::kFirst;

    SparseView view(bench_.memory->contents());
    TablePages pages(next_table_, next_table_ + 0x1000000);
    next_table_ += 0x1000000;
    RemappingTables structures(view, nullptr, pages, true);
    RandomSpace space(view, pages, format.stage, format.levels, rng, {Addr{1} << 36, 40});
    space.map_some(60);
    for (unsigned i = 0; i < 6; ++i) space.change_upper_rights();
    for (unsigned i = 0; i < 10; ++i) space.damage();

    ScalableContext context;
    context.pasid = context.device_tlb = true;
    structures.set_context(kDevice, context);
    Words<8> pasid_entry =
        first ? first_stage_pasid_entry(space.table().root(), format.levels, DomainId(1), true)
              : second_stage_pasid_entry(space.table().root(), format.levels, DomainId(1), true);
    using P = PasidTableEntry;
    P::SSADE::set(pasid_entry, mode.accessed_dirty && !first);
    if (first) {
      P::SRE::set(pasid_entry, 1);
      P::WPE::set(pasid_entry, mode.write_protect);
      P::EAFE::set(pasid_entry, mode.extended);
    }
    structures.set_pasid_entry(kDevice, kPasid, pasid_entry);
    registers_.rtaddr = structures.rtaddr();
    const ReferenceTranslator reference(view, registers_);

    std::vector<Case> cases(kWalks);
    for (Case& c : cases) {
      c.asked.requester = kDevice;
      c.asked.has_pasid = true;
      c.asked.pasid = kPasid;
      c.asked.address = space.random_address();
      // Walks that meet in one entry, to make its updates collide.
      if (&c != cases.data() && rng.below(3) == 0) c.asked.address = (&c - 1)->asked.address;
      c.asked.privileged = first && rng.below(4) == 0;
      if (rng.below(3) == 0) {
        c.asked.kind = RequestKind::kTranslationRequest;
        c.asked.no_write = rng.below(2) != 0;
      } else {
        c.asked.write = rng.below(2) != 0;
        c.asked.read = !c.asked.write || rng.below(8) == 0;
      }
      c.expected_snooped = reference.probe(c.asked);
      if (!mode.snooped) {
        P::PWSNP::set(pasid_entry, 0);
        structures.set_pasid_entry(kDevice, kPasid, pasid_entry);
        c.expected = reference.probe(c.asked);
        P::PWSNP::set(pasid_entry, 1);
        structures.set_pasid_entry(kDevice, kPasid, pasid_entry);
      } else {
        c.expected = c.expected_snooped;
      }
      const bool asks = c.asked.kind == RequestKind::kTranslationRequest;
      c.walk.format = &format;
      c.walk.level = format.levels;
      c.walk.table = space.table().root();
      c.walk.iova = c.asked.address;
      c.walk.is_read = c.asked.read || asks;
      c.walk.is_write = asks ? !c.asked.no_write : c.asked.write;
      c.walk.privileged = c.asked.privileged;
      c.walk.write_protect = mode.write_protect;
      c.walk.need_access = !asks;
      c.walk.update_ad = first || mode.accessed_dirty;
      c.walk.snooped = mode.snooped;
    }

    std::map<Addr, std::uint64_t> before;
    for (Addr table = next_table_ - 0x1000000; table < next_table_; table += 8) {
      const std::uint64_t word = bench_.memory->contents().read64(table);
      if (word != 0) before[table] = word;
    }

    std::vector<WalkResult> results;
    if (loose) {
      for (const Case& c : cases) results.push_back(bench_.requester.walk_now(c.walk));
    } else {
      std::vector<std::size_t> numbers;
      for (const Case& c : cases) numbers.push_back(bench_.requester.send(c.walk, 1 + rng.below(20'000'000)));
      sc_core::sc_start(to_sc(Ps{1'000'000'000}));
      ASSERT_EQ(bench_.requester.outstanding(), 0u);
      for (const std::size_t number : numbers) results.push_back(bench_.requester.result(number));
    }

    std::map<Addr, std::uint64_t> due;
    for (std::size_t i = 0; i < cases.size(); ++i) {
      compare(cases[i], results[i], format, mode, seed);
      for (const ReferenceResult::Update& update : cases[i].expected.updates)
        due[update.entry] |= update.bits;
      if (testing::Test::HasFailure()) return;
    }
    // Bits the reference asks for are set; no D that it does not ask for; nothing but A, EA and D changed.
    for (const auto& [address, bits] : due) {
      EXPECT_EQ(bench_.memory->contents().read64(address) & bits, bits) << std::hex << address;
    }
    for (const auto& [address, word] : before) {
      const std::uint64_t now = bench_.memory->contents().read64(address);
      const auto asked = due.find(address);
      const std::uint64_t allowed =
          format.accessed | format.extended_accessed | (asked == due.end() ? 0 : asked->second);
      EXPECT_EQ((now ^ word) & ~allowed, 0u) << std::hex << address << " " << word << " became " << now;
      EXPECT_EQ(word & ~now, 0u) << "a bit was cleared";
    }
  }

  void compare(const Case& c, const WalkResult& result, const PageTableFormat& format, const Mode& mode,
               std::uint64_t seed) {
    SCOPED_TRACE(testing::Message() << GetParam().format << " seed " << seed << " address " << std::hex
                                    << c.asked.address
                                    << (c.asked.kind == RequestKind::kTranslationRequest ? " TR" : "")
                                    << (c.asked.write ? " W" : " R")
                                    << (c.asked.privileged ? " privileged" : ""));
    const bool first = format.stage == TableStage::kFirst;
    const FaultReason not_snooped =
        first ? FaultReason::kFirstStageUpdateNotSnooped : FaultReason::kSecondStageUpdateNotSnooped;
    // Hardware may want to set A on the way to a fault, and then meets this one first.
    if (!mode.snooped && result.fault == not_snooped && c.expected.fault != FaultReason::kNotCanonical &&
        c.expected.fault != FaultReason::kSecondStageBeyondWidth) {
      ++outcomes_[result.fault];
      return;
    }
    ++outcomes_[c.expected.fault];
    if (c.asked.kind == RequestKind::kTranslationRequest) {
      // The walker reports rights here and does not judge them.
      const bool judged = c.expected.fault == FaultReason::kNoRead ||
                          c.expected.fault == FaultReason::kUserNotAllowed ||
                          (c.expected.fault == FaultReason::kSecondStageNotPresent &&
                           result.fault == FaultReason::kNone && !result.read && !result.write);
      ASSERT_EQ(result.fault, judged ? FaultReason::kNone : c.expected.fault)
          << fault_text(result.fault) << " / " << fault_text(c.expected.fault);
      if (result.fault != FaultReason::kNone) return;
      const bool user = !first || result.user || c.asked.privileged;
      const bool write = first && c.asked.privileged && !mode.write_protect ? true : result.write;
      EXPECT_EQ(user && result.read, c.expected.read);
      EXPECT_EQ(user && write && !c.asked.no_write, c.expected.write);
      if (!c.expected.ok) return;
    } else {
      ASSERT_EQ(result.fault, c.expected.fault)
          << fault_text(result.fault) << " / " << fault_text(c.expected.fault);
      if (!c.expected.ok) return;
      EXPECT_EQ(result.read, c.expected.read);
    }
    const Addr offset = c.asked.address & ((Addr{1} << result.page_shift) - 1);
    EXPECT_EQ(result.page_shift, c.expected.page_shift);
    EXPECT_EQ(result.page | offset, c.expected.address);
    EXPECT_EQ(result.snoop, !c.expected.non_snooped_allowed);
  }

  Bench bench_{GetParam().kind};
  ReferenceRegisters registers_ = full_reference_registers();
  Addr next_table_ = 0x1000000;
  std::map<FaultReason, unsigned> outcomes_;
};

TEST_P(RandomWalk, AgreesWithTheReference) {
  for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
    run(seed, false);
    if (HasFatalFailure() || HasFailure()) return;
    run(seed + 1000, true);
    if (HasFatalFailure() || HasFailure()) return;
  }
  // The tables were worth it: every outcome a walk of this format can have was met.
  const bool first = find_format(GetParam().format)->make({}).stage == TableStage::kFirst;
  const std::set<FaultReason> expected =
      first ? std::set<FaultReason>{FaultReason::kNone,
                                    FaultReason::kFirstStageAccess,
                                    FaultReason::kFirstStageNotPresent,
                                    FaultReason::kFirstStageReserved,
                                    FaultReason::kNotCanonical,
                                    FaultReason::kUserNotAllowed,
                                    FaultReason::kNoWrite,
                                    FaultReason::kFirstStageUpdateNotSnooped}
            : std::set<FaultReason>{FaultReason::kNone,
                                    FaultReason::kSecondStageAccess,
                                    FaultReason::kSecondStageNotPresent,
                                    FaultReason::kSecondStageReserved,
                                    FaultReason::kSecondStageBeyondWidth,
                                    FaultReason::kNoWrite,
                                    FaultReason::kNoRead,
                                    FaultReason::kSecondStageUpdateNotSnooped};
  for (const FaultReason reason : expected) {
    EXPECT_GE(outcomes_[reason], 10u) << fault_text(reason);
  }
  for (const auto& [figure, value] : bench_.walker->must_be_zero()) EXPECT_EQ(value, 0u) << figure;
}

std::string name_of(const testing::TestParamInfo<Subject>& test) {
  std::string name = std::string(test.param.format) + "_" + test.param.kind;
  for (char& c : name) c = c == '-' ? '_' : c;
  return name;
}

INSTANTIATE_TEST_SUITE_P(Formats, RandomWalk,
                         testing::Values(Subject{"x86-fs4", "tlm"}, Subject{"x86-fs5", "tlm"},
                                         Subject{"vtd-ss3", "tlm"}, Subject{"vtd-ss4", "tlm"},
                                         Subject{"vtd-ss5", "tlm"}),
                         name_of);
#ifdef SVASIM_WITH_RTL
INSTANTIATE_TEST_SUITE_P(Rtl, RandomWalk,
                         testing::Values(Subject{"x86-fs4", "rtl"}, Subject{"x86-fs4", "lockstep"},
                                         Subject{"vtd-ss4", "lockstep"}),
                         name_of);
#endif

}  // namespace
}  // namespace svasim::test
