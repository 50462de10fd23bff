#include "models/tlb/tlb_stats.h"

namespace svasim {

void TlbStats::describe(StatRegistry& registry, const std::string& prefix) const {
  const auto count = [&](const char* name, const Counter& counter, const char* text) {
    registry.counter(prefix + "." + name, &counter, StatUnit::kCount, StatKind::kTiming, text);
  };
  count("hits", hits, "Look-ups that found an entry.");
  count("misses", misses, "Look-ups that found none.");
  count("fills", fills, "Entries written.");
  count("evictions", evictions, "Valid entries replaced by a fill.");
  count("invalidations", invalidations, "Entries dropped by an invalidation.");
  count("clears", clears, "Times the whole cache was emptied for want of room (clear_when_full).");
  registry.ratio(prefix + ".hit_rate", {&hits}, {&hits, &misses}, StatKind::kTiming, "Hits per look-up.");
}

}  // namespace svasim
