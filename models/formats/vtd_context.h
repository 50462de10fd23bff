// Root, context and PASID structures in memory. Field names as in the specification; numbers count
// through the whole structure. SPEC: [VTD 9.1 - 9.6]
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/types.h"
#include "models/formats/words.h"

namespace svasim {

// Legacy root entry, 16 bytes; 256 in a page, by bus. SPEC: [VTD 9.1]
struct LegacyRootEntry {
  using P = WideBit<0>;
  using CTP = WideField<63, 12>;
  static constexpr std::size_t kBytes = 16;
  static constexpr std::size_t kWords = 2;
  static constexpr Words<2> kReserved = {mask_between(11, 1), ~std::uint64_t{0}};
  static constexpr Addr address(Addr table, RequesterId id) { return table + id.bus() * kBytes; }
};

// Legacy context entry, 16 bytes; 256 in a page, by device and function. SPEC: [VTD 9.3]
struct LegacyContextEntry {
  using P = WideBit<0>;
  using FPD = WideBit<1>;
  using TT = WideField<3, 2>;
  using SSPTPTR = WideField<63, 12>;
  using AW = WideField<66, 64>;
  using IGNORED = WideField<70, 67>;
  using DID = WideField<87, 72>;
  static constexpr std::size_t kBytes = 16;
  static constexpr std::size_t kWords = 2;
  static constexpr Words<2> kReserved = {mask_between(11, 4), mask_between(63, 24) | mask_between(7, 7)};
  static constexpr Addr address(Addr table, RequesterId id) { return table + id.devfn() * kBytes; }
};

// TT of a legacy context entry.
enum class TranslationType : std::uint8_t {
  kUntranslatedOnly = 0,
  kWithAts = 1,
  kPassThrough = 2,
  kReserved = 3,
};

// AW of a legacy context entry or a PASID-table entry: 1, 2, 3 for 3, 4, 5 levels; anything else is
// no width.
constexpr unsigned address_width_levels(std::uint64_t aw) {
  return aw >= 1 && aw <= 3 ? static_cast<unsigned>(aw) + 2 : 0;
}
constexpr std::uint64_t address_width_of_levels(unsigned levels) { return levels - 2; }

// Scalable-mode root entry, 16 bytes, by bus: one context table for devices 0 to 15, one for 16 to
// 31. SPEC: [VTD 9.2]
struct ScalableRootEntry {
  using LP = WideBit<0>;
  using LCTP = WideField<63, 12>;
  using UP = WideBit<64>;
  using UCTP = WideField<127, 76>;
  static constexpr std::size_t kBytes = 16;
  static constexpr std::size_t kWords = 2;
  // Both halves have the same layout; bits of a half that is present.
  static constexpr std::uint64_t kReservedInHalf = mask_between(11, 1);
  static constexpr Addr address(Addr table, RequesterId id) { return table + id.bus() * kBytes; }
  static constexpr unsigned half(RequesterId id) { return id.devfn() >> 7U; }
};

// Scalable-mode context entry, 32 bytes; 128 in a page. SPEC: [VTD 9.4]
struct ScalableContextEntry {
  using P = WideBit<0>;
  using FPD = WideBit<1>;
  using DTE = WideBit<2>;
  using PASIDE = WideBit<3>;
  using PRE = WideBit<4>;
  using HPTE = WideBit<5>;
  using EPTR = WideBit<6>;
  using PDTS = WideField<11, 9>;
  using PASIDDIRPTR = WideField<63, 12>;
  using RID_PASID = WideField<83, 64>;
  using RID_PRIV = WideBit<84>;
  static constexpr std::size_t kBytes = 32;
  static constexpr std::size_t kWords = 4;
  // Reserved whatever the capabilities; RID_PASID, RID_PRIV, HPTE and EPTR become so without RPS,
  // RPRIVS, HPTS and PTRS.
  static constexpr Words<4> kReserved = {mask_between(8, 7), mask_between(63, 21), ~std::uint64_t{0},
                                         ~std::uint64_t{0}};
  static constexpr Addr address(Addr table, RequesterId id) { return table + (id.devfn() & 0x7FU) * kBytes; }
  // Entries of a directory, and so the first PASID it does not cover is 64 times that.
  static constexpr std::uint32_t directory_entries(std::uint64_t pdts) { return 1U << (pdts + 7); }
};

// PASID directory entry, 8 bytes, by PASID bits 19:6. SPEC: [VTD 9.5]
struct PasidDirectoryEntry {
  using P = Bit<0>;
  using FPD = Bit<1>;
  using SMPTBLPTR = Field<63, 12>;
  static constexpr std::size_t kBytes = 8;
  static constexpr std::uint64_t kReserved = mask_between(11, 2);
  static constexpr Addr address(Addr table, Pasid pasid) { return table + (pasid.value() >> 6U) * kBytes; }
};

// PGTT: what a PASID-table entry translates with.
enum class PasidGranularTranslation : std::uint8_t {
  kFirstStage = 1,
  kSecondStage = 2,
  kNested = 3,
  kPassThrough = 4,
};

// FSPM: first-stage paging mode.
enum class FirstStageMode : std::uint8_t { k4Level = 0, k5Level = 1 };

// PASID-table entry, 64 bytes, by PASID bits 5:0. SPEC: [VTD 9.6]
struct PasidTableEntry {
  using P = WideBit<0>;
  using FPD = WideBit<1>;
  using AW = WideField<4, 2>;
  using PGTT = WideField<8, 6>;
  using SSADE = WideBit<9>;
  using SSPTPTR = WideField<63, 12>;
  using DID = WideField<79, 64>;
  using PWSNP = WideBit<87>;
  using PGSNP = WideBit<88>;
  using CD = WideBit<89>;
  using EMTE = WideBit<90>;
  using PAT = WideField<127, 96>;
  using SRE = WideBit<128>;
  using FSPM = WideField<131, 130>;
  using WPE = WideBit<132>;
  using EAFE = WideBit<135>;
  using FSPTPTR = WideField<191, 140>;
  using HPTSZ = WideField<257, 256>;
  using HPTPFD = WideBit<258>;
  using HPTDID = WideField<335, 320>;
  static constexpr std::size_t kBytes = 64;
  static constexpr std::size_t kWords = 8;
  // Reserved whatever the capabilities. WHY: words 4 and 5 hold the host permission table, which is
  // reserved as a whole without ECAP.HPTS.
  static constexpr Words<8> kReserved = {mask_between(11, 10) | mask_between(5, 5),
                                         mask_between(22, 16) | mask_between(31, 27),
                                         mask_between(11, 8) | mask_between(1, 1),
                                         ~std::uint64_t{0},
                                         mask_between(11, 3),
                                         mask_between(63, 16),
                                         ~std::uint64_t{0},
                                         ~std::uint64_t{0}};
  static constexpr Addr address(Addr table, Pasid pasid) { return table + (pasid.value() & 0x3FU) * kBytes; }
};

static_assert(PasidTableEntry::FSPTPTR::kWord == 2 &&
              PasidTableEntry::FSPTPTR::kMask == mask_between(63, 12));
static_assert(sizeof(Words<PasidTableEntry::kWords>) == PasidTableEntry::kBytes);
static_assert(sizeof(Words<ScalableContextEntry::kWords>) == ScalableContextEntry::kBytes);
static_assert(ScalableContextEntry::kBytes * 128 == kPageSize &&
              LegacyContextEntry::kBytes * 256 == kPageSize);

}  // namespace svasim
