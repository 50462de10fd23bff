// Between simulated time and plain integers. The resolution is 1 ps, so both are one number.
#pragma once

#include <systemc>

#include "base/types.h"

namespace svasim {

inline Ps now_ps() { return sc_core::sc_time_stamp().value(); }

inline sc_core::sc_time to_sc(Ps time) { return sc_core::sc_time::from_value(time); }

}  // namespace svasim
