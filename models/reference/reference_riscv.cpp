#include "models/reference/reference_riscv.h"

#include "models/formats/riscv_page_table.h"

namespace svasim {
namespace {

using E = RiscvEntry;

RiscvTranslation fail(RiscvTranslation result, RiscvFailure failure, const RiscvTables& tables,
                      const RiscvAccess& access) {
  // SPEC: [RVIOMMU Fault/Event-Queue] the causes of reads and writes are apart by 2.
  const unsigned read_cause = failure == RiscvFailure::kAccess      ? 5
                              : tables.stage == TableStage::kSecond ? 21
                                                                    : 13;
  result.failure = failure;
  result.cause = read_cause + (access.write ? 2 : 0);
  return result;
}

// va.vpn[i] of an address; the top one of a second stage has 11 bits.
std::uint64_t vpn(const RiscvTables& tables, Addr address, unsigned i) {
  const bool top_of_second = tables.stage == TableStage::kSecond && i + 1 == tables.levels;
  const std::uint64_t entries = top_of_second ? 2048 : 512;
  return (address / kPageSize / (std::uint64_t{1} << (9 * i))) % entries;
}

bool in_range(const RiscvTables& tables, Addr address) {
  const unsigned width = 12 + 9 * tables.levels;  // 39, 48, 57
  if (tables.stage == TableStage::kSecond) return address < (std::uint64_t{1} << (width + 2));
  // Bits 63 down to the highest of the input are all equal.
  const auto top = static_cast<std::int64_t>(address) >> (width - 1);
  return top == 0 || top == -1;
}

}  // namespace

// SPEC: [RVPRIV Virtual Address Translation Process] the numbers are its steps.
RiscvTranslation walk_riscv(const MemoryView& memory, const RiscvTables& tables, const RiscvAccess& access) {
  RiscvTranslation result;
  const auto failed = [&](RiscvFailure failure) { return fail(result, failure, tables, access); };
  if (!in_range(tables, access.address)) return failed(RiscvFailure::kAddress);
  // 1.
  Addr a = tables.root;
  unsigned i = tables.levels - 1;
  std::uint64_t pte = 0;
  Addr where = 0;
  for (;;) {
    // 2.
    result.level = i + 1;
    where = a + vpn(tables, access.address, i) * 8;
    if (!memory.read64(where, pte)) return failed(RiscvFailure::kAccess);
    // 3.
    if (E::V::get(pte) == 0) return failed(RiscvFailure::kInvalid);
    if (E::R::get(pte) == 0 && E::W::get(pte) == 1) return failed(RiscvFailure::kReserved);
    if ((pte >> 54) != 0) return failed(RiscvFailure::kReserved);
    // 4.
    if (E::R::get(pte) == 1 || E::X::get(pte) == 1) break;
    if (E::D::get(pte) == 1 || E::A::get(pte) == 1 || E::U::get(pte) == 1 || i == 0) {
      return failed(RiscvFailure::kReserved);
    }
    a = E::PPN::get(pte) * kPageSize;
    --i;
  }
  // 5. Aligned to its own size.
  const Addr pages = Addr{1} << (9 * i);
  if (E::PPN::get(pte) % pages != 0) return failed(RiscvFailure::kReserved);
  // 6. In the second stage every access is one of user mode.
  result.read = E::R::get(pte) == 1;
  result.write = E::W::get(pte) == 1;
  result.user = E::U::get(pte) == 1;
  const bool supervisor = access.supervisor && tables.stage == TableStage::kFirst;
  const bool wrong_side = supervisor ? result.user && !access.sum : !result.user;
  if (wrong_side) return failed(RiscvFailure::kPrivilege);
  // 7, 8. SPEC: [RVIOMMU ATS] a translation request is told the rights.
  if (!access.translation_request && ((access.read && !result.read) || (access.write && !result.write))) {
    return failed(RiscvFailure::kPermission);
  }
  // 9.
  std::uint64_t update = E::A::get(pte) == 0 ? E::A::kMask : 0;
  if (access.write && result.write && E::D::get(pte) == 0) update |= E::D::kMask;
  if (update != 0 && !tables.hardware_updates) return failed(RiscvFailure::kMarks);
  // 10.
  result.leaf_entry = where;
  result.update = update;
  result.page_shift = 12 + 9 * i;
  result.address = E::PPN::get(pte) * kPageSize + access.address % (pages * kPageSize);
  return result;
}

}  // namespace svasim
