// Structures of several 64-bit words: fields named by the bit numbers the specifications print,
// which count through the whole structure.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "base/bits.h"

namespace svasim {

// Word 0 holds bits 63:0 and lies at the lowest address; all structures here are little endian.
template <std::size_t N>
using Words = std::array<std::uint64_t, N>;

// WideField<191, 140> is bits 191:140 of a structure, that is bits 63:12 of its word 2. No field of
// the structures here crosses a word.
template <unsigned Hi, unsigned Lo>
struct WideField {
  static_assert(Hi >= Lo && Hi / 64 == Lo / 64, "a field lies within one 64-bit word");
  static constexpr std::size_t kWord = Lo / 64;
  using Bits = Field<Hi % 64, Lo % 64>;
  static constexpr std::uint64_t kMask = Bits::kMask;

  template <std::size_t N>
  static constexpr std::uint64_t get(const Words<N>& words) {
    static_assert(kWord < N);
    return Bits::get(words[kWord]);
  }
  // The field where it lies in its word, not shifted: for addresses.
  template <std::size_t N>
  static constexpr std::uint64_t in_place(const Words<N>& words) {
    static_assert(kWord < N);
    return Bits::in_place(words[kWord]);
  }
  template <std::size_t N>
  static constexpr void set(Words<N>& words, std::uint64_t value) {
    static_assert(kWord < N);
    words[kWord] = Bits::set(words[kWord], value);
  }
  // Stores an address whose bits below the field are zero.
  template <std::size_t N>
  static constexpr void set_in_place(Words<N>& words, std::uint64_t address) {
    set(words, address >> Bits::kLo);
  }
};

template <unsigned N>
using WideBit = WideField<N, N>;

}  // namespace svasim
