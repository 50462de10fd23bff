#include "models/memory/memory_stats.h"

namespace svasim {

void MemoryStats::describe(StatRegistry& registry, const std::string& prefix) const {
  const auto count = [&](const char* name, const Counter& counter, StatUnit unit, const char* text) {
    registry.counter(prefix + "." + name, &counter, unit, StatKind::kTiming, text);
  };
  count("reads", reads, StatUnit::kCount, "Read accesses served.");
  count("writes", writes, StatUnit::kCount, "Write accesses served, atomic updates included.");
  count("bytes_read", bytes_read, StatUnit::kBytes, "Bytes read.");
  count("bytes_written", bytes_written, StatUnit::kBytes, "Bytes written.");
  count("errors", errors, StatUnit::kCount, "Accesses outside the memory.");
  count("llc.hits", llc_hits, StatUnit::kCount, "Snooped accesses found in the last-level cache.");
  count("llc.misses", llc_misses, StatUnit::kCount, "Snooped accesses not found there, or in part.");
  count("llc.walk_hits", llc_walk_hits, StatUnit::kCount, "Of these hits: page-table entries.");
  count("llc.walk_misses", llc_walk_misses, StatUnit::kCount, "Of these misses: page-table entries.");
  registry.histogram(prefix + ".wait", &wait, StatUnit::kPs, StatKind::kTiming,
                     "From the arrival of an access to its turn on its channel.");
}

}  // namespace svasim
