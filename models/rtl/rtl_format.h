// From the walker interface to the pins of the RTL walker and back.
#pragma once

#include "models/rtl/rtl_walker_core.h"
#include "models/walker/walker_if.h"

namespace svasim {

// The RTL walker knows one format, x86-fs4, with the options it has pins for, and one stage.
bool rtl_covers(const WalkRequest& walk);

// `walk.format` is covered.
RtlWalkRequest to_rtl_request(const WalkRequest& walk);
WalkResult to_walk_result(const WalkRequest& walk, const RtlWalkResult& rtl);

}  // namespace svasim
