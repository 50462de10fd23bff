// Statistics of the Verilated walker, alone or in lockstep.
#pragma once

#include <string>

#include "base/stats.h"

namespace svasim {

class RtlWalkerCore;

struct LockstepStats {
  Counter compared;
  Counter uncovered;
  Counter mismatches;
  Histogram cycles;

  void describe(StatRegistry& registry, const std::string& prefix) const;
};

// The cycles of a core.
void describe_rtl_cycles(const RtlWalkerCore& core, StatRegistry& registry, const std::string& prefix);

}  // namespace svasim
