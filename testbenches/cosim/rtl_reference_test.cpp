// The bare Verilated walker against the reference translator, on random tables and requests.
#include <gtest/gtest.h>

#include <map>

#include "cosim/random_tables.h"
#include "models/rtl/rtl_walker_core.h"
#include "support/reference_system.h"

namespace svasim {
namespace {

constexpr unsigned kRequests = 400;

struct Outcome {
  RtlWalkResult result;
  std::map<Addr, std::uint64_t> updates;  // bits set, by entry
};

// What the RTL walker does to `memory`.
Outcome walk(RtlWalkerCore& core, PageMemory& memory, const RtlWalkRequest& request) {
  Outcome outcome;
  core.start(request);
  for (unsigned edges = 0; edges < 1000; ++edges) {
    switch (core.clock()) {
      case RtlWalkerCore::Event::kRead: {
        std::uint64_t entry = 0;
        const bool ok = memory.read64(core.read_address(), entry);
        core.answer_read(entry, !ok);
        break;
      }
      case RtlWalkerCore::Event::kUpdate: {
        const RtlWalkerCore::Update& update = core.update();
        std::uint64_t entry = 0;
        EXPECT_TRUE(memory.read64(update.address, entry));
        EXPECT_EQ(entry, update.old_value);
        outcome.updates[update.address] |= update.new_value & ~update.old_value;
        memory.write64(update.address, update.new_value);
        core.answer_update(entry, false);
        break;
      }
      case RtlWalkerCore::Event::kResult:
        outcome.result = core.result();
        return outcome;
      case RtlWalkerCore::Event::kNone:
        break;
    }
  }
  ADD_FAILURE() << "the walk does not end";
  return outcome;
}

// Random first-stage tables under one PASID, whose entry carries the options of the walk.
struct RandomSystem {
  explicit RandomSystem(unsigned seed) : rng(seed, "rtl_reference") {
    ReferenceRegisters& registers = system.registers;
    constexpr unsigned kWidths[] = {39, 42, 46, 52};
    registers.host_address_width = kWidths[rng.below(4)];
    one_gib = rng.chance(0.7);
    if (!one_gib) registers.cap &= ~VtdCap::FS1GP::kMask;
    sre = rng.chance(0.5);
    wpe = rng.chance(0.5);
    eafe = rng.chance(0.3);
    snooped = rng.chance(0.8);
    Words<8> entry =
        first_stage_pasid_entry(system.first.root(), 4, ScalableTestSystem::kFirstDomain, snooped);
    PasidTableEntry::SRE::set(entry, sre);
    PasidTableEntry::WPE::set(entry, wpe);
    PasidTableEntry::EAFE::set(entry, eafe);
    system.tables.set_pasid_entry(ScalableTestSystem::kDevice, ScalableTestSystem::kFirst, entry);
    tables.fill(150, rng.chance(0.2) ? 0.0 : 0.5 * rng.uniform01());
  }

  ReferenceRequest any_request() {
    ReferenceRequest request = system.read(ScalableTestSystem::kFirst, tables.pick());
    if (rng.chance(0.4)) {
      request.kind = RequestKind::kTranslationRequest;
      request.no_write = rng.chance(0.5);
    } else {
      request.write = rng.chance(0.5);
      request.read = !request.write;
    }
    request.privileged = sre && rng.chance(0.4);
    return request;
  }

  RtlWalkRequest to_rtl(const ReferenceRequest& request) const {
    const bool translation = request.kind == RequestKind::kTranslationRequest;
    RtlWalkRequest rtl;
    rtl.table = system.first.root();
    rtl.iova = request.address;
    rtl.is_write = translation ? !request.no_write : request.write;
    rtl.user = !request.privileged;
    rtl.write_protect = wpe;
    rtl.need_access = !translation;
    rtl.extended_access = eafe;
    rtl.snooped = snooped;
    rtl.one_gib_pages = one_gib;
    rtl.host_address_width = static_cast<std::uint8_t>(system.registers.host_address_width);
    return rtl;
  }

  RngStream rng;
  ScalableTestSystem system;
  RandomTables tables{system.memory, system.first, rng, 39};
  bool one_gib, sre, wpe, eafe, snooped;
};

void expect_same_translation(const RandomSystem& random, const ReferenceRequest& request,
                             const ReferenceResult& expected, const Outcome& rtl) {
  const RtlWalkResult& result = rtl.result;
  const std::uint64_t offset = (std::uint64_t{1} << expected.page_shift) - 1;
  EXPECT_EQ(result.fault, 0);
  EXPECT_EQ(result.page, expected.address & ~offset);
  EXPECT_EQ(result.page_shift, expected.page_shift);
  EXPECT_TRUE(result.user || request.privileged);
  if (request.kind != RequestKind::kTranslationRequest || !request.no_write) {
    EXPECT_EQ(result.write || (request.privileged && !random.wpe), expected.write);
  }
  std::map<Addr, std::uint64_t> updates;
  for (const ReferenceResult::Update& update : expected.updates) updates[update.entry] |= update.bits;
  EXPECT_EQ(rtl.updates, updates);
}

void expect_same_fault(const RandomSystem& random, const ReferenceRequest& request,
                       const ReferenceResult& expected, const Outcome& rtl) {
  const auto fault = static_cast<FaultReason>(rtl.result.fault);
  // A walk that is not snooped stops at the first entry that lacks its A bit; the reference looks at
  // everything else before. The specification gives no order.
  const bool stopped = !random.snooped && fault == FaultReason::kFirstStageUpdateNotSnooped;
  if (expected.fault == FaultReason::kUserNotAllowed && request.kind == RequestKind::kTranslationRequest &&
      !stopped) {
    EXPECT_EQ(fault, FaultReason::kNone);
    EXPECT_FALSE(rtl.result.user) << "the IOMMU answers without rights";
  } else if (!stopped) {
    EXPECT_EQ(fault, expected.fault);
  }
  // Accessed bits may be set on the way to a fault; dirty bits never.
  for (const auto& [entry, bits] : rtl.updates) EXPECT_EQ(bits & FirstStageEntry::D::kMask, 0U) << entry;
}

// What the requests met, so that nobody trusts a test that met nothing.
using Met = std::map<unsigned, unsigned>;

void run_seed(unsigned seed, RtlWalkerCore& core, Met& faults, Met& shifts) {
  RandomSystem random(seed);
  for (unsigned i = 0; i < kRequests && !::testing::Test::HasFailure(); ++i) {
    const ReferenceRequest request = random.any_request();
    const ReferenceResult expected = random.system.reference.probe(request);
    SCOPED_TRACE(::testing::Message()
                 << "seed " << seed << " request " << i << " address 0x" << std::hex << request.address
                 << " expected fault 0x" << static_cast<int>(expected.fault));
    const Outcome rtl = walk(core, random.system.memory, random.to_rtl(request));
    if (expected.fault == FaultReason::kOutputInInterruptRange)
      continue;  // found by the IOMMU, not by a walk
    ++faults[static_cast<unsigned>(expected.fault)];
    if (expected.fault == FaultReason::kNone) {
      ++shifts[expected.page_shift];
      expect_same_translation(random, request, expected, rtl);
    } else {
      expect_same_fault(random, request, expected, rtl);
    }
  }
}

TEST(RtlAgainstReference, RandomTablesAndRequests) {
  RtlWalkerCore core;
  Met faults;
  Met shifts;
  for (unsigned seed = 1; seed <= 100; ++seed) run_seed(seed, core, faults, shifts);
  for (const unsigned fault : {0x00U, 0x70U, 0x71U, 0x72U, 0x80U, 0x81U, 0x85U, 0x90U}) {
    EXPECT_GT(faults[fault], 150U) << "fault " << fault << " hardly met";
  }
  for (const unsigned shift : {12U, 21U, 30U}) EXPECT_GT(shifts[shift], 1000U) << "page size hardly met";
}

// A walk from any table found on the way, with the rights so far, ends like the walk from the top:
// what a paging-structure cache relies on.
TEST(RtlWalkerStart, EveryStepLeadsToTheSameResult) {
  RtlWalkerCore core;
  unsigned restarted = 0;
  for (unsigned seed = 100; seed < 108; ++seed) {
    RandomSystem random(seed);
    for (unsigned i = 0; i < kRequests; ++i) {
      const RtlWalkRequest request = random.to_rtl(random.any_request());
      walk(core, random.system.memory, request);  // sets the bits, so that the next ones are alike
      const RtlWalkResult whole = walk(core, random.system.memory, request).result;
      for (unsigned step = 0; step < whole.steps; ++step) {
        RtlWalkRequest lower = request;
        lower.level = whole.step[step].level;
        lower.table = whole.step[step].table;
        lower.upper_write = whole.step[step].write;
        lower.upper_user = whole.step[step].user;
        const RtlWalkResult result = walk(core, random.system.memory, lower).result;
        ASSERT_EQ(result.fault, whole.fault);
        ASSERT_EQ(result.page, whole.page);
        ASSERT_EQ(result.page_shift, whole.page_shift);
        ASSERT_EQ(result.write, whole.write);
        ASSERT_EQ(result.user, whole.user);
        ASSERT_EQ(result.reads + step + 1, whole.reads);
        ++restarted;
      }
    }
  }
  EXPECT_GT(restarted, 3000U);
}

}  // namespace
}  // namespace svasim
