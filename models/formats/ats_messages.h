// ATS and PRI on the link: translation completion entries, invalidation and page request messages.
// SPEC: [ATS 3, 4], [PRI 6, 7]
#pragma once

#include <cstdint>

#include "base/bits.h"
#include "base/types.h"

namespace svasim {

// One 8-byte entry of a translation completion.
struct TranslationEntry {
  using R = Bit<0>;
  using W = Bit<1>;
  using U = Bit<2>;
  using EXE = Bit<3>;
  using PRIV = Bit<4>;
  using GLOBAL = Bit<5>;
  using AMA = Field<8, 6>;
  using CXL_IO = Bit<9>;
  using N = Bit<10>;
  using S = Bit<11>;
  using ADDR = Field<63, 12>;
};

inline constexpr unsigned kTranslationEntryBytes = 8;
// No translation request asks for more than fits in one completion. SPEC: [ATS 3]
inline constexpr unsigned kReadCompletionBoundary = 64;
inline constexpr unsigned kMaxTranslations = kReadCompletionBoundary / kTranslationEntryBytes;

// Body of an invalidate request.
struct InvalidateRequestBody {
  using G = Bit<0>;
  using S = Bit<11>;
  using ADDR = Field<63, 12>;
};

// Body of a page request message.
struct PageRequestBody {
  using R = Bit<0>;
  using W = Bit<1>;
  using L = Bit<2>;
  using PRGI = Field<11, 3>;
  using ADDR = Field<63, 12>;
};

// Body of a PRG response message. The code is a PageResponseCode of vtd_invalidation.h.
struct PrgResponseBody {
  using PRGI = Field<8, 0>;
  using CODE = Field<15, 12>;
};

enum class AtsMessageCode : std::uint8_t {
  kInvalidateRequest = 0x01,
  kInvalidateCompletion = 0x02,
  kPageRequest = 0x04,
  kPrgResponse = 0x05,
};

inline constexpr unsigned kItags = 32;
inline constexpr unsigned kPrgIndices = 512;
// CC of an invalidate completion: 3 bits, 0 means 8.
constexpr unsigned completion_count(unsigned cc_field) { return cc_field == 0 ? 8 : cc_field; }
// Invalidate queue depth of the ATS capability: 5 bits, 0 means 32.
constexpr unsigned invalidate_queue_depth(unsigned field) { return field == 0 ? 32 : field; }

// The size coding of completion entries and invalidations: S = 0 is 4 KiB; with S = 1 the number
// of ones from address bit 12 up, n, gives 2^(13 + n) bytes.
struct AtsRange {
  Addr address = 0;  // address bits with the size coded in, bits 11:0 zero
  bool size_bit = false;

  // S and address as they stand in an entry or body.
  constexpr std::uint64_t bits() const { return address | (size_bit ? Bit<11>::kMask : 0); }
};

// A range of 2^shift bytes, shift 12 to 63, at an address aligned to it. shift 64 is everything,
// for which bit 63 stays 0 and all other address bits are 1.
constexpr AtsRange encode_range(Addr address, unsigned shift) {
  if (shift <= 12) return {address & ~mask_between(11, 0), false};
  if (shift >= 64) return {mask_between(62, 12), true};
  // Ones up to bit shift - 2 and a zero at bit shift - 1.
  return {(address & mask_between(63, shift)) | mask_between(shift - 2, 12), true};
}

struct DecodedRange {
  Addr address = 0;  // first byte
  unsigned shift = 12;

  // Whether the range covers this address.
  constexpr bool contains(Addr other) const { return shift >= 64 || ((address ^ other) >> shift) == 0; }
};

constexpr DecodedRange decode_range(std::uint64_t entry) {
  if (Bit<11>::get(entry) == 0) return {entry & ~mask_between(11, 0), 12};
  unsigned shift = 13;
  while (shift < 64 && ((entry >> (shift - 1)) & 1) != 0) ++shift;
  return {shift >= 64 ? 0 : entry & mask_between(63, shift), shift};
}

static_assert(encode_range(0x40000000, 21).bits() == (0x40000000 | mask_between(19, 11)));
static_assert(decode_range(encode_range(0x40000000, 30).bits()).shift == 30);
static_assert(encode_range(0, 64).bits() == (mask_between(62, 12) | Bit<11>::kMask));
static_assert(decode_range(encode_range(0, 64).bits()).shift == 64);

constexpr std::uint64_t make_invalidate_request_body(AtsRange range, bool global) {
  return range.bits() | InvalidateRequestBody::G::make(global);
}

constexpr std::uint64_t make_page_request_body(Addr page, bool read, bool write, bool last,
                                               unsigned prg_index) {
  using B = PageRequestBody;
  return B::ADDR::in_place(page) | B::R::make(read) | B::W::make(write) | B::L::make(last) |
         B::PRGI::make(prg_index);
}

}  // namespace svasim
