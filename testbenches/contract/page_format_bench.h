// One page-table format under test: tables in plain memory, the walk machine driven on them by hand, and
// what the reference says of the same access.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <set>
#include <vector>

#include "base/rng.h"
#include "models/formats/riscv_page_table.h"
#include "models/reference/page_table_builder.h"
#include "models/reference/reference_riscv.h"
#include "models/walker/walk_machine.h"
#include "support/reference_system.h"

namespace svasim {
inline void PrintTo(const PageFormatEntry& entry, std::ostream* out) { *out << entry.name; }
}  // namespace svasim

namespace svasim::test {

// What a request wants, for all architectures.
struct FormatAccess {
  Addr address = 0;
  bool read = true;
  bool write = false;
  bool privileged = false;
  bool privileged_user = false;  // SUM; RISC-V
  bool asks = false;             // a translation request: rights are told, not demanded; write: without NW
};

inline void PrintTo(const FormatAccess& a, std::ostream* out) {
  *out << std::hex << "0x" << a.address << std::dec << (a.read ? " R" : "") << (a.write ? " W" : "")
       << (a.privileged ? " privileged" : "") << (a.privileged_user ? " SUM" : "")
       << (a.asks ? " translation request" : "");
}

using Updates = std::map<Addr, std::uint64_t>;  // bits set, by entry

struct FormatExpectation {
  FaultReason fault = FaultReason::kNone;
  bool by_rights = false;  // the fault is of the rights over all levels: a walk that asks meets none
  bool any_level = true;   // the reference does not tell the level
  unsigned level = 0;
  unsigned cause = 0;  // RISC-V
  Addr address = 0;
  unsigned page_shift = 0;
  bool read = false;
  bool write = false;
  Updates updates;
};

struct DrivenWalk {
  WalkResult result;
  Updates updates;
  Updates before;  // the entries as they were
};

// Does what the machine asks for. `meddle` runs before each update.
inline DrivenWalk drive(MemoryView& memory, const WalkRequest& request,
                        const std::function<void(Addr)>& meddle = {}) {
  DrivenWalk done;
  WalkMachine machine;
  WalkMachine::Need need = machine.start(request);
  while (need != WalkMachine::Need::kDone) {
    std::uint64_t word = 0;
    if (need == WalkMachine::Need::kRead) {
      const bool ok = memory.read64(machine.address(), word);
      need = machine.on_read(ok, word);
      continue;
    }
    if (meddle) meddle(machine.address());
    const bool ok = memory.read64(machine.address(), word);
    if (ok && word == machine.expected()) {
      EXPECT_EQ(machine.expected() & ~machine.desired(), 0U) << "an update clears bits";
      done.before.emplace(machine.address(), word);
      done.updates[machine.address()] |= machine.desired() ^ word;
      memory.write64(machine.address(), machine.desired());
    }
    need = machine.on_update(ok, word);
  }
  done.result = machine.result();
  return done;
}

// Everything of an address space that is not in its tables.
struct FormatSettings {
  PageFormatOptions options;
  bool update_ad = true;  // hardware sets A and D: SSADE, SADE, GADE; of x86 always
  bool write_protect = false;
};

class FormatBench {
 public:
  FormatBench(const PageFormatEntry& entry, const FormatSettings& settings)
      : shape(shape_of(entry.name)),
        format(entry.make(settings.options)),
        settings_(settings),
        structures_(memory, pages, true),
        table(memory, &memory, pages,
              TableShape{shape.entries, shape.stage, shape.levels, settings.options.internal_rights}) {
    if (!shape.riscv()) describe_to_vtd();
  }

  static FormatSettings random_settings(const TableShape& shape, RngStream& rng) {
    FormatSettings settings;
    PageFormatOptions& options = settings.options;
    static constexpr unsigned kWidths[] = {40, 46, 52};
    options.host_address_width = kWidths[rng.below(3)];
    options.first_stage_1g = rng.below(4) != 0;
    options.second_stage_2m = rng.below(4) != 0;
    options.second_stage_1g = rng.below(4) != 0;
    options.extended_accessed = rng.below(2) != 0;
    options.accessed_dirty = rng.below(2) != 0;
    options.snoop_control = rng.below(2) != 0;
    options.internal_rights = shape.stage == TableStage::kSecond && !shape.riscv() && rng.below(2) != 0;
    settings.write_protect = rng.below(2) != 0;
    settings.update_ad = true;
    if (shape.riscv()) settings.update_ad = rng.below(2) != 0;
    if (!shape.riscv() && shape.stage == TableStage::kSecond) settings.update_ad = options.accessed_dirty;
    return settings;
  }

  // Page sizes of these tables.
  std::vector<unsigned> page_shifts() const {
    std::vector<unsigned> shifts = {12};
    const PageFormatOptions& o = settings_.options;
    const bool first = shape.stage == TableStage::kFirst;
    if (shape.riscv() || first || o.second_stage_2m) shifts.push_back(21);
    if (shape.riscv() || (first ? o.first_stage_1g : o.second_stage_1g)) shifts.push_back(30);
    for (unsigned shift = 39; shape.riscv() && shift <= shape.largest_page(); shift += 9)
      shifts.push_back(shift);
    return shifts;
  }
  // Highest bit of a frame's address.
  unsigned frame_bits() const { return shape.riscv() ? 56 : settings_.options.host_address_width; }
  // The sign of the address repeated where the tables want that.
  Addr canonical(Addr address) const {
    const unsigned bits = shape.input_bits();
    address &= mask_between(bits - 1, 0);
    if (shape.stage == TableStage::kFirst && (address >> (bits - 1)) != 0) address |= mask_between(63, bits);
    return address;
  }
  // A rule of the tests, not of any architecture: no interrupts here.
  static bool avoided(Addr address) { return (address >> 20) == 0xFEE; }

  std::uint64_t peek(Addr address) const {
    std::uint64_t word = 0;
    EXPECT_TRUE(memory.read64(address, word));
    return word;
  }

  WalkRequest request(const FormatAccess& access) const {
    WalkRequest walk;
    walk.format = &format;
    walk.level = shape.levels;
    walk.table = table.root();
    walk.iova = access.address;
    walk.is_read = access.read || access.asks;
    walk.is_write = access.write;
    walk.privileged = access.privileged;
    walk.privileged_user = access.privileged_user;
    walk.write_protect = settings_.write_protect;
    walk.need_access = !access.asks;
    walk.update_ad = settings_.update_ad;
    return walk;
  }

  FormatExpectation expected(const FormatAccess& access) {
    return shape.riscv() ? expected_of_riscv(access) : expected_of_vtd(access);
  }

  // The machine against the reference; memory is as before afterwards.
  FaultReason check(const FormatAccess& access) {
    const FormatExpectation want = expected(access);
    const DrivenWalk got = drive(memory, request(access));
    const WalkResult& result = got.result;
    for (const auto& [entry, word] : got.before) memory.write64(entry, word);
    SCOPED_TRACE(testing::PrintToString(access));
    const bool told = access.asks && want.by_rights;
    const FaultReason fault = told ? FaultReason::kNone : want.fault;
    EXPECT_EQ(result.fault, fault) << fault_text(result.fault) << " / " << fault_text(fault);
    if (shape.riscv()) {
      const unsigned cause = static_cast<unsigned>(riscv_walk_cause(result.fault, shape.stage, access.write));
      EXPECT_EQ(cause, told ? 0 : want.cause);
    }
    if (result.fault != fault) return want.fault;
    if (!want.any_level && fault != FaultReason::kNone) {
      EXPECT_EQ(result.fault_level, want.level);
    }
    const bool may = user_allows(result, access);
    if (told) {
      EXPECT_FALSE(may && (result.read || (access.write && write_allowed(result, access))))
          << "told rights it has not";
    } else if (fault == FaultReason::kNone) {
      EXPECT_TRUE(may);
      EXPECT_EQ(result.page_shift, want.page_shift);
      EXPECT_EQ(result.page | (access.address & mask_between(result.page_shift - 1U, 0)), want.address);
      EXPECT_EQ(result.read, want.read);
      const bool wanted_write = !access.asks || access.write || shape.riscv();
      if (wanted_write) {
        EXPECT_EQ(write_allowed(result, access), want.write);
      }
      EXPECT_EQ(got.updates, want.updates);
      return want.fault;
    }
    // On the way to a fault accessed bits may have been set, in tables only.
    for (const auto& [entry, bits] : got.updates) EXPECT_EQ(bits & ~early_marks(), 0U) << std::hex << entry;
    return want.fault;
  }

  PageMemory memory;
  TablePages pages{0x1000000, 0x9000000};
  const TableShape shape;
  const PageTableFormat format;

 private:
  const FormatSettings settings_;
  RemappingTables structures_;
  ReferenceRegisters registers_ = full_reference_registers();

 public:
  PageTableBuilder table;

 private:
  static constexpr RequesterId kDevice = RequesterId::from_bdf(1, 0, 0);
  static constexpr Pasid kPasid{5};

  void describe_to_vtd() {
    const PageFormatOptions& o = settings_.options;
    const bool first = shape.stage == TableStage::kFirst;
    ScalableContext context;
    context.pasid = context.device_tlb = true;
    structures_.set_context(kDevice, context);
    Words<8> entry = first ? first_stage_pasid_entry(table.root(), shape.levels, DomainId(1))
                           : second_stage_pasid_entry(table.root(), shape.levels, DomainId(1));
    using P = PasidTableEntry;
    P::SSADE::set(entry, o.accessed_dirty && !first);
    if (first) {
      P::SRE::set(entry, 1);
      P::WPE::set(entry, settings_.write_protect);
      P::EAFE::set(entry, o.extended_accessed);
    }
    structures_.set_pasid_entry(kDevice, kPasid, entry);
    registers_.host_address_width = o.host_address_width;
    registers_.cap = VtdCap::FS1GP::set(registers_.cap, o.first_stage_1g);
    registers_.cap =
        VtdCap::SSLPS::set(registers_.cap, (o.second_stage_2m ? 1 : 0) | (o.second_stage_1g ? 2 : 0));
    registers_.ecap = VtdEcap::SC::set(registers_.ecap, o.snoop_control);
    registers_.rtaddr = structures_.rtaddr() | VtdRtaddr::SSIRWE::make(o.internal_rights);
  }

  FormatExpectation expected_of_vtd(const FormatAccess& access) {
    ReferenceRequest asked;
    asked.requester = kDevice;
    asked.has_pasid = true;
    asked.pasid = kPasid;
    asked.address = access.address;
    asked.privileged = access.privileged && shape.stage == TableStage::kFirst;
    asked.read = access.read;
    asked.write = access.write;
    asked.no_write = access.asks && !access.write;
    asked.kind = access.asks ? RequestKind::kTranslationRequest : RequestKind::kUntranslated;
    const ReferenceResult told = ReferenceTranslator(memory, registers_).probe(asked);
    FormatExpectation want;
    want.fault = told.fault;
    want.by_rights = told.fault == FaultReason::kNoRead || told.fault == FaultReason::kUserNotAllowed ||
                     (told.fault == FaultReason::kSecondStageNotPresent && rights_cancel_out(access.address));
    want.address = told.address;
    want.page_shift = told.page_shift;
    want.read = told.read;
    want.write = told.write;
    for (const ReferenceResult::Update& update : told.updates) want.updates[update.entry] |= update.bits;
    return want;
  }

  // Second stage: every entry down to the leaf is present and no right is in all of them.
  bool rights_cancel_out(Addr address) const {
    const unsigned low = settings_.options.internal_rights ? 61 : 0;
    std::uint64_t common = 3;
    for (unsigned level = shape.levels; level >= 1; --level) {
      const std::uint64_t rights = (table.entry(address, level) >> low) & 3;
      if (rights == 0) return false;
      common &= rights;
      if (table.leaf_level(address) == level) break;
    }
    return common == 0;
  }

  FormatExpectation expected_of_riscv(const FormatAccess& a) const {
    RiscvAccess access{a.address, a.read, a.write, a.privileged, a.privileged_user, a.asks};
    const RiscvTables tables{shape.stage, shape.levels, table.root(), settings_.update_ad};
    const RiscvTranslation told = walk_riscv(memory, tables, access);
    const bool first = shape.stage == TableStage::kFirst;
    FormatExpectation want;
    want.cause = told.cause;
    want.any_level = told.failure == RiscvFailure::kAddress;
    want.level = told.level;
    want.by_rights = told.failure == RiscvFailure::kPrivilege;
    switch (told.failure) {
      case RiscvFailure::kNone:
        break;
      case RiscvFailure::kAddress:
        want.fault = first ? FaultReason::kNotCanonical : FaultReason::kSecondStageBeyondWidth;
        break;
      case RiscvFailure::kAccess:
        want.fault = told.level == shape.levels
                         ? (first ? FaultReason::kFirstStageTopAccess : FaultReason::kSecondStageTopAccess)
                         : (first ? FaultReason::kFirstStageAccess : FaultReason::kSecondStageAccess);
        break;
      case RiscvFailure::kInvalid:
      case RiscvFailure::kMarks:
        want.fault = first ? FaultReason::kFirstStageNotPresent : FaultReason::kSecondStageNotPresent;
        break;
      case RiscvFailure::kReserved:
        want.fault = first ? FaultReason::kFirstStageReserved : FaultReason::kSecondStageReserved;
        break;
      case RiscvFailure::kPrivilege:
        want.fault = FaultReason::kUserNotAllowed;
        break;
      case RiscvFailure::kPermission:
        want.fault = a.write && !told.write ? FaultReason::kNoWrite : FaultReason::kNoRead;
        break;
    }
    want.address = told.address;
    want.page_shift = told.page_shift;
    want.read = told.read;
    want.write = told.write;
    if (told.update != 0) want.updates[told.leaf_entry] = told.update;
    return want;
  }

  // What a requester may do with the rights it is told. SPEC: [VTD 3.6.1], [RVIOMMU Process-context]
  bool user_allows(const WalkResult& result, const FormatAccess& access) const {
    if (shape.riscv()) {
      const bool supervisor = access.privileged && shape.stage == TableStage::kFirst;
      return supervisor ? !result.user || access.privileged_user : result.user;
    }
    return shape.stage == TableStage::kSecond || result.user || access.privileged;
  }
  bool write_allowed(const WalkResult& result, const FormatAccess& access) const {
    const bool passes =
        !shape.riscv() && shape.stage == TableStage::kFirst && access.privileged && !settings_.write_protect;
    return result.write || passes;
  }
  // Accessed bits of tables: bits 5 and 10 of x86, 8 of a second stage, none of RISC-V.
  std::uint64_t early_marks() const {
    if (shape.riscv()) return 0;
    return shape.stage == TableStage::kFirst ? 0x420 : 0x100;
  }
};

}  // namespace svasim::test
