// Between simulated time and plain integers. The resolution is 1 ps, so both are one number.
#pragma once

#include <cstring>
#include <systemc>

#include "base/types.h"

namespace svasim {

// WHY not sc_time_stamp(): a call into the library on every look at the clock. The kernel's clock is
// one object for the life of the process, as there is one elaboration per process.
inline Ps now_ps() {
  static const sc_core::sc_time& clock = sc_core::sc_get_curr_simcontext()->time_stamp();
  return clock.value();
}

// WHY not sc_time::from_value(): it is not inline, and this is called for every message.
inline sc_core::sc_time to_sc(Ps time) {
  static_assert(sizeof(sc_core::sc_time) == sizeof(Ps), "sc_time is its value");
  sc_core::sc_time result;
  std::memcpy(static_cast<void*>(&result), &time, sizeof(time));
  return result;
}

}  // namespace svasim
