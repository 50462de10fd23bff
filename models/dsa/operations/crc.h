// Table-driven CRCs, most significant bit first.
#pragma once

#include <array>
#include <cstdint>

namespace svasim {

// The remainder of each byte value; the polynomial without its highest term.
template <typename Word>
class CrcTable {
 public:
  explicit constexpr CrcTable(Word polynomial) {
    for (unsigned byte = 0; byte < 256; ++byte) {
      Word word = static_cast<Word>(static_cast<Word>(byte) << kShift);
      for (unsigned bit = 0; bit < 8; ++bit) {
        const bool carry = (word >> (kBits - 1)) != 0;
        word = static_cast<Word>(static_cast<Word>(word << 1U) ^ (carry ? polynomial : Word{0}));
      }
      rows_[byte] = word;
    }
  }
  Word next(Word crc, unsigned char byte) const {
    return static_cast<Word>(static_cast<Word>(crc << 8U) ^
                             rows_[static_cast<unsigned char>(crc >> kShift) ^ byte]);
  }

 private:
  static constexpr unsigned kBits = 8 * sizeof(Word);
  static constexpr unsigned kShift = kBits - 8;
  std::array<Word, 256> rows_{};
};

template <typename Word>
constexpr Word reflected(Word word) {
  Word result = 0;
  for (unsigned bit = 0; bit < 8 * sizeof(Word); ++bit) {
    result = static_cast<Word>(static_cast<Word>(result << 1U) + ((word >> bit) % 2U));
  }
  return result;
}

}  // namespace svasim
