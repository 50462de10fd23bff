// A range of addresses.
#pragma once

#include "base/types.h"

namespace svasim {

struct AddressSpan {
  Addr start = 0;
  Addr end = 0;  // behind the last byte
};

inline constexpr AddressSpan kEverywhere{0, ~Addr{0}};

}  // namespace svasim
