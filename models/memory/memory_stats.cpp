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
  registry.histogram(prefix + ".wait", &wait, StatUnit::kPs, StatKind::kTiming,
                     "From the arrival of an access to its turn on its channel.");
}

}  // namespace svasim
