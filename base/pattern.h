// Bytes that repeat.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace svasim {

// Fills `out` with the eight bytes of `low`, then those of `high`, and so on; lowest byte first, beginning
// with byte `position` of the endless sequence.
inline void fill_pattern(unsigned char* out, std::size_t length, std::uint64_t low, std::uint64_t high,
                         std::uint64_t position = 0) {
  constexpr std::size_t kPeriod = 2 * sizeof low;
  unsigned char twice[2 * kPeriod];
  for (std::size_t i = 0; i < sizeof twice; ++i) {
    twice[i] = static_cast<unsigned char>((i % kPeriod < sizeof low ? low : high) >> (i % sizeof low * 8));
  }
  const unsigned char* const period = twice + position % kPeriod;
  for (; length >= kPeriod; out += kPeriod, length -= kPeriod) std::memcpy(out, period, kPeriod);
  std::memcpy(out, period, length);
}

}  // namespace svasim
