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
  Histogram wait;

  void describe(StatRegistry& registry, const std::string& prefix) const;
};

}  // namespace svasim
