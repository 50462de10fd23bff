#include "models/reference/reference_stages.h"

#include <algorithm>

#include "models/formats/vtd_registers.h"
#include "models/formats/vtd_second_stage.h"
#include "models/formats/x86_first_stage.h"

namespace svasim {
namespace {

using F = FirstStageEntry;
using S = SecondStageEntry;

// Input bits of the index into a table, by level: 20:12, 29:21, 38:30, 47:39, 56:48.
unsigned index_of(Addr input, unsigned level) {
  switch (level) {
    case 1:
      return static_cast<unsigned>(Field<20, 12>::get(input));
    case 2:
      return static_cast<unsigned>(Field<29, 21>::get(input));
    case 3:
      return static_cast<unsigned>(Field<38, 30>::get(input));
    case 4:
      return static_cast<unsigned>(Field<47, 39>::get(input));
    default:
      return static_cast<unsigned>(Field<56, 48>::get(input));
  }
}

unsigned leaf_shift(unsigned level) { return level == 1 ? 12 : level == 2 ? 21 : 30; }

std::uint64_t low_bits(unsigned count) { return (std::uint64_t{1} << count) - 1; }

// Address bits above the host address width, 51:HAW.
std::uint64_t beyond_host_width(const ReferenceRegisters& registers) {
  return low_bits(52) & ~low_bits(registers.host_address_width);
}

struct SecondStageFaults {
  FaultReason access, top_access, reserved;
};
constexpr SecondStageFaults kScalableFaults = {
    FaultReason::kSecondStageAccess, FaultReason::kSecondStageTopAccess, FaultReason::kSecondStageReserved};
constexpr SecondStageFaults kLegacyFaults = {
    FaultReason::kLegacyTableAccess, FaultReason::kLegacyContextInvalid, FaultReason::kLegacyEntryReserved};

// Reads the first-stage entry at the guest (nested) or host address. `host` is where it lies.
FaultReason read_first_stage_entry(const MemoryView& memory, const ReferenceRegisters& registers,
                                   const ReferenceContext& context, Addr address, bool top,
                                   ReferenceUpdates& updates, Addr& host, bool& may_update,
                                   std::uint64_t& entry) {
  host = address;
  may_update = true;
  if (context.translation == PasidGranularTranslation::kNested) {
    // SPEC: [VTD 3.8] tables are read through the second stage; with SSADE as if written.
    const unsigned width = std::min(static_cast<unsigned>(VtdCap::MGAW::get(registers.cap)) + 1,
                                    12 + 9 * context.second_stage_levels);
    if ((address >> width) != 0) return FaultReason::kNestedBeyondWidth;
    const bool as_write = context.second_stage_accessed_dirty;
    const ReferenceLeaf through = walk_second_stage(memory, registers, context, address, as_write, updates);
    if (through.fault != FaultReason::kNone) return through.fault;
    if (!through.read) return top ? FaultReason::kNestedTopNoRead : FaultReason::kNestedEntryNoRead;
    if (as_write && !through.write) return FaultReason::kNestedAccessedDirtyNoWrite;
    if (const FaultReason fault = updates.refused(context); fault != FaultReason::kNone) return fault;
    may_update = through.write;
    host = through.address;
  }
  if (!memory.read64(host, entry)) {
    return top ? FaultReason::kFirstStageTopAccess : FaultReason::kFirstStageAccess;
  }
  return FaultReason::kNone;
}

// The page of a nested request: `leaf` is what the first stage found, at a guest address, and becomes what
// both stages give.
FaultReason find_nested_page(const MemoryView& memory, const ReferenceRegisters& registers,
                             const ReferenceContext& context, const ReferenceAccess& access,
                             ReferenceUpdates& updates, ReferenceLeaf& leaf) {
  if (!leaf.user && !context.privileged) return FaultReason::kUserNotAllowed;
  if (access.judged && access.write && !leaf.write) return FaultReason::kNoWrite;
  const unsigned width = std::min(static_cast<unsigned>(VtdCap::MGAW::get(registers.cap)) + 1,
                                  12 + 9 * context.second_stage_levels);
  if ((leaf.address >> width) != 0) return FaultReason::kNestedBeyondWidth;
  const ReferenceLeaf page =
      walk_second_stage(memory, registers, context, leaf.address, access.write && leaf.write, updates);
  if (page.fault != FaultReason::kNone) return page.fault;
  leaf.address = page.address;
  leaf.page_shift = std::min(leaf.page_shift, page.page_shift);
  leaf.read = page.read;
  leaf.write = leaf.write && page.write;
  leaf.snoop = page.snoop;
  if (access.judged) {
    const bool zero_length_ok = access.zero_length && leaf.write && VtdCap::ZLR::get(registers.cap) != 0;
    if (access.write && !leaf.write) return FaultReason::kNoWrite;
    if (access.read && !leaf.read && !zero_length_ok) return FaultReason::kNoRead;
  }
  return updates.refused(context);
}

}  // namespace

void ReferenceUpdates::need(Addr entry, std::uint64_t value, std::uint64_t bits, TableStage stage) {
  const std::uint64_t missing = bits & ~value;
  if (missing == 0) return;
  for (Item& item : items) {
    if (item.entry == entry) {
      item.bits |= missing;
      return;
    }
  }
  const bool first = stage == TableStage::kFirst;
  items.push_back(
      {entry, missing,
       first ? FaultReason::kFirstStageUpdateNotSnooped : FaultReason::kSecondStageUpdateNotSnooped,
       first ? FaultReason::kFirstStageUpdateFailed : FaultReason::kSecondStageUpdateFailed});
}

ReferenceLeaf walk_second_stage(const MemoryView& memory, const ReferenceRegisters& registers,
                                const ReferenceContext& context, Addr input, bool wants_write,
                                ReferenceUpdates& updates) {
  ReferenceLeaf result;
  const SecondStageFaults& faults = context.legacy ? kLegacyFaults : kScalableFaults;
  const std::uint64_t read_bit = context.internal_rights ? S::IR::kMask : S::R::kMask;
  const std::uint64_t write_bit = context.internal_rights ? S::IW::kMask : S::W::kMask;
  const std::uint64_t page_sizes = VtdCap::SSLPS::get(registers.cap);
  const bool snoop_control = VtdEcap::SC::get(registers.ecap) != 0;

  Addr table = context.second_stage_table;
  for (unsigned level = context.second_stage_levels;; --level) {
    // 1. Read the entry.
    const Addr where = table + 8 * index_of(input, level);
    std::uint64_t entry = 0;
    if (!memory.read64(where, entry)) {
      result.fault = level == context.second_stage_levels ? faults.top_access : faults.access;
      return result;
    }
    // 2. Without read and write it is not present. Legacy mode has no code for that: the caller sees
    // that there are no rights.
    result.read = result.read && (entry & read_bit) != 0;
    result.write = result.write && (entry & write_bit) != 0;
    if ((entry & (read_bit | write_bit)) == 0) {
      if (!context.legacy) result.fault = FaultReason::kSecondStageNotPresent;
      return result;
    }
    // 3. A leaf: always at level 1, at 2 and 3 with PS when the unit has that size.
    const bool size_exists = (level == 2 && (page_sizes & VtdCap::kSslps2M) != 0) ||
                             (level == 3 && (page_sizes & VtdCap::kSslps1G) != 0);
    const bool leaf = level == 1 || (size_exists && S::PS::get(entry) != 0);
    // 4. Reserved bits.
    std::uint64_t reserved = beyond_host_width(registers);
    if (!context.internal_rights) reserved |= S::IW::kMask;
    if (!leaf || !snoop_control) reserved |= S::SNP::kMask;
    if (leaf) reserved |= low_bits(leaf_shift(level)) & ~low_bits(12);
    if (!leaf) reserved |= S::PS::kMask;
    if ((entry & reserved) != 0) {
      result.fault = faults.reserved;
      return result;
    }
    // 5. A page whose rights cancel out over the levels is not present either.
    if (leaf && !result.read && !result.write) {
      if (!context.legacy) result.fault = FaultReason::kSecondStageNotPresent;
      return result;
    }
    // 6. The entry is used: A is due, on the leaf of a write also D.
    if (context.second_stage_accessed_dirty) {
      const bool dirty = leaf && wants_write && result.write;
      updates.need(where, entry, S::A::kMask | (dirty ? S::D::kMask : 0), TableStage::kSecond);
    }
    if (leaf) {
      const std::uint64_t offset = low_bits(leaf_shift(level));
      result.page_shift = leaf_shift(level);
      result.address = (S::ADDR::in_place(entry) & ~offset) | (input & offset);
      result.snoop = snoop_control && S::SNP::get(entry) != 0;
      result.leaf_entry = where;
      result.leaf = entry;
      return result;
    }
    result.fault = updates.refused(context);
    if (result.fault != FaultReason::kNone) return result;
    table = S::ADDR::in_place(entry);
  }
}

ReferenceLeaf walk_first_stage(const MemoryView& memory, const ReferenceRegisters& registers,
                               const ReferenceContext& context, Addr input, const ReferenceAccess& access,
                               ReferenceUpdates& updates) {
  ReferenceLeaf result;
  const bool nested = context.translation == PasidGranularTranslation::kNested;
  const bool has_1g = VtdCap::FS1GP::get(registers.cap) != 0;
  const std::uint64_t accessed = F::A::kMask | (context.extended_accessed ? F::EA::kMask : 0);

  bool read_write = true;
  bool user = true;
  Addr table = context.first_stage_table;
  for (unsigned level = context.first_stage_levels;; --level) {
    // 1. Read the entry.
    const bool top = level == context.first_stage_levels;
    Addr where = 0;
    bool may_update = true;
    std::uint64_t entry = 0;
    result.fault = read_first_stage_entry(memory, registers, context, table + 8 * index_of(input, level), top,
                                          updates, where, may_update, entry);
    if (result.fault != FaultReason::kNone) return result;
    // 2. Present.
    if (F::P::get(entry) == 0) {
      result.fault = FaultReason::kFirstStageNotPresent;
      return result;
    }
    // 3. A leaf: always at level 1, at 2 with PS, at 3 with PS when the unit has 1-GiB pages.
    const bool leaf = level == 1 || (F::PS::get(entry) != 0 && (level == 2 || (level == 3 && has_1g)));
    // 4. Reserved bits. Bit 12 of a large page is PAT; bit 7 is PAT at level 1.
    std::uint64_t reserved = beyond_host_width(registers);
    if (leaf && level > 1) reserved |= low_bits(leaf_shift(level)) & ~low_bits(13);
    if (!leaf) reserved |= F::PS::kMask;
    if ((entry & reserved) != 0) {
      result.fault = FaultReason::kFirstStageReserved;
      return result;
    }
    // 5. Rights hold only if every level grants them.
    read_write = read_write && F::RW::get(entry) != 0;
    user = user && F::US::get(entry) != 0;
    if (leaf) {
      const std::uint64_t offset = low_bits(leaf_shift(level));
      result.page_shift = leaf_shift(level);
      result.address = (F::ADDR::in_place(entry) & ~offset) | (input & offset);
      result.leaf_entry = where;
      result.leaf = entry;
      result.read = true;
      result.write = read_write || (context.privileged && !context.write_protect);
      result.user = user;
    }
    // 6. Nested: what the leaf allows, and then the page itself through the second stage.
    if (leaf && nested) {
      result.fault = find_nested_page(memory, registers, context, access, updates, result);
      if (result.fault != FaultReason::kNone) return result;
    }
    // 7. The entry is used: A (and EA) are due, on the leaf of a write also D.
    const bool dirty = leaf && access.write && result.write && (user || context.privileged);
    const std::uint64_t due = accessed | (dirty ? F::D::kMask : 0);
    if ((due & ~entry) != 0 && !may_update) {
      result.fault = FaultReason::kNestedAccessedDirtyNoWrite;
      return result;
    }
    updates.need(where, entry, due, TableStage::kFirst);
    if (leaf) return result;
    result.fault = updates.refused(context);
    if (result.fault != FaultReason::kNone) return result;
    table = F::ADDR::in_place(entry);
  }
}

}  // namespace svasim
