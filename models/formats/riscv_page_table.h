// Page tables of RISC-V: Sv39, Sv48, Sv57 and, for the second stage, Sv39x4, Sv48x4, Sv57x4.
// SPEC: [RVPRIV Virtual Address Translation Process, Sv39, Sv48, Sv57, Two-Stage Address Translation]
#pragma once

#include "models/formats/page_table_format.h"
#include "models/formats/vtd_faults.h"

namespace svasim {

struct RiscvEntry {
  using V = Bit<0>;
  using R = Bit<1>;
  using W = Bit<2>;
  using X = Bit<3>;
  using U = Bit<4>;
  using G = Bit<5>;  // not looked at: it only matters to caches
  using A = Bit<6>;
  using D = Bit<7>;
  using RSW = Field<9, 8>;    // ignored
  using PPN = Field<53, 10>;  // bits 55:12 of an address
  using RESERVED = Field<60, 54>;
  using PBMT = Field<62, 61>;  // reserved without Svpbmt
  using N = Bit<63>;           // reserved without Svnapot
};

// MODEL: Svpbmt and Svnapot are not modelled: their bits are reserved.
//
// Nothing depends on PageFormatOptions. Any level may hold a leaf. Address bits beyond the width of the
// platform are no reserved bits: what lies there cannot be read. Whether hardware sets A and D (SADE, GADE)
// is WalkRequest::update_ad.
constexpr PageTableFormat make_riscv(TableStage stage, unsigned levels) {
  using E = RiscvEntry;
  const bool second = stage == TableStage::kSecond;
  constexpr unsigned kShift = 2;  // bit 10 of an entry is bit 12 of an address
  PageTableFormat format;
  if (second) {
    format.name = levels == 5 ? "riscv-sv57x4" : levels == 4 ? "riscv-sv48x4" : "riscv-sv39x4";
  } else {
    format.name = levels == 5 ? "riscv-sv57" : levels == 4 ? "riscv-sv48" : "riscv-sv39";
  }
  format.stage = stage;
  format.levels = static_cast<std::uint8_t>(levels);
  format.input_bits = static_cast<std::uint8_t>(12 + 9 * levels + (second ? 2 : 0));
  format.canonical = !second;
  format.address_shift = kShift;
  format.present = E::V::kMask;
  // Writable pages are readable; W without R is reserved.
  format.encoding_bits = E::R::kMask | E::W::kMask;
  format.reserved_encoding = E::W::kMask;
  format.read = E::R::kMask;
  format.write = E::W::kMask;
  format.user = E::U::kMask;
  format.leaf_rights = E::R::kMask | E::W::kMask | E::U::kMask;
  format.user_rule = second ? UserRule::kBindsAll : UserRule::kSeparates;
  format.accessed = E::A::kMask;
  format.dirty = E::D::kMask;
  format.marks_required = true;
  format.table_address = E::PPN::kMask;
  const std::uint64_t reserved = E::RESERVED::kMask | E::PBMT::kMask | E::N::kMask;
  for (unsigned n = 1; n <= levels; ++n) {
    PageLevel& level = format.level[n];
    level.shift = static_cast<std::uint8_t>(12 + 9 * (n - 1));
    level.may_be_leaf = true;
    level.leaf_bit = E::R::kMask | E::X::kMask;
    level.reserved_table = n == 1 ? ~std::uint64_t{0} : reserved | E::D::kMask | E::A::kMask | E::U::kMask;
    level.leaf_address = mask_between(E::PPN::kHi, level.shift - kShift);
    // A superpage is aligned to its size.
    level.reserved_leaf = reserved | mask_between(level.shift - kShift - 1U, E::PPN::kLo);
  }
  // The top table of a second stage is four times as large, aligned to 16 KiB.
  if (second) format.level[levels].index_mask = 2047;
  return format;
}

// CAUSE of a RISC-V fault record. SPEC: [RVIOMMU Fault/Event-Queue]
enum class RiscvCause : std::uint16_t {
  kNone = 0,
  kReadAccessFault = 5,
  kWriteAccessFault = 7,
  kReadPageFault = 13,
  kWritePageFault = 15,
  kReadGuestPageFault = 21,
  kWriteGuestPageFault = 23,
};

// The cause that a walk of these tables ends with. Walks name their faults by the codes of VT-d, which tell
// more: RISC-V has one for whatever is wrong with an entry and one for memory that cannot be accessed.
constexpr RiscvCause riscv_walk_cause(FaultReason reason, TableStage stage, bool write) {
  switch (reason) {
    case FaultReason::kNone:
      return RiscvCause::kNone;
    case FaultReason::kFirstStageAccess:
    case FaultReason::kFirstStageTopAccess:
    case FaultReason::kFirstStageUpdateFailed:
    case FaultReason::kSecondStageAccess:
    case FaultReason::kSecondStageTopAccess:
    case FaultReason::kSecondStageUpdateFailed:
      return write ? RiscvCause::kWriteAccessFault : RiscvCause::kReadAccessFault;
    default:
      if (stage == TableStage::kSecond) {
        return write ? RiscvCause::kWriteGuestPageFault : RiscvCause::kReadGuestPageFault;
      }
      return write ? RiscvCause::kWritePageFault : RiscvCause::kReadPageFault;
  }
}

}  // namespace svasim
