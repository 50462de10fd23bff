#include "models/rtl/rtl_stats.h"

#include "models/rtl/rtl_walker_core.h"

namespace svasim {

void LockstepStats::describe(StatRegistry& registry, const std::string& prefix) const {
  registry.counter(prefix + ".compared", &compared, StatUnit::kCount, StatKind::kTiming,
                   "Walks the RTL walker repeated with the answers memory gave the model.");
  registry.counter(prefix + ".uncovered", &uncovered, StatUnit::kCount, StatKind::kTiming,
                   "Walks of formats the RTL walker does not know.");
  registry.counter(prefix + ".mismatches", &mismatches, StatUnit::kCount, StatKind::kInvariant,
                   "Walks on which RTL walker and model differed.");
  registry.histogram(prefix + ".cycles", &cycles, StatUnit::kCycles, StatKind::kTiming,
                     "RTL cycles of a walk, from the edge that takes it to the edge that answers.");
}

void describe_rtl_cycles(const RtlWalkerCore& core, StatRegistry& registry, const std::string& prefix) {
  registry.counter(prefix + ".busy_cycles", &core.busy_cycles(), StatUnit::kCycles, StatKind::kTiming,
                   "Clock cycles evaluated.");
  registry.counter(prefix + ".skipped_cycles", &core.skipped_cycles(), StatUnit::kCycles, StatKind::kTiming,
                   "Clock cycles left out while the walker waited for memory.");
}

}  // namespace svasim
