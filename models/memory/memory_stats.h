// Statistics of a memory.
#pragma once

#include <string>

#include "base/stats.h"

namespace svasim {

struct MemoryStats {
  Counter reads;
  Counter writes;
  Counter bytes_read;
  Counter bytes_written;
  Counter errors;
  Counter llc_hits;
  Counter llc_misses;
  Counter llc_walk_hits;
  Counter llc_walk_misses;
  Histogram wait;

  void describe(StatRegistry& registry, const std::string& prefix) const;
};

}  // namespace svasim
