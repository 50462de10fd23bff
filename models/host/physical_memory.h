// How the host's software sees physical memory.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/types.h"

namespace svasim {

// MODEL: the CPUs' own loads and stores take effect at the instant of the software step that makes
// them and use no bus time; the step's duration stands for them. Effect: software does not compete
// with devices for memory bandwidth, and a step is never slowed by memory.
class PhysicalMemory {
 public:
  virtual ~PhysicalMemory() = default;
  virtual void read(Addr address, void* data, std::size_t length) = 0;
  virtual void write(Addr address, const void* data, std::size_t length) = 0;

  std::uint64_t read64(Addr address) {
    std::uint64_t word = 0;
    read(address, &word, sizeof word);
    return word;
  }
  std::uint32_t read32(Addr address) {
    std::uint32_t word = 0;
    read(address, &word, sizeof word);
    return word;
  }
  void write64(Addr address, std::uint64_t word) { write(address, &word, sizeof word); }
  void write32(Addr address, std::uint32_t word) { write(address, &word, sizeof word); }
  void zero_page(Addr address) {
    static constexpr unsigned char kZeros[kPageSize] = {};
    write(address, kZeros, sizeof kZeros);
  }
};

}  // namespace svasim
