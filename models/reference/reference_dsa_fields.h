// Descriptors by byte offset, as the specification prints them.
#pragma once

#include <cstdint>
#include <cstring>

#include "models/formats/dsa_descriptor.h"

namespace svasim::reference_dsa {

inline std::uint64_t number_at(const DsaDescriptor& d, unsigned offset, unsigned size) {
  std::uint64_t value = 0;
  std::memcpy(&value, reinterpret_cast<const char*>(&d) + offset, size);
  return value;
}
inline unsigned opcode_of(const DsaDescriptor& d) { return static_cast<unsigned>(number_at(d, 7, 1)); }
inline std::uint32_t flags_of(const DsaDescriptor& d) {
  return static_cast<std::uint32_t>(number_at(d, 4, 3));
}
inline bool bit(const DsaDescriptor& d, unsigned flag) { return ((flags_of(d) >> flag) & 1U) != 0; }

inline unsigned dif_block(const DsaDescriptor& d) {
  const std::uint64_t code = number_at(d, 42, 1) & 3U;
  return code == 0 ? 512 : code == 1 ? 520 : code == 2 ? 4096 : 4104;
}

}  // namespace svasim::reference_dsa
