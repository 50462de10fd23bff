// Bit fields of registers and table entries, named once by their highest and lowest bit as the
// specifications print them.
#pragma once

#include <cstdint>

namespace svasim {

// Field<63, 12> is bits 63:12 of a 64-bit word.
template <unsigned Hi, unsigned Lo>
struct Field {
  static_assert(Hi >= Lo && Hi < 64);
  static constexpr unsigned kHi = Hi;
  static constexpr unsigned kLo = Lo;
  static constexpr unsigned kWidth = Hi - Lo + 1;
  static constexpr std::uint64_t kMax = kWidth == 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << kWidth) - 1;
  static constexpr std::uint64_t kMask = kMax << Lo;

  // The field's value, shifted down to bit 0.
  static constexpr std::uint64_t get(std::uint64_t word) { return (word >> Lo) & kMax; }
  // The word with the field replaced; bits of value beyond the field's width are dropped.
  static constexpr std::uint64_t set(std::uint64_t word, std::uint64_t value) {
    return (word & ~kMask) | ((value & kMax) << Lo);
  }
  // A word holding only this field.
  static constexpr std::uint64_t make(std::uint64_t value) { return (value & kMax) << Lo; }
  // The field in place, not shifted: for addresses whose low bits are implied zero.
  static constexpr std::uint64_t in_place(std::uint64_t word) { return word & kMask; }
};

template <unsigned N>
using Bit = Field<N, N>;

constexpr bool is_power_of_two(std::uint64_t value) { return value != 0 && (value & (value - 1)) == 0; }

// The bits [hi:lo] of a mask; 0 when hi < lo.
constexpr std::uint64_t mask_between(unsigned hi, unsigned lo) {
  return hi < lo ? 0 : ((hi >= 63 ? ~std::uint64_t{0} : (std::uint64_t{1} << (hi + 1)) - 1) >> lo) << lo;
}

}  // namespace svasim
