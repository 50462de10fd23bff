// Atomic update of one 64-bit word, for accessed and dirty bits.
#pragma once

#include <cstdint>
#include <tlm>

namespace svasim {

// On a write of 8 bytes: the memory writes only when the word still holds `expected`, and returns
// in `seen` what it found. A memory that does not know this extension writes always; then an
// update of the same entry by software at the same instant may be lost.
class CompareSwap : public tlm::tlm_extension<CompareSwap> {
 public:
  std::uint64_t expected = 0;
  std::uint64_t seen = 0;
  bool swapped() const { return seen == expected; }

  tlm::tlm_extension_base* clone() const override { return new CompareSwap(*this); }
  void copy_from(const tlm::tlm_extension_base& other) override {
    *this = static_cast<const CompareSwap&>(other);
  }
};

}  // namespace svasim
